//! What a target hears, repeats and answers.

use super::standbys::{Fate, Standby, TargetPhase};
use crate::message::{MoveId, MoveMessage, Offer, Refusal};
use crate::moves::event::{DiscardReason, MoveEvent, Promoted};
use crate::moves::machine::{Accepting, Moves, Role};
use crate::moves::past::Closed;
use bytes::Bytes;
use swarm_base::{Instant, Name, NodeId, Token};

impl Moves {
    pub(in crate::moves) fn handle_as_target(
        &mut self,
        now: Instant,
        from: NodeId,
        message: MoveMessage,
    ) {
        self.target.latest = now;
        match message {
            MoveMessage::Offer { id, offer } => self.handle_offer(now, from, id, offer),
            MoveMessage::Announce { id, offer, len } => {
                self.handle_announce(now, from, id, offer, len);
            }
            MoveMessage::Chunk { id, at, bytes } => self.handle_chunk(now, from, id, at, bytes),
            MoveMessage::Mails { id, part, mails } => {
                self.handle_mails(now, from, id, part, mails);
            }
            MoveMessage::Commit { id, token, mails } => {
                self.handle_commit(now, from, id, token, mails);
            }
            MoveMessage::Abort { id } => self.handle_abort(now, id),
            MoveMessage::Done { id } => self.handle_done(now, id),
            _ => (),
        }
    }

    fn handle_offer(&mut self, now: Instant, from: NodeId, id: MoveId, offer: Offer) {
        let size = offer.size();
        if self.takes(now, &from, id, &offer, size) {
            let name = offer.name.clone();
            let standby = Standby::new(now, from.clone(), name, size, None, &self.config);
            self.target.insert(id, standby, &self.config);
            self.emit(MoveEvent::Build { id, from, offer });
        }
    }

    /// Whether a standby of `size` bytes begins here. Where it does not, the source has been told
    /// what it has to know.
    pub(super) fn takes(
        &mut self,
        now: Instant,
        from: &NodeId,
        id: MoveId,
        offer: &Offer,
        size: usize,
    ) -> bool {
        if let Some(standby) = self.target.standbys.get(&id) {
            match standby.phase {
                TargetPhase::Ready => self.reply(from.clone(), MoveMessage::Ready { id }),
                TargetPhase::Collecting => self.reply_taken(from.clone(), id),
                _ => (),
            }
            return false;
        }
        if let Some(run) = self.target.past.promoted(id) {
            let promoted = run.promoted;
            self.send_ack(from, id, promoted);
            return false;
        }
        if let Some(closed) = self.target.past.closed(id).cloned() {
            // Also an offer that its own abort has overtaken: refused to a source that has
            // forgotten it.
            if let Closed::Refused(why) = closed {
                self.reply(from.clone(), MoveMessage::Refused { id, why });
            }
            return false;
        }
        if let Err(why) = self.may_build(now, from, id, offer, size) {
            self.target.past.close(now, id, Closed::Refused(why.clone()));
            self.reply(from.clone(), MoveMessage::Refused { id, why });
            return false;
        }
        true
    }

    fn may_build(
        &mut self,
        now: Instant,
        from: &NodeId,
        id: MoveId,
        offer: &Offer,
        size: usize,
    ) -> Result<(), Refusal> {
        // Nobody would ever commit it, or call it off.
        if self.target.is_buried(from) {
            return Err(Refusal::SourceDead);
        }
        match self.target.accepting {
            Accepting::Yes => (),
            Accepting::NotReady => return Err(Refusal::NotReady),
            Accepting::Leaving => return Err(Refusal::Leaving),
        }
        if self.target.kinds.as_ref().is_some_and(|kinds| !kinds.contains(&*offer.kind)) {
            return Err(Refusal::UnknownKind);
        }
        match self.of(&offer.name) {
            None => (),
            // The source began anew, so it has given the former move up: its abort was lost.
            Some(Role::Target { id: former, phase, .. })
                if former.source == id.source
                    && former.serial < id.serial
                    && !matches!(phase, TargetPhase::Promoting { .. }) =>
            {
                self.throw_away(now, former, DiscardReason::Superseded, Refusal::Gone);
            }
            Some(_) => return Err(Refusal::Busy),
        }
        let config = &self.config;
        if size > config.state_bytes_max {
            return Err(Refusal::TooLarge { size });
        }
        let room = self.target.held.saturating_add(size) <= config.bytes_max;
        if !room || self.target.standbys.len() >= config.standbys_max {
            return Err(Refusal::Full);
        }
        Ok(())
    }

