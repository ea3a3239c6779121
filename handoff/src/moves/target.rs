//! The target's end of a move: build a standby, run it on a commit, and remember how it ended.

use super::event::{DiscardReason, MoveEvent, Promoted};
use super::machine::{Accepting, Moves, Role};
use super::past::{Closed, Past, Run};
use crate::config::Checked;
use crate::message::{MoveId, MoveMessage, Offer, Refusal};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use swarm_base::{Instant, Name, NodeId, Token};

/// The processes that are coming to this node.
#[derive(Debug)]
pub(super) struct Target {
    standbys: BTreeMap<MoveId, Standby>,
    names: BTreeMap<Name, MoveId>,
    past: Past,
    accepting: Accepting,
    held: usize,
    /// The nodes that died last. What they sent before can still arrive.
    buried: VecDeque<NodeId>,
    /// The last time that was told: not every method takes one.
    latest: Instant,
}

#[derive(Debug)]
struct Standby {
    name: Name,
    from: NodeId,
    held: usize,
    phase: TargetPhase,
    source: Fate,
    /// When the source is asked whether the move is still on.
    ask: Instant,
    retry: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Alive,
    Dead,
}

impl Moves {
    /// Answers [`MoveEvent::Build`].
    pub fn built(&mut self, now: Instant, id: MoveId, result: Result<(), Refusal>) {
        let Some(standby) = self.target.standbys.get_mut(&id) else { return };
        if standby.phase != TargetPhase::Building {
            return;
        }
        let (name, from) = (standby.name.clone(), standby.from.clone());
        match result {
            Ok(()) if standby.source == Fate::Alive => {
                standby.phase = TargetPhase::Ready;
                standby.retry = now + self.config.retry;
                self.send(&from, MoveMessage::Ready { id });
            }
            Ok(()) => {
                standby.phase = TargetPhase::Orphaned;
                standby.retry = now + self.config.retry;
                self.emit(MoveEvent::SourceDied { id, name });
            }
            Err(why) => {
                self.target.close(now, id, why.clone());
                self.send(&from, MoveMessage::Refused { id, why });
            }
        }
    }

    /// Answers [`MoveEvent::Promote`]: the claim on the name, or why the process does not run.
    pub fn promoted(&mut self, now: Instant, id: MoveId, result: Result<Promoted, String>) {
        let Some(standby) = self.target.standbys.get(&id) else { return };
        let TargetPhase::Promoting { orphan } = standby.phase else { return };
        let (name, from) = (standby.name.clone(), standby.from.clone());
        match result {
            Ok(promoted) => {
                let expires = None;
                let run =
                    Run { from: from.clone(), name, promoted, owed: orphan, asked: now, expires };
                let source = standby.source;
                self.target.remove(id);
                self.target.past.promote(id, run);
                if source == Fate::Dead {
                    self.target.past.source_died(now, &from);
                }
                self.send_ack(&from, id, promoted);
            }
            Err(reason) => {
                let why = Refusal::StartFailed { reason };
                self.target.close(now, id, why.clone());
                self.send(&from, MoveMessage::Nack { id, why });
            }
        }
    }

    /// Answers [`MoveEvent::SourceDied`]: this node runs the name, by the log of the dead source.
    /// [`MoveEvent::Promote`] with `token` follows.
    pub fn promote_orphan(&mut self, _now: Instant, id: MoveId, token: Token) {
        let Some(standby) = self.target.standbys.get_mut(&id) else { return };
        if standby.phase == TargetPhase::Orphaned {
            standby.phase = TargetPhase::Promoting { orphan: true };
            let name = standby.name.clone();
            self.emit(MoveEvent::Promote { id, name, token, mails: Vec::new() });
        }
    }

    /// Answers [`MoveEvent::SourceDied`]: the standby is not needed. [`MoveEvent::Discard`]
    /// follows. Should the source live, it learns that its commit came to nothing.
    pub fn discard(&mut self, now: Instant, id: MoveId) {
        if self.target.standbys.get(&id).is_some_and(|s| s.phase == TargetPhase::Orphaned) {
            self.throw_away(now, id, DiscardReason::SourceDied, Refusal::Gone);
        }
    }

