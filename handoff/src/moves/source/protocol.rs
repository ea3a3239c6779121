//! What a source hears, repeats and decides.

use super::leaving::{Fate, Leaving, Phase, take};
use crate::message::{MoveId, MoveMessage, Refusal};
use crate::moves::event::{AbortReason, MoveEvent, MoveOutcome, Promoted, ResumeReason};
use crate::moves::machine::{Moves, Role};
use std::mem;
use std::time::Duration;
use swarm_base::{Instant, Name, NodeId};

impl Moves {
    pub(in crate::moves) fn handle_as_source(
        &mut self,
        now: Instant,
        from: NodeId,
        message: MoveMessage,
    ) {
        let id = message.id();
        let Some(leaving) = self.source.moves.get_mut(&id) else {
            return self.handle_unknown(from, &message);
        };
        if leaving.to != from {
            return;
        }
        match (message, &mut leaving.phase) {
            // An `Ack` before the commit: the target held this node dead and runs the standby by
            // this node's log. The process here is frozen since, so it ends; its mail follows.
            (MoveMessage::Ready { .. } | MoveMessage::Ack { .. }, Phase::Offered { offer, .. }) => {
                leaving.phase = Phase::Stopping { offer: take(offer), target: Fate::Alive };
                let name = leaving.name.clone();
                self.emit(MoveEvent::Stop { id, name });
                self.send_chunks(&from);
            }
            (MoveMessage::ChunkTaken { upto, .. }, Phase::Offered { .. }) => {
                self.chunk_taken(now, id, upto);
            }
            (MoveMessage::Refused { why, .. }, Phase::Offered { .. }) => {
                self.thaw(now, id, MoveOutcome::Refused(why));
            }
            (MoveMessage::MailsTaken { part, .. }, Phase::Committed { .. }) => {
                self.mails_taken(now, id, part);
            }
            // While mail is left it runs the process by this node's log, and waits for the rest.
            (MoveMessage::Ack { token, position, .. }, Phase::Committed { mails, .. })
                if mails.is_last(&self.config) =>
            {
                self.moved(now, id, Promoted { token, position });
            }
            (MoveMessage::Nack { why, .. }, Phase::Committed { .. }) => {
                self.resume(now, id, ResumeReason::Refused(why));
            }
            (MoveMessage::Ready { .. } | MoveMessage::Query { .. }, Phase::Committed { .. }) => {
                self.send_commit(id);
            }
            (MoveMessage::Query { .. }, Phase::Offered { .. }) => self.send_offer(id),
            _ => (),
        }
    }

    fn mails_taken(&mut self, now: Instant, id: MoveId, part: u32) {
        let Some(leaving) = self.source.moves.get_mut(&id) else { return };
        let Phase::Committed { mails, retry, .. } = &mut leaving.phase else { return };
        if mails.taken(part, &self.config) {
            *retry = now + self.config.retry;
            self.send_commit(id);
        }
    }

    /// A move that is over here, or that a former answer ended.
    fn handle_unknown(&mut self, from: NodeId, message: &MoveMessage) {
        let id = message.id();
        match message {
            MoveMessage::Ready { .. } | MoveMessage::Query { .. } => {
                self.reply(from, MoveMessage::Abort { id });
            }
            MoveMessage::Ack { .. } => self.reply(from, MoveMessage::Done { id }),
            _ => (),
        }
    }

    pub(in crate::moves) fn source_session_up(&mut self, _now: Instant, node: &NodeId) {
        for id in self.ids_to(node) {
            match self.source.moves[&id].phase {
                Phase::Offered { .. } => self.send_offer(id),
                Phase::Committed { .. } => self.send_commit(id),
                Phase::Freezing { .. } | Phase::Stopping { .. } => (),
            }
        }
    }

    pub(in crate::moves) fn target_died(&mut self, now: Instant, node: &NodeId) {
        self.source.backoff.forget_target(node);
        for id in self.ids_to(node) {
            let Some(leaving) = self.source.moves.get_mut(&id) else { continue };
            match &mut leaving.phase {
                Phase::Freezing { .. } | Phase::Offered { .. } => {
                    self.thaw(now, id, MoveOutcome::Aborted(AbortReason::TargetDied));
                }
                Phase::Stopping { target, .. } => *target = Fate::Dead,
                Phase::Committed { .. } => self.resume(now, id, ResumeReason::TargetDied),
            }
        }
    }

