//! The source's end of a move: freeze, offer, stop, commit, and keep the snapshot until the
//! target runs it.

use super::backoff::Backoff;
use super::event::{
    AbortReason, Busy, Cancelled, Frozen, MoveEvent, MoveOutcome, Promoted, ResumeReason,
};
use super::machine::{Moves, Role};
use crate::config::Checked;
use crate::message::{MoveId, MoveMessage, Offer, Refusal};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;
use swarm_base::{Instant, Name, NodeId, Token};

/// The processes that are leaving this node.
#[derive(Debug, Default)]
pub(super) struct Source {
    moves: BTreeMap<MoveId, Leaving>,
    names: BTreeMap<Name, MoveId>,
    serial: u64,
    /// The bytes of all snapshots and mail that are kept.
    held: usize,
    /// What a snapshot has come to lately: room is left for those that are being taken.
    typical: usize,
    backoff: Backoff,
}

#[derive(Debug)]
struct Leaving {
    name: Name,
    to: NodeId,
    began: Instant,
    held: usize,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Freezing { deadline: Instant },
    Offered { offer: Offer, deadline: Instant, retry: Instant },
    Stopping { offer: Offer, target: Fate },
    Committed { offer: Offer, token: Token, mails: Vec<Bytes>, retry: Instant },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Alive,
    Dead,
}

impl Moves {
    /// Begins to move `name`, which runs here, to `to`; [`MoveEvent::Freeze`] follows.
    ///
    /// # Errors
    ///
    /// [`Busy`] says why not now. Nothing has happened to the process.
    pub fn begin(&mut self, now: Instant, name: Name, to: NodeId) -> Result<MoveId, Busy> {
        self.may_begin(now, &name, &to)?;
        self.source.serial += 1;
        let id = MoveId { source: self.me.boot, serial: self.source.serial };
        let phase = Phase::Freezing { deadline: now + self.config.freeze_timeout };
        self.source.names.insert(name.clone(), id);
        let leaving = Leaving { name: name.clone(), to, began: now, held: 0, phase };
        self.source.moves.insert(id, leaving);
        assert!(self.source.moves.len() <= self.config.moves_max, "moves are bounded");
        self.emit(MoveEvent::Freeze { id, name });
        Ok(id)
    }

    /// Answers [`MoveEvent::Freeze`].
    pub fn frozen(&mut self, now: Instant, id: MoveId, outcome: Frozen) {
        let Some(leaving) = self.source.moves.get(&id) else { return };
        if !matches!(leaving.phase, Phase::Freezing { .. }) {
            return;
        }
        match outcome {
            Frozen::Ignore => self.end(now, id, MoveOutcome::Ignored),
            Frozen::Failed(reason) => self.thaw(now, id, MoveOutcome::NotFrozen { reason }),
            Frozen::Ready(offer) => self.offer(now, id, offer),
        }
    }

    /// Answers [`MoveEvent::Stop`]: nothing of the process runs here any more. The target will
    /// claim the name with `next`, and handle `mails` first, in this order.
    pub fn stopped(&mut self, now: Instant, id: MoveId, next: Token, mails: Vec<Bytes>) {
        let Some(leaving) = self.source.moves.get_mut(&id) else { return };
        let Phase::Stopping { offer, target } = &mut leaving.phase else { return };
        let more: usize = mails.iter().map(Bytes::len).sum();
        leaving.held += more;
        self.source.held += more;
        let (offer, fate) = (take(offer), *target);
        let retry = now + self.config.retry;
        leaving.phase = Phase::Committed { offer, token: next, mails, retry };
        match fate {
            Fate::Alive => self.send_commit(id),
            Fate::Dead => self.resume(now, id, ResumeReason::TargetDied),
        }
    }