    fn handle_commit(
        &mut self,
        now: Instant,
        from: NodeId,
        id: MoveId,
        token: Token,
        mails: Vec<Bytes>,
    ) {
        let Some(standby) = self.target.standbys.get_mut(&id) else {
            return self.handle_commit_again(now, from, id, mails);
        };
        match standby.phase {
            TargetPhase::Ready if self.target.accepting == Accepting::Leaving => {
                self.decline(now, from, id, DiscardReason::Leaving, Refusal::Leaving);
            }
            TargetPhase::Ready => {
                standby.phase = TargetPhase::Promoting { orphan: false };
                let (name, mut all) = (standby.name.clone(), std::mem::take(&mut standby.mails));
                all.extend(mails);
                self.emit(MoveEvent::Promote { id, name, token, mails: all });
            }
            // Orphaned: the source's log decides by now (consequence 1). The source repeats
            // itself if it lives, and is answered according to that decision.
            TargetPhase::Collecting
            | TargetPhase::Building
            | TargetPhase::Orphaned
            | TargetPhase::Promoting { .. } => (),
        }
    }

    pub(super) fn handle_commit_again(
        &mut self,
        now: Instant,
        from: NodeId,
        id: MoveId,
        mails: Vec<Bytes>,
    ) {
        if let Some(run) = self.target.past.promoted(id) {
            let promoted = run.promoted;
            if let Some(name) = self.target.past.take_owed(id)
                && !mails.is_empty()
            {
                self.emit(MoveEvent::Deliver { id, name, mails });
            }
            return self.reply_ack(from, id, promoted);
        }
        let why = match self.target.past.closed(id) {
            Some(Closed::Done) => return,
            Some(Closed::Refused(why)) => why.clone(),
            None => {
                // From now on an offer of this move that was overtaken is refused, too.
                self.target.past.close(now, id, Closed::Refused(Refusal::Gone));
                Refusal::Gone
            }
        };
        self.reply(from, MoveMessage::Nack { id, why });
    }

    fn handle_abort(&mut self, now: Instant, id: MoveId) {
        match self.target.standbys.get(&id).map(|standby| standby.phase) {
            // Promoted as an orphan while the source lived: two run, which conflict settles.
            Some(TargetPhase::Promoting { .. }) => (),
            Some(_) => self.throw_away(now, id, DiscardReason::Aborted, Refusal::Gone),
            None if self.target.past.promoted(id).is_some() => self.handle_done(now, id),
            // It may have overtaken its offer.
            None if self.target.past.closed(id).is_none() => {
                self.target.past.close(now, id, Closed::Refused(Refusal::Gone));
            }
            None => (),
        }
    }

    fn handle_done(&mut self, now: Instant, id: MoveId) {
        if self.target.past.promoted(id).is_some() {
            self.target.past.close(now, id, Closed::Done);
        }
    }