    /// A standby ended by itself before it was promoted. The source is told, and goes on.
    pub fn standby_exited(&mut self, now: Instant, id: MoveId, reason: String) {
        let Some(standby) = self.target.standbys.get(&id) else { return };
        if !matches!(standby.phase, TargetPhase::Promoting { .. }) {
            let (from, why) = (standby.from.clone(), Refusal::StartFailed { reason });
            self.target.close(now, id, why.clone());
            self.send(&from, MoveMessage::Refused { id, why });
        }
    }

    /// Whether this node takes processes. On [`Accepting::Leaving`] standbys are thrown away.
    pub fn set_accepting(&mut self, accepting: Accepting) {
        self.target.accepting = accepting;
        if accepting != Accepting::Leaving {
            return;
        }
        let now = self.target.latest;
        let promoting = |standby: &Standby| matches!(standby.phase, TargetPhase::Promoting { .. });
        let standbys = self.target.standbys.iter();
        let waiting: Vec<(MoveId, NodeId)> = standbys
            .filter(|(_, standby)| !promoting(standby))
            .map(|(id, standby)| (*id, standby.from.clone()))
            .collect();
        for (id, from) in waiting {
            self.throw_away(now, id, DiscardReason::Leaving, Refusal::Leaving);
            self.send(&from, MoveMessage::Refused { id, why: Refusal::Leaving });
        }
    }

    /// How many standbys this node holds for others, those that are being promoted included.
    #[must_use]
    pub fn standbys(&self) -> usize {
        self.target.standbys.len()
    }

    pub(super) fn handle_as_target(&mut self, now: Instant, from: NodeId, message: MoveMessage) {
        self.target.latest = now;
        match message {
            MoveMessage::Offer { id, offer } => self.handle_offer(now, from, id, offer),
            MoveMessage::Commit { id, token, mails } => {
                self.handle_commit(now, from, id, token, mails);
            }
            MoveMessage::Abort { id } => self.handle_abort(now, id),
            MoveMessage::Done { id } => self.handle_done(now, id),
            _ => (),
        }
    }

    fn handle_offer(&mut self, now: Instant, from: NodeId, id: MoveId, offer: Offer) {
        if let Some(standby) = self.target.standbys.get(&id) {
            if standby.phase == TargetPhase::Ready {
                self.reply(from, MoveMessage::Ready { id });
            }
            return;
        }
        if let Some(run) = self.target.past.promoted(id) {
            let promoted = run.promoted;
            return self.send_ack(&from, id, promoted);
        }
        if let Some(closed) = self.target.past.closed(id).cloned() {
            // Also an offer that its own abort has overtaken: refused to a source that has
            // forgotten it.
            if let Closed::Refused(why) = closed {
                self.reply(from, MoveMessage::Refused { id, why });
            }
            return;
        }
        if let Err(why) = self.may_build(now, &from, id, &offer) {
            self.target.past.close(now, id, Closed::Refused(why.clone()));
            return self.reply(from, MoveMessage::Refused { id, why });
        }
        self.target.insert(now, id, from.clone(), &offer, &self.config);
        self.emit(MoveEvent::Build { id, from, offer });
    }