    pub(in crate::moves) fn source_timeout(&mut self, now: Instant) {
        let due = |leaving: &Leaving| leaving.phase.timeout().is_some_and(|at| at <= now);
        let due: Vec<MoveId> = self
            .source
            .moves
            .iter()
            .filter(|(_, leaving)| due(leaving))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            let Some(leaving) = self.source.moves.get_mut(&id) else { continue };
            let next = now + self.config.retry;
            match &mut leaving.phase {
                Phase::Freezing { .. } => {
                    self.thaw(now, id, MoveOutcome::Aborted(AbortReason::FreezeTimeout));
                }
                Phase::Offered { deadline, .. } if *deadline <= now => {
                    self.thaw(now, id, MoveOutcome::Aborted(AbortReason::OfferTimeout));
                }
                Phase::Offered { retry, .. } => {
                    *retry = next;
                    self.send_offer(id);
                }
                Phase::Committed { retry, .. } => {
                    *retry = next;
                    self.send_commit(id);
                }
                Phase::Stopping { .. } => (),
            }
        }
    }

    pub(in crate::moves) fn role_of_source(&self, name: &Name) -> Option<Role> {
        let id = *self.source.names.get(name)?;
        let leaving = &self.source.moves[&id];
        Some(Role::Source { id, to: leaving.to.clone(), phase: leaving.phase.public() })
    }

    pub(super) fn send_offer(&mut self, id: MoveId) {
        let Some(leaving) = self.source.moves.get_mut(&id) else { return };
        let Phase::Offered { offer, chunks, .. } = &mut leaving.phase else { return };
        let message = match chunks {
            Some(chunks) => chunks.announce(id, offer),
            None => MoveMessage::Offer { id, offer: offer.clone() },
        };
        let to = leaving.to.clone();
        self.send(&to, message);
        // What may have been lost no longer counts as under way.
        self.send_chunks(&to);
    }

    /// Sends the commit, or the part of the mail that is to be there before it.
    pub(super) fn send_commit(&mut self, id: MoveId) {
        let Some(leaving) = self.source.moves.get(&id) else { return };
        let Phase::Committed { token, mails, .. } = &leaving.phase else { return };
        let (to, message) = (leaving.to.clone(), mails.next(id, *token, &self.config));
        self.send(&to, message);
    }

    /// Tells the target that the move is off. Where that is lost, the target asks.
    pub(super) fn abort(&mut self, id: MoveId) {
        let Some(leaving) = self.source.moves.get(&id) else { return };
        if matches!(leaving.phase, Phase::Offered { .. } | Phase::Stopping { .. }) {
            let to = leaving.to.clone();
            self.send(&to, MoveMessage::Abort { id });
        }
    }

    pub(super) fn thaw(&mut self, now: Instant, id: MoveId, why: MoveOutcome) {
        if !matches!(why, MoveOutcome::Refused(_)) {
            self.abort(id);
        }
        let Some(leaving) = self.source.moves.get(&id) else { return };
        let name = leaving.name.clone();
        self.emit(MoveEvent::Thaw { id, name, why: why.clone() });
        self.end(now, id, why);
    }

    pub(super) fn moved(&mut self, now: Instant, id: MoveId, claim: Promoted) {
        let Some(leaving) = self.source.moves.get(&id) else { return };
        let Phase::Committed { offer, .. } = &leaving.phase else { return };
        let outcome =
            if offer.state.is_some() { MoveOutcome::Moved } else { MoveOutcome::Restarted };
        let (name, to) = (leaving.name.clone(), leaving.to.clone());
        self.send(&to, MoveMessage::Done { id });
        let Promoted { token, position } = claim;
        self.emit(MoveEvent::Moved { id, name, to, token, position });
        self.end(now, id, outcome);
    }

    pub(super) fn resume(&mut self, now: Instant, id: MoveId, why: ResumeReason) {
        let Some(leaving) = self.source.moves.get_mut(&id) else { return };
        let Phase::Committed { offer, token, mails, .. } = &mut leaving.phase else { return };
        let (offer, mails, above) = (take(offer), mem::take(&mut mails.all), *token);
        let name = leaving.name.clone();
        self.emit(MoveEvent::Resume { id, name, above, offer, mails });
        self.end(now, id, MoveOutcome::Resumed(why));
    }

    pub(super) fn end(&mut self, now: Instant, id: MoveId, outcome: MoveOutcome) {
        let Some(leaving) = self.source.moves.remove(&id) else { return };
        self.source.names.remove(&leaving.name);
        self.source.held -= leaving.held;
        let Leaving { name, to, began, .. } = leaving;
        self.back_off(now, &name, &to, &outcome);
        // What was under way of it leaves room for others.
        self.send_chunks(&to);
        self.emit(MoveEvent::Ended { id, name, outcome, took: now.since(began) });
    }

    /// What the outcome says about trying the same again.
    fn back_off(&mut self, now: Instant, name: &Name, to: &NodeId, outcome: &MoveOutcome) {
        let (config, rng, backoff) = (&self.config, &mut self.rng, &mut self.source.backoff);
        let mut spread = |delay: Duration| rng.duration(delay / 4 * 3..=delay / 4 * 5);
        match outcome {
            MoveOutcome::Moved | MoveOutcome::Restarted => backoff.succeeded(name, to),
            // Asking again each time that a sweep comes by would run the worker's code for nothing.
            MoveOutcome::Ignored
            | MoveOutcome::Aborted(AbortReason::TooLarge)
            | MoveOutcome::Refused(Refusal::TooLarge { .. } | Refusal::UnknownKind) => {
                backoff.hold(now, name.clone(), to, now + config.ignored);
            }
            // Until its metadata changes (consequence 10); the deadline is for a change missed.
            MoveOutcome::Refused(Refusal::NotReady | Refusal::Leaving)
            | MoveOutcome::Resumed(ResumeReason::Refused(Refusal::NotReady | Refusal::Leaving)) => {
                backoff.block(now, to, now + spread(config.backoff_max));
            }
            MoveOutcome::Refused(Refusal::Full) => {
                backoff.block(now, to, now + spread(config.backoff_min));
            }
            MoveOutcome::NotFrozen { .. }
            | MoveOutcome::Refused(_)
            | MoveOutcome::Resumed(ResumeReason::Refused(_))
            | MoveOutcome::Aborted(AbortReason::FreezeTimeout | AbortReason::OfferTimeout) => {
                let bounds = (config.backoff_min, config.backoff_max);
                backoff.failed(now, name.clone(), to, bounds, spread);
            }
            // It starts again with whatever made it fail or ignore gone.
            MoveOutcome::Aborted(AbortReason::Exited) => backoff.forget_name(name),
            MoveOutcome::Resumed(ResumeReason::TargetDied) | MoveOutcome::Aborted(_) => (),
        }
    }

    fn ids_to(&self, node: &NodeId) -> Vec<MoveId> {
        let theirs = self.source.moves.iter().filter(|(_, leaving)| leaving.to == *node);
        theirs.map(|(id, _)| *id).collect()
    }
}
