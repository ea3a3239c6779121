//! Comparing: what each node holds of every log, told on session up, on a death, and regularly.

use crate::log::{Log, LogId, OWN, Standing};
use crate::message::{Held, MARKS_MAX, Mark, Scope};
use crate::peer::{Feed, Peer};
use crate::quota::Quota;
use crate::{Event, Message, Registry, Rejection};
use std::sync::Weak;
use swarm_base::{Instant, NodeId};

/// The most logs that are held because a peer said that they exist.
const LOGS_MAX: usize = 4_096;

/// The most logs that a peer may say it holds.
const HELD_MAX: usize = 4 * LOGS_MAX;

/// How many epochs above all that it knows a node goes on when another one dies: that one may have
/// handed out tokens that nobody has heard of, to a process that was started or restarted just
/// before, and who fences with tokens has (ownership, R5).
const UNHEARD: u64 = 65_536;

impl Registry {
    /// A session with `node` is up: both sides compare, and facts flow. Its facts count as soon
    /// as [`node_up`](Self::node_up) says that it lives.
    pub fn session_up(&mut self, now: Instant, node: NodeId) {
        if node == self.me {
            return;
        }
        self.session_down(now, &node);
        if self.log_id(&node).is_none() {
            self.replica.logs.insert(Log::new(node.clone(), Standing::Unseen));
        }
        let quota = Quota::new(now, self.config.peer_facts_max.into());
        self.peers.insert(node.clone(), Peer::new(quota));
        self.list_to(&node);
    }

    /// The session with `node` is gone, with whatever was on its way.
    pub fn session_down(&mut self, now: Instant, node: &NodeId) {
        let _ = now;
        if self.peers.remove(node).is_none() {
            return;
        }
        let ids: Vec<LogId> = self.replica.logs.iter().map(|(id, _)| id).collect();
        for id in ids {
            let log = &mut self.replica.logs[id];
            if log.assembly.as_ref().is_some_and(|assembly| assembly.from == *node) {
                log.assembly = None;
            }
            if log.asked.as_ref().is_some_and(|asked| asked.peer == *node) {
                log.asked = None;
            }
        }
        // Nobody said that it lives, and now nobody can ask it: others may need what it said.
        if self.replica.logs.standing(node) == Some(Standing::Unseen) {
            self.close(node);
        }
    }

    /// `node` is alive: its log counts, again where it had been closed. An older life of the same
    /// name is over by that.
    pub fn node_up(&mut self, now: Instant, node: NodeId) {
        let _ = now;
        if node == self.me || self.replica.logs.newest(&node).is_some_and(|newest| *newest > node) {
            return;
        }
        self.settling.unearth(&node);
        // In two steps where it is new: names that were given to the node change by that.
        let known = self.log_id(&node);
        let id = known
            .unwrap_or_else(|| self.replica.logs.insert(Log::new(node.clone(), Standing::Unseen)));
        self.replica.set_standing(id, Standing::Live);
        // Its log was buried while the session stayed: it must send everything again.
        if known.is_none() && self.peers.contains_key(&node) {
            self.list_to(&node);
        }
        for older in self.replica.logs.older(&node) {
            self.close(&older);
        }
    }

    /// `node` is dead, has left, or was superseded: its log is closed, its claims leave lookups
    /// and become orphans, its processes leave their groups. Peers are asked for what they hold
    /// of the log (ownership, R1).
    pub fn node_dead(&mut self, now: Instant, node: &NodeId) {
        let _ = now;
        if *node == self.me || self.settling.is_buried(node) {
            return;
        }
        if self.log_id(node).is_none() {
            self.replica.logs.insert(Log::new(node.clone(), Standing::Unseen));
        }
        self.close(node);
    }

    /// The writer of `log` said that it goes up to `position`, in a message that counts only behind
    /// these facts: until they are applied, this node is not [`caught_up`](Self::caught_up). Facts
    /// are overtaken where they come in a snapshot, or where too many come at once.
    pub fn expect(&mut self, log: &NodeId, position: u64) {
        if let Some(id) = self.log_id(log)
            && position <= crate::sync::POSITION_MAX
        {
            let log = &mut self.replica.logs[id];
            log.written = log.written.max(position);
        }
    }

    /// Whether this node knows all that its peers know about dead nodes, and what live ones
    /// [told](Self::expect) it to expect: every peer with a session has told how far it holds each
    /// closed log, and this node holds it as far. A node that decides as the owner of a name waits
    /// for this, as it does for the ring's agreement.
    #[must_use]
    pub fn caught_up(&self) -> bool {
        !self.settling.awaits_burial() && self.ahead().next().is_none()
    }