    /// Calls a move of `name` off: the process is to be stopped, the name taken away, or another
    /// claim has turned up. [`MoveEvent::Thaw`] follows where it comes in time.
    pub fn cancel(&mut self, now: Instant, name: &Name, why: AbortReason) -> Cancelled {
        let Some(id) = self.source.names.get(name).copied() else { return Cancelled::NotMoving };
        match self.source.moves[&id].phase {
            Phase::Freezing { .. } | Phase::Offered { .. } | Phase::Stopping { .. }
                if why == AbortReason::Exited =>
            {
                self.exited(now, id);
                Cancelled::Aborted
            }
            Phase::Freezing { .. } | Phase::Offered { .. } => {
                self.thaw(now, id, MoveOutcome::Aborted(why));
                Cancelled::Aborted
            }
            Phase::Stopping { .. } | Phase::Committed { .. } => Cancelled::Committed,
        }
    }

    /// The process ended by itself, not as [`MoveEvent::Stop`] asked for: whoever supervises it
    /// decides about it, and the move is over without a thaw. Once
    /// [`stopped`](Self::stopped) has been called it comes too late and does nothing.
    pub fn exited(&mut self, now: Instant, id: MoveId) {
        let leaving = self.source.moves.get(&id);
        if leaving.is_some_and(|leaving| !matches!(leaving.phase, Phase::Committed { .. })) {
            self.abort(id);
            self.end(now, id, MoveOutcome::Aborted(AbortReason::Exited));
        }
    }

    /// The registry shows a claim of `by` on `name`. Where that is the target of a commit that is
    /// out, the claim counts as its acknowledgement.
    pub fn claim_seen(&mut self, now: Instant, name: &Name, by: &NodeId, claim: Promoted) {
        let Some(id) = self.source.names.get(name).copied() else { return };
        let leaving = &self.source.moves[&id];
        let Phase::Committed { token, .. } = &leaving.phase else { return };
        if leaving.to == *by && claim.token >= *token {
            self.moved(now, id, claim);
        }
    }

    /// The metadata of `node` changed: whatever it refused, it may be asked again.
    pub fn target_changed(&mut self, node: &NodeId) {
        self.source.backoff.forget_target(node);
    }

    /// The process of `name` is another one than before: what it failed or ignored is forgotten.
    pub fn forget(&mut self, name: &Name) {
        self.source.backoff.forget_name(name);
    }