    pub(in crate::moves) fn target_session_up(&mut self, now: Instant, node: &NodeId) {
        self.target.latest = now;
        self.target.exhume(node);
        self.target.past.source_lives(node);
        let acks: Vec<(MoveId, Promoted)> = self.target.past.promoted_from(node).collect();
        for (id, promoted) in acks {
            self.send_ack(node, id, promoted);
        }
        let theirs = |standby: &&mut Standby| standby.from == *node;
        for standby in self.target.standbys.values_mut().filter(theirs) {
            if standby.phase == TargetPhase::Building {
                standby.source = Fate::Alive;
            }
        }
        let standbys = self.target.standbys.iter().filter(|(_, standby)| standby.from == *node);
        let ready: Vec<MoveId> = standbys
            .filter(|(_, standby)| standby.phase == TargetPhase::Ready)
            .map(|(id, _)| *id)
            .collect();
        for id in ready {
            self.send(node, MoveMessage::Ready { id });
        }
    }

    pub(in crate::moves) fn source_died(&mut self, now: Instant, node: &NodeId) {
        self.target.latest = now;
        self.target.bury(node);
        self.target.past.source_died(now, node);
        self.drop_coming(now, node);
        let mut orphans = Vec::new();
        for (id, standby) in &mut self.target.standbys {
            if standby.from == *node {
                standby.source = Fate::Dead;
                if standby.phase == TargetPhase::Ready {
                    standby.phase = TargetPhase::Orphaned;
                    standby.retry = now + self.config.retry;
                    orphans.push((*id, standby.name.clone()));
                }
            }
        }
        for (id, name) in orphans {
            self.emit(MoveEvent::SourceDied { id, name });
        }
    }

    pub(in crate::moves) fn target_timeout(&mut self, now: Instant) {
        self.target.latest = now;
        let (mut messages, mut silent, mut orphans) = (Vec::new(), Vec::new(), Vec::new());
        for (id, standby) in &mut self.target.standbys {
            if standby.asks() && standby.ask <= now {
                standby.ask = now + self.config.standby_ttl;
                messages.push((standby.from.clone(), MoveMessage::Query { id: *id }));
                if !self.sessions.contains(&standby.from) {
                    silent.push(*id);
                    continue;
                }
            }
            if standby.retry <= now {
                standby.retry = now + self.config.retry;
                match standby.phase {
                    TargetPhase::Ready => {
                        messages.push((standby.from.clone(), MoveMessage::Ready { id: *id }));
                    }
                    TargetPhase::Orphaned => orphans.push((*id, standby.name.clone())),
                    TargetPhase::Collecting
                    | TargetPhase::Building
                    | TargetPhase::Promoting { .. } => (),
                }
            }
        }
        for (id, name) in orphans {
            self.emit(MoveEvent::SourceDied { id, name });
        }
        for (to, message) in messages {
            self.send(&to, message);
        }
        // Always safe: a commit that comes after all is declined, and the source resumes.
        for id in silent {
            self.throw_away(now, id, DiscardReason::SourceSilent, Refusal::Gone);
        }
        for (id, from, promoted) in self.target.past.due(now, self.config.standby_ttl) {
            self.send_ack(&from, id, promoted);
        }
    }

    pub(in crate::moves) fn role_of_target(&self, name: &Name) -> Option<Role> {
        let id = *self.target.names.get(name)?;
        let standby = &self.target.standbys[&id];
        Some(Role::Target { id, from: standby.from.clone(), phase: standby.phase })
    }

    pub(super) fn throw_away(
        &mut self,
        now: Instant,
        id: MoveId,
        why: DiscardReason,
        answer: Refusal,
    ) {
        // Of one whose state was still on its way nobody has heard.
        let phase = self.target.standbys.get(&id).map(|standby| standby.phase);
        if let Some(name) = self.target.close(now, id, answer)
            && phase != Some(TargetPhase::Collecting)
        {
            self.emit(MoveEvent::Discard { id, name, why });
        }
    }

    pub(super) fn send_ack(&mut self, to: &NodeId, id: MoveId, promoted: Promoted) {
        if self.sessions.contains(to) {
            self.reply_ack(to.clone(), id, promoted);
        }
    }

    fn reply_ack(&mut self, to: NodeId, id: MoveId, promoted: Promoted) {
        let Promoted { token, position } = promoted;
        self.reply(to, MoveMessage::Ack { id, token, position });
    }
}