    /// The peers that hold, or may hold, more of closed logs or of their own than has arrived here.
    pub fn ahead(&self) -> impl Iterator<Item = &NodeId> {
        let is_ahead = |peer: &Peer, log: &Log| {
            log.standing == Standing::Closed
                && (peer.questions.contains(&log.node)
                    || peer.held.get(&log.node).is_some_and(|mark| {
                        mark.state != Held::Buried && mark.position > log.position
                    }))
        };
        let logs = || self.replica.logs.iter().map(|(_, log)| log);
        let lacking = logs()
            .filter(|log| log.standing == Standing::Live && log.position < log.written)
            .map(|log| &log.node);
        self.peers
            .iter()
            // What a full list leaves out the peer does not hold.
            .filter(move |(_, peer)| !peer.listed || logs().any(|log| is_ahead(peer, log)))
            .map(|(node, _)| node)
            .chain(lacking)
    }

    /// How much has arrived from other nodes, in facts and pieces of snapshots: whether it grows
    /// tells whether who is behind is catching up.
    #[must_use]
    pub const fn arrived(&self) -> u64 {
        self.arrived
    }

    /// A peer told how far it holds some logs.
    pub(crate) fn take_compare(
        &mut self,
        now: Instant,
        from: &NodeId,
        scope: Scope,
        marks: Vec<Mark>,
    ) {
        let n_held = self.peers.get(from).map_or(0, |peer| peer.held.len().max(peer.listing.len()));
        if marks.len() > MARKS_MAX || n_held > HELD_MAX {
            return self.reject(Rejection::TooLarge);
        }
        let mut answers = Vec::new();
        for mark in marks {
            let answer = self.consider(now, from, &mark);
            let log = mark.log.clone();
            if scope == Scope::Question {
                answers.extend(self.mark_of(&log));
            } else {
                answers.extend(answer);
            }
            let Some(peer) = self.peers.get_mut(from) else { return };
            if scope == Scope::Answer {
                peer.questions.remove(&log);
            }
            match scope {
                Scope::Part | Scope::All => peer.listing.insert(log, mark),
                Scope::Question | Scope::Answer => peer.held.insert(log, mark),
            };
        }
        if scope == Scope::All
            && let Some(peer) = self.peers.get_mut(from)
        {
            peer.listed = true;
            let before = std::mem::replace(&mut peer.held, std::mem::take(&mut peer.listing));
            // What a peer has buried it does not list.
            for (log, mark) in before.into_iter().filter(|(_, mark)| mark.state == Held::Buried) {
                peer.held.entry(log).or_insert(mark);
            }
        }
        if !answers.is_empty() {
            self.send(from, Message::Compare { scope: Scope::Answer, marks: answers });
        }
    }

    /// Tells every peer how far all logs are held here.
    pub(crate) fn compare_all(&mut self) {
        let peers: Vec<NodeId> = self.peers.keys().cloned().collect();
        for peer in peers {
            self.list_to(&peer);
        }
    }

    /// Looks after logs that their writers cannot send: asks whoever holds more, and inquires
    /// after logs of live nodes without a session.
    pub(crate) fn ask_relays(&mut self, now: Instant) {
        let ids: Vec<LogId> = self.replica.logs.iter().map(|(id, _)| id).collect();
        for id in ids {
            let log = &self.replica.logs[id];
            let reachable = self.peers.contains_key(&log.node);
            if id == OWN || (reachable && log.standing != Standing::Closed) {
                continue;
            }
            let ahead = |peer: &Peer| {
                let mark = peer.held.get(&log.node)?;
                (mark.state != Held::Buried && mark.position > log.position)
                    .then_some(mark.position)
            };
            let ahead: Vec<(&NodeId, u64)> =
                self.peers.iter().filter_map(|(node, peer)| Some((node, ahead(peer)?))).collect();
            if let Some(idx) = self.rng.index(ahead.len()) {
                let (peer, upto) = (ahead[idx].0.clone(), ahead[idx].1);
                self.ask(now, &peer, id, upto);
            } else if log.standing == Standing::Live
                && let Some(idx) = self.rng.index(self.peers.len())
                && let Some(peer) = self.peers.keys().nth(idx).cloned()
            {
                let marks = vec![log.mark()];
                self.send(&peer, Message::Compare { scope: Scope::Question, marks });
            }
        }
    }

    /// Tells `peer` how far all logs are held here.
    fn list_to(&mut self, peer: &NodeId) {
        let epoch = self.replica.released;
        if epoch > 0 {
            self.send(peer, Message::Released { epoch });
        }
        let marks: Vec<Mark> = self.replica.logs.iter().map(|(_, log)| log.mark()).collect();
        let mut parts = marks.chunks(MARKS_MAX).peekable();
        while let Some(part) = parts.next() {
            let scope = if parts.peek().is_some() { Scope::Part } else { Scope::All };
            self.send(peer, Message::Compare { scope, marks: part.to_vec() });
        }
    }

