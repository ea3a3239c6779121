//! Whether enough nodes stand with this one, under a strategy that wants a quorum.
//!
//! A node asks every member of its ring several times within a lease, and a member whose own ring
//! is the same grants it the lease. The lease runs from when the question was sent, by the asker's
//! clock: counted from when the grant arrives, a grant that was long on its way would let two halves
//! hold at once. A node grants the ring that it has itself and no other: else two halves that share
//! a node could both count three of five.
//!
//! A node that is cut off holds for a lease at most, whatever it believes of the others. Whoever
//! starts what ran there waits for longer ([`Config::quorum_margin`](crate::Config::quorum_margin)),
//! from when all those that stand with it had taken the other out of their rings: before that they
//! may have granted it one more lease. The wait begins anew where one of them has changed its ring,
//! and changed it back: it may have stood with the other in between
//! ([`QuorumEvent::Shaken`]).

use crate::config::Checked;
use crate::message::Vote;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use swarm_base::{Instant, Machine, NodeId, Output};

/// Whether enough nodes stand with this one.
#[derive(Debug)]
pub struct Quorum {
    config: Checked,
    me: NodeId,
    want: usize,
    voice: Voice,
    hash: Option<u64>,
    /// How often it has changed.
    round: u64,
    members: BTreeMap<NodeId, Option<Lease>>,
    sessions: BTreeSet<NodeId>,
    ask_at: Instant,
    is_held: bool,
    outputs: VecDeque<Output<NodeId, Vote, QuorumEvent>>,
}

/// What a member has granted.
#[derive(Clone, Copy, Debug)]
struct Lease {
    /// When the last question was sent that it has granted.
    sent: Instant,
    /// How often its ring had changed by then.
    round: u64,
}

impl Quorum {
    /// A quorum of `want` nodes, this one among them unless it [says](Self::set_voice) otherwise. It
    /// is not held until the first [`set_ring`](Self::set_ring), nor before enough others have
    /// granted.
    #[must_use]
    pub const fn new(now: Instant, config: Checked, me: NodeId, want: usize) -> Self {
        Self {
            config,
            me,
            want,
            voice: Voice::Counts,
            hash: None,
            round: 0,
            members: BTreeMap::new(),
            sessions: BTreeSet::new(),
            ask_at: now,
            is_held: false,
            outputs: VecDeque::new(),
        }
    }

    /// This node's ring has this hash, and these members (this node among them or not). A lease
    /// that one of them has granted stays.
    pub fn set_ring(&mut self, now: Instant, hash: u64, members: BTreeSet<NodeId>) {
        let mut before = std::mem::take(&mut self.members);
        let others = members.into_iter().filter(|member| *member != self.me);
        let with_lease = |member: NodeId| {
            let lease = before.remove(&member).flatten();
            (member, lease)
        };
        self.members = others.map(with_lease).collect();
        if self.hash.replace(hash) != Some(hash) {
            self.round += 1;
            self.ask_at = now;
        }
        self.look(now);
    }

    /// Whether this node is one of those that the quorum counts.
    pub fn set_voice(&mut self, now: Instant, voice: Voice) {
        self.voice = voice;
        self.look(now);
    }

    /// A session with `node` is up.
    pub fn session_up(&mut self, now: Instant, node: &NodeId) {
        self.sessions.insert(node.clone());
        self.ask(now, node);
    }

    /// The session with `node` is gone. What it has granted holds until it runs out.
    pub fn session_down(&mut self, _now: Instant, node: &NodeId) {
        self.sessions.remove(node);
    }

    /// Whether enough nodes stand with this one, at the last time that it was told.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        self.is_held
    }

    /// How many nodes it takes.
    #[must_use]
    pub const fn want(&self) -> usize {
        self.want
    }

    /// How many nodes are in the ring, this one among them if it counts.
    #[must_use]
    pub fn present(&self) -> usize {
        self.members.len() + self.own()
    }

    const fn own(&self) -> usize {
        match self.voice {
            Voice::Counts => 1,
            Voice::Listens => 0,
        }
    }

    fn ask(&mut self, now: Instant, node: &NodeId) {
        let Some(hash) = self.hash else { return };
        if self.members.contains_key(node) && self.sessions.contains(node) {
            let sent = micros(now);
            let message = Vote::Ask { hash, sent };
            self.outputs.push_back(Output::Send { to: node.clone(), message });
        }
    }

    /// When it ceases to be held, if nobody grants anything more; `None` where it never does, or is
    /// not held.
    fn ends(&self) -> Option<Instant> {
        let others = self.want.checked_sub(self.own() + 1)?;
        let leases = self.members.values().flatten();
        let mut sent: Vec<Instant> = leases.map(|lease| lease.sent).collect();
        sent.sort_unstable_by(|a, b| b.cmp(a));
        sent.get(others).map(|sent| *sent + self.config.quorum_lease)
    }

    fn look(&mut self, now: Instant) {
        let is_held = self.hash.is_some()
            && (self.want <= self.own() || self.ends().is_some_and(|end| now < end));
        if is_held != self.is_held {
            self.is_held = is_held;
            let event = if is_held { QuorumEvent::Held } else { QuorumEvent::Lost };
            self.outputs.push_back(Output::Event(event));
        }
    }
}

impl Machine for Quorum {
    type Peer = NodeId;
    type Message = Vote;
    type Event = QuorumEvent;

    fn handle_message(&mut self, now: Instant, from: NodeId, message: Vote) {
        match message {
            Vote::Ask { hash, sent } if self.hash == Some(hash) => {
                let message = Vote::Grant { hash, sent, round: self.round };
                self.outputs.push_back(Output::Send { to: from, message });
            }
            Vote::Ask { .. } => (),
            // What it says of a former ring is as true: it stood with this node when it was asked.
            Vote::Grant { sent, round, .. } => {
                let sent = Instant::after_start(Duration::from_micros(sent));
                let Some(known) = self.members.get_mut(&from).filter(|_| sent <= now) else {
                    return;
                };
                let before = known.replace(Lease { sent, round });
                if let (Some(before), Some(lease)) = (before, known) {
                    lease.sent = lease.sent.max(before.sent);
                }
                if before.is_none_or(|before| before.round != round) {
                    self.outputs.push_back(Output::Event(QuorumEvent::Shaken));
                }
                self.look(now);
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.ask_at <= now {
            self.ask_at = now + self.config.quorum_ask;
            let nodes: Vec<NodeId> = self.members.keys().cloned().collect();
            for node in nodes {
                self.ask(now, &node);
            }
        }
        self.look(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.hash?;
        let end = self.ends().filter(|_| self.is_held);
        Some(end.map_or(self.ask_at, |end| end.min(self.ask_at)))
    }

    fn poll_output(&mut self) -> Option<Output<NodeId, Vote, QuorumEvent>> {
        self.outputs.pop_front()
    }
}

/// Whether a node is one of those that a quorum counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// It is.
    Counts,
    /// It is not: it holds the quorum while as many others stand with it as it takes.
    Listens,
}

/// What the layer above learns about the quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuorumEvent {
    /// Enough nodes stand with this one.
    Held,
    /// They no longer do: what runs under the quorum is to stop.
    Lost,
    /// One of them stands with this one since now, or did not all the time: what others may run
    /// has to be waited for anew.
    Shaken,
}

/// A time of this node's, for it to read again.
fn micros(now: Instant) -> u64 {
    u64::try_from(now.since(Instant::START).as_micros()).unwrap_or(u64::MAX)
}