    /// How many processes are leaving this node.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.source.moves.len()
    }

    /// How many more may leave at once, by number and by the room that their snapshots are
    /// expected to take.
    #[must_use]
    pub fn slots(&self) -> usize {
        let by_number = self.config.moves_max.saturating_sub(self.source.moves.len());
        if self.source.moves.is_empty() {
            // One alone always fits: no snapshot is larger than the room.
            return by_number.min(self.source.room_for(&self.config).max(1));
        }
        by_number.min(self.source.room_for(&self.config))
    }

    /// The bytes of snapshots and mail that are kept for moves from here.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.source.held
    }

    /// The processes that are leaving this node, in the order in which their moves began.
    pub fn outgoing(&self) -> impl Iterator<Item = Outgoing<'_>> {
        self.source.moves.iter().map(|(id, leaving)| Outgoing {
            id: *id,
            name: &leaving.name,
            to: &leaving.to,
            began: leaving.began,
            phase: leaving.phase.public(),
        })
    }

    fn may_begin(&self, now: Instant, name: &Name, to: &NodeId) -> Result<(), Busy> {
        let (config, source) = (&self.config, &self.source);
        if *to == self.me {
            return Err(Busy::Here);
        }
        if self.of(name).is_some() {
            return Err(Busy::Moving);
        }
        if let Some(until) = source.backoff.until(now, name, to) {
            return Err(Busy::Backoff { until });
        }
        if !self.sessions.contains(to) || self.target.is_buried(to) {
            return Err(Busy::Unreachable);
        }
        if source.moves.len() >= config.moves_max {
            return Err(Busy::Full { max: config.moves_max });
        }
        if self.slots() == 0 {
            return Err(Busy::NoRoom { max: config.bytes_max });
        }
        Ok(())
    }

    fn offer(&mut self, now: Instant, id: MoveId, offer: Offer) {
        let size = offer.size();
        self.source.typical = (self.source.typical / 4 * 3).saturating_add(size / 4);
        if size > self.config.state_bytes_max {
            return self.thaw(now, id, MoveOutcome::Aborted(AbortReason::TooLarge));
        }
        if self.source.held.saturating_add(size) > self.config.bytes_max {
            return self.thaw(now, id, MoveOutcome::Aborted(AbortReason::NoRoom));
        }
        let Some(leaving) = self.source.moves.get_mut(&id) else { return };
        self.source.held += size;
        leaving.held = size;
        let (deadline, retry) = (now + self.config.offer_timeout, now + self.config.retry);
        leaving.phase = Phase::Offered { offer, deadline, retry };
        let (name, to) = (leaving.name.clone(), leaving.to.clone());
        self.emit(MoveEvent::LogMoving { id, name, to });
        self.send_offer(id);
    }

    pub(super) fn handle_as_source(&mut self, now: Instant, from: NodeId, message: MoveMessage) {
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
            }
            (MoveMessage::Refused { why, .. }, Phase::Offered { .. }) => {
                self.thaw(now, id, MoveOutcome::Refused(why));
            }
            (MoveMessage::Ack { token, position, .. }, Phase::Committed { .. }) => {
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

    pub(super) fn source_session_up(&mut self, _now: Instant, node: &NodeId) {
        for id in self.ids_to(node) {
            match self.source.moves[&id].phase {
                Phase::Offered { .. } => self.send_offer(id),
                Phase::Committed { .. } => self.send_commit(id),
                Phase::Freezing { .. } | Phase::Stopping { .. } => (),
            }
        }
    }

    pub(super) fn target_died(&mut self, now: Instant, node: &NodeId) {
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

    pub(super) fn source_timeout(&mut self, now: Instant) {
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

    pub(super) fn role_of_source(&self, name: &Name) -> Option<Role> {
        let id = *self.source.names.get(name)?;
        let leaving = &self.source.moves[&id];
        Some(Role::Source { id, to: leaving.to.clone(), phase: leaving.phase.public() })
    }

    fn send_offer(&mut self, id: MoveId) {
        let Some(leaving) = self.source.moves.get(&id) else { return };
        let Phase::Offered { offer, .. } = &leaving.phase else { return };
        let (to, offer) = (leaving.to.clone(), offer.clone());
        self.send(&to, MoveMessage::Offer { id, offer });
    }

    fn send_commit(&mut self, id: MoveId) {
        let Some(leaving) = self.source.moves.get(&id) else { return };
        let Phase::Committed { token, mails, .. } = &leaving.phase else { return };
        let (to, token, mails) = (leaving.to.clone(), *token, mails.clone());
        self.send(&to, MoveMessage::Commit { id, token, mails });
    }

    /// Tells the target that the move is off. Where that is lost, the target asks.
    fn abort(&mut self, id: MoveId) {
        let Some(leaving) = self.source.moves.get(&id) else { return };
        if matches!(leaving.phase, Phase::Offered { .. } | Phase::Stopping { .. }) {
            let to = leaving.to.clone();
            self.send(&to, MoveMessage::Abort { id });
        }
    }

    fn thaw(&mut self, now: Instant, id: MoveId, why: MoveOutcome) {
        if !matches!(why, MoveOutcome::Refused(_)) {
            self.abort(id);
        }
        let Some(leaving) = self.source.moves.get(&id) else { return };
        let name = leaving.name.clone();
        self.emit(MoveEvent::Thaw { id, name, why: why.clone() });
        self.end(now, id, why);
    }

    fn moved(&mut self, now: Instant, id: MoveId, claim: Promoted) {
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

    fn resume(&mut self, now: Instant, id: MoveId, why: ResumeReason) {
        let Some(leaving) = self.source.moves.get_mut(&id) else { return };
        let Phase::Committed { offer, token, mails, .. } = &mut leaving.phase else { return };
        let (offer, mails, above) = (take(offer), mem::take(mails), *token);
        let name = leaving.name.clone();
        self.emit(MoveEvent::Resume { id, name, above, offer, mails });
        self.end(now, id, MoveOutcome::Resumed(why));
    }

    fn end(&mut self, now: Instant, id: MoveId, outcome: MoveOutcome) {
        let Some(leaving) = self.source.moves.remove(&id) else { return };
        self.source.names.remove(&leaving.name);
        self.source.held -= leaving.held;
        let Leaving { name, to, began, .. } = leaving;
        self.back_off(now, &name, &to, &outcome);
        self.emit(MoveEvent::Ended { id, name, outcome, took: now.since(began) });
    }

    /// What the outcome says about trying the same again.
    fn back_off(&mut self, now: Instant, name: &Name, to: &NodeId, outcome: &MoveOutcome) {
        let (config, rng, backoff) = (&self.config, &mut self.rng, &mut self.source.backoff);
        let mut spread = |delay: Duration| rng.duration(delay / 4 * 3..=delay / 4 * 5);
        match outcome {
            MoveOutcome::Moved | MoveOutcome::Restarted => backoff.succeeded(name, to),
            // Asking again each time that a sweep comes by would run the worker's code for nothing.
            MoveOutcome::Ignored | MoveOutcome::Aborted(AbortReason::TooLarge) => {
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

impl Source {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.moves.values().filter_map(|leaving| leaving.phase.timeout()).min()
    }

    /// How many more snapshots of the typical size fit, beside those that are being taken.
    fn room_for(&self, config: &Checked) -> usize {
        let freezing = |leaving: &&Leaving| matches!(leaving.phase, Phase::Freezing { .. });
        let taking = self.moves.values().filter(freezing).count();
        let room = config.bytes_max.saturating_sub(self.held);
        (room / self.typical.max(1)).saturating_sub(taking)
    }
}

impl Phase {
    fn timeout(&self) -> Option<Instant> {
        match self {
            Self::Freezing { deadline } => Some(*deadline),
            Self::Offered { deadline, retry, .. } => Some(*deadline.min(retry)),
            Self::Committed { retry, .. } => Some(*retry),
            // No deadline: as long as something of it may run here, nothing may run there.
            Self::Stopping { .. } => None,
        }
    }

    const fn public(&self) -> SourcePhase {
        match self {
            Self::Freezing { .. } => SourcePhase::Freezing,
            Self::Offered { .. } => SourcePhase::Offered,
            Self::Stopping { .. } => SourcePhase::Stopping,
            Self::Committed { .. } => SourcePhase::Committed,
        }
    }
}

/// A move from this node, as a snapshot shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing<'a> {
    /// Which move.
    pub id: MoveId,
    /// Whose process.
    pub name: &'a Name,
    /// The target.
    pub to: &'a NodeId,
    /// When it began.
    pub began: Instant,
    /// How far it is.
    pub phase: SourcePhase,
}

/// How far a move is at its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourcePhase {
    /// The process is in `begin_handoff`.
    Freezing,
    /// The offer is out; the process is frozen.
    Offered,
    /// The target is ready; the process is being ended. There is no way back but a resume.
    Stopping,
    /// The commit is out; the snapshot is kept.
    Committed,
}

/// Moves an offer out of a phase that is about to be replaced.
fn take(offer: &mut Offer) -> Offer {
    let name = offer.name.clone();
    let (kind, token) = (offer.kind.clone(), offer.token);
    let (args, groups) = (mem::take(&mut offer.args), mem::take(&mut offer.groups));
    Offer { name, kind, args, token, groups, state: offer.state.take() }
}