    /// Closes a log, and asks every peer how far it holds it.
    fn close(&mut self, node: &NodeId) {
        let Some(id) = self.log_id(node) else { return };
        if self.replica.logs[id].standing == Standing::Closed {
            return;
        }
        self.replica.set_standing(id, Standing::Closed);
        let known = self.replica.released.max(self.replica.seen);
        self.replica.released = known.saturating_add(UNHEARD);
        self.replica.logs[id].asked = None;
        self.settling.closed_somewhere();
        self.inquire(id);
    }

    /// Asks every peer how far it holds a closed log, or whether it has buried it. Until all have
    /// answered, this node is not caught up.
    fn inquire(&mut self, id: LogId) {
        let mark = self.replica.logs[id].mark();
        let node = &mark.log;
        let peers: Vec<NodeId> = self.peers.keys().filter(|peer| *peer != node).cloned().collect();
        for peer in peers {
            // What it said while the node lived says nothing about what it holds now.
            if let Some(peer) = self.peers.get_mut(&peer) {
                peer.held.remove(node);
                peer.questions.insert(node.clone());
            }
            let marks = vec![mark.clone()];
            self.send(&peer, Message::Compare { scope: Scope::Question, marks });
        }
    }

    /// What a peer's mark asks for. Returns what the peer should know in turn.
    fn consider(&mut self, now: Instant, from: &NodeId, mark: &Mark) -> Option<Mark> {
        if mark.log == self.me {
            self.consider_own(from, mark);
            return None;
        }
        if mark.state == Held::Closed {
            self.settling.closed_somewhere();
        }
        let Some(id) = self.log_id(&mark.log) else {
            return self.consider_unknown(now, from, mark);
        };
        let log = &self.replica.logs[id];
        if mark.state == Held::Buried {
            if log.standing == Standing::Closed && log.position <= mark.position {
                self.await_burial(from, mark);
            }
            return None;
        }
        if mark.position < log.position {
            return Some(log.mark());
        }
        if mark.position > log.position {
            if self.may_send(from, id) && *from != mark.log {
                self.ask(now, from, id, mark.position);
            }
            return None;
        }
        if mark.digest != log.digest && log.standing == Standing::Closed {
            return self.consider_other_prefix(now, from, id, mark);
        }
        None
    }

    /// A peer told how far it holds this node's own log: that is where its feed begins.
    fn consider_own(&mut self, from: &NodeId, mark: &Mark) {
        let own = &self.replica.logs[OWN];
        let differs = own.history.digest_at(mark.position).is_some_and(|d| d != mark.digest);
        if mark.position > own.position || differs {
            let (peer, position) = (from.clone(), mark.position);
            return self.replica.events.push_back(Event::RolledBack { peer, position });
        }
        let Some(peer) = self.peers.get_mut(from) else { return };
        peer.feeds.entry(OWN).or_insert_with(|| Feed::new(mark.position)).compare(mark.position);
        self.unsent = true;
    }

    /// A peer holds a log that is not held here.
    fn consider_unknown(&mut self, now: Instant, from: &NodeId, mark: &Mark) -> Option<Mark> {
        if mark.state != Held::Closed || self.replica.logs.len() >= LOGS_MAX {
            return None;
        }
        if let Some(buried) = self.settling.buried_mark(&mark.log)
            && mark.position <= buried.position
        {
            return Some(buried);
        }
        // More than was known when it was buried: a side of a partition kept it.
        self.settling.unearth(&mark.log);
        let id = self.replica.logs.insert(Log::new(mark.log.clone(), Standing::Closed));
        self.inquire(id);
        if mark.position > 0 {
            self.ask(now, from, id, mark.position);
        }
        None
    }

    /// Two nodes hold a closed log as far, and not the same: its machine was set back while it
    /// lived. All nodes settle on the copy with the higher digest.
    fn consider_other_prefix(
        &mut self,
        now: Instant,
        from: &NodeId,
        id: LogId,
        mark: &Mark,
    ) -> Option<Mark> {
        let log = &self.replica.logs[id];
        if mark.digest < log.digest {
            return Some(log.mark());
        }
        self.replica.clear(id);
        let log = &mut self.replica.logs[id];
        (log.position, log.digest, log.snapshot) = (0, 0, Weak::new());
        log.history.clear();
        self.ask(now, from, id, mark.position);
        None
    }

    fn mark_of(&self, log: &NodeId) -> Option<Mark> {
        match self.replica.logs.of(log) {
            Some(log) => Some(log.mark()),
            None => self.settling.buried_mark(log),
        }
    }
}