    fn may_build(
        &mut self,
        now: Instant,
        from: &NodeId,
        id: MoveId,
        offer: &Offer,
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
        let (size, config) = (offer.size(), &self.config);
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
                let why = Refusal::Leaving;
                self.throw_away(now, id, DiscardReason::Leaving, why.clone());
                self.reply(from, MoveMessage::Nack { id, why });
            }
            TargetPhase::Ready => {
                standby.phase = TargetPhase::Promoting { orphan: false };
                let name = standby.name.clone();
                self.emit(MoveEvent::Promote { id, name, token, mails });
            }
            // Orphaned: the source's log decides by now (consequence 1). The source repeats
            // itself if it lives, and is answered according to that decision.
            TargetPhase::Building | TargetPhase::Orphaned | TargetPhase::Promoting { .. } => (),
        }
    }

    fn handle_commit_again(&mut self, now: Instant, from: NodeId, id: MoveId, mails: Vec<Bytes>) {
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

    pub(super) fn target_session_up(&mut self, now: Instant, node: &NodeId) {
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

    pub(super) fn source_died(&mut self, now: Instant, node: &NodeId) {
        self.target.latest = now;
        self.target.bury(node);
        self.target.past.source_died(now, node);
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

    pub(super) fn target_timeout(&mut self, now: Instant) {
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
                    TargetPhase::Building | TargetPhase::Promoting { .. } => (),
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

    pub(super) fn role_of_target(&self, name: &Name) -> Option<Role> {
        let id = *self.target.names.get(name)?;
        let standby = &self.target.standbys[&id];
        Some(Role::Target { id, from: standby.from.clone(), phase: standby.phase })
    }

    fn throw_away(&mut self, now: Instant, id: MoveId, why: DiscardReason, answer: Refusal) {
        if let Some(name) = self.target.close(now, id, answer) {
            self.emit(MoveEvent::Discard { id, name, why });
        }
    }

    fn send_ack(&mut self, to: &NodeId, id: MoveId, promoted: Promoted) {
        if self.sessions.contains(to) {
            self.reply_ack(to.clone(), id, promoted);
        }
    }

    fn reply_ack(&mut self, to: NodeId, id: MoveId, promoted: Promoted) {
        let Promoted { token, position } = promoted;
        self.reply(to, MoveMessage::Ack { id, token, position });
    }
}

impl Target {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            standbys: BTreeMap::new(),
            names: BTreeMap::new(),
            past: Past::default(),
            accepting: Accepting::Yes,
            held: 0,
            buried: VecDeque::new(),
            latest: now,
        }
    }

    pub(super) fn poll_timeout(&self, config: &Checked) -> Option<Instant> {
        let standbys = self.standbys.values().filter_map(Standby::timeout).min();
        standbys.into_iter().chain(self.past.poll_timeout(config.standby_ttl)).min()
    }

    fn insert(&mut self, now: Instant, id: MoveId, from: NodeId, offer: &Offer, config: &Checked) {
        let (name, held) = (offer.name.clone(), offer.size());
        let (phase, source) = (TargetPhase::Building, Fate::Alive);
        let (ask, retry) = (now + config.standby_ttl, now + config.retry);
        self.held += held;
        self.names.insert(name.clone(), id);
        self.standbys.insert(id, Standby { name, from, held, phase, source, ask, retry });
        assert!(self.standbys.len() <= config.standbys_max, "standbys are bounded");
    }

    fn remove(&mut self, id: MoveId) -> Option<Name> {
        let standby = self.standbys.remove(&id)?;
        self.held -= standby.held;
        self.names.remove(&standby.name);
        Some(standby.name)
    }

    fn bury(&mut self, node: &NodeId) {
        if !self.buried.contains(node) {
            self.buried.push_back(node.clone());
            self.buried.drain(..self.buried.len().saturating_sub(BURIED_MAX));
        }
    }

    /// Whether `node` was declared dead and has not been heard of since.
    pub(super) fn is_buried(&self, node: &NodeId) -> bool {
        self.buried.contains(node)
    }

    pub(super) fn exhume(&mut self, node: &NodeId) {
        self.buried.retain(|buried| buried != node);
    }

    /// Forgets a standby; whatever still comes about it is answered with `answer`.
    fn close(&mut self, now: Instant, id: MoveId, answer: Refusal) -> Option<Name> {
        self.past.close(now, id, Closed::Refused(answer));
        self.remove(id)
    }
}

impl Standby {
    /// Whether the source is asked: not while the layer above decides or promotes.
    const fn asks(&self) -> bool {
        matches!(self.source, Fate::Alive)
            && matches!(self.phase, TargetPhase::Building | TargetPhase::Ready)
    }

    fn timeout(&self) -> Option<Instant> {
        match self.phase {
            TargetPhase::Ready => Some(self.ask.min(self.retry)),
            TargetPhase::Orphaned => Some(self.retry),
            _ if self.asks() => Some(self.ask),
            _ => None,
        }
    }
}

/// How many dead nodes are remembered: what they sent has arrived long before so many more die.
const BURIED_MAX: usize = 256;

/// How far a move is at its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetPhase {
    /// The standby is being built.
    Building,
    /// It is built, and waits for its commit.
    Ready,
    /// Its source died; the layer above decides by the source's log.
    Orphaned,
    /// It is being given its state and its mail.
    Promoting {
        /// Whether that was decided without a commit.
        orphan: bool,
    },
}
