//! Ring agreement: a node decides as an owner only when every member that it holds alive has
//! acknowledged its present ring (rule R2).
//!
//! Without it two owners start one name in three steps with no partition at all: one starts it, the
//! other's view changes so that it owns the name, and it starts it too, for the fact is still under
//! way. Comparing the last hash heard is not enough either: a hash heard before the peer changed
//! its ring and changed it back says nothing about the facts in between. So each node counts its
//! own changes, asks about the present round, and takes no other answer. `models` visits every
//! state of this machine on three nodes, and finds both of the weaker rules broken.

use crate::config::Checked;
use crate::message::Agree;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use swarm_base::{Instant, Machine, NodeId, Output};

/// Whether this node may decide as an owner.
///
/// It can be copied, compared and hashed, so that a search can visit all its states.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Agreement {
    config: Checked,
    me: NodeId,
    ring: Option<Round>,
    rounds: u64,
    /// The last question of each peer, answered as soon as the own ring has its hash.
    asked: BTreeMap<NodeId, Question>,
    sessions: BTreeSet<NodeId>,
    outputs: VecDeque<Output<NodeId, Agree, AgreementEvent>>,
}

impl Agreement {
    /// An agreement of nobody about nothing: [`Standing::Waiting`] until the first
    /// [`set_ring`](Self::set_ring).
    #[must_use]
    pub const fn new(_now: Instant, config: Checked, me: NodeId) -> Self {
        Self {
            config,
            me,
            ring: None,
            rounds: 0,
            asked: BTreeMap::new(),
            sessions: BTreeSet::new(),
            outputs: VecDeque::new(),
        }
    }

    /// This node's ring has this hash, and these live members must acknowledge it (this node
    /// among them or not). Any change of either opens a new round; the same again does nothing.
    pub fn set_ring(&mut self, now: Instant, hash: u64, mut members: BTreeSet<NodeId>) {
        members.remove(&self.me);
        let same = |ring: &Round| ring.hash == hash && ring.members.keys().eq(&members);
        if self.ring.as_ref().is_some_and(same) {
            return;
        }
        self.rounds += 1;
        self.ring = Some(Round {
            hash,
            number: self.rounds,
            missing: members.len(),
            members: members.into_iter().map(|member| (member, Answer::Missing)).collect(),
            deadline: Some(now + self.config.agreement_deadline),
            retry: now + self.config.retry,
        });
        self.ask_missing();
        self.answer_waiting();
        self.settle();
    }

    /// A session with `node` is up: what is due is said again.
    pub fn session_up(&mut self, _now: Instant, node: &NodeId) {
        self.sessions.insert(node.clone());
        self.ask(node);
    }

    /// The session with `node` is gone: it will ask again on the next one.
    pub fn session_down(&mut self, _now: Instant, node: &NodeId) {
        self.sessions.remove(node);
        self.asked.remove(node);
    }

    /// Whether every member has acknowledged the present round.
    #[must_use]
    pub fn agreed(&self) -> bool {
        self.may_act() == Standing::Agreed
    }

    /// Whether this node may decide as an owner.
    #[must_use]
    pub fn may_act(&self) -> Standing {
        match &self.ring {
            Some(ring) if ring.missing == 0 => Standing::Agreed,
            Some(ring) if ring.deadline.is_none() => Standing::Overdue,
            _ => Standing::Waiting,
        }
    }

    /// The members whose acknowledgement is missing, in order.
    pub fn waiting_for(&self) -> impl Iterator<Item = &NodeId> {
        self.ring.iter().flat_map(Round::missing)
    }

    /// This node's count of changes of its ring.
    #[must_use]
    pub const fn round(&self) -> u64 {
        self.rounds
    }

    /// The hash of this node's ring, once it has one.
    #[must_use]
    pub fn hash(&self) -> Option<u64> {
        self.ring.as_ref().map(|ring| ring.hash)
    }

    fn ask(&mut self, node: &NodeId) {
        let Some(ring) = &self.ring else { return };
        if ring.members.get(node) == Some(&Answer::Missing) && self.sessions.contains(node) {
            let message = Agree::Ring { hash: ring.hash, round: ring.number };
            self.outputs.push_back(Output::Send { to: node.clone(), message });
        }
    }

    fn ask_missing(&mut self) {
        let missing: Vec<NodeId> = self.waiting_for().cloned().collect();
        for node in &missing {
            self.ask(node);
        }
    }

    /// Answers every question about a ring that has become this node's own.
    fn answer_waiting(&mut self) {
        let Some(hash) = self.hash() else { return };
        for (node, question) in &mut self.asked {
            if question.hash == hash && question.state == Answer::Missing {
                question.state = Answer::Given;
                let message = Agree::Ack { hash, round: question.round };
                self.outputs.push_back(Output::Send { to: node.clone(), message });
            }
        }
    }

    fn handle_question(&mut self, from: NodeId, hash: u64, round: u64) {
        if self.asked.get(&from).is_some_and(|known| round < known.round) {
            return;
        }
        self.asked.insert(from, Question { hash, round, state: Answer::Missing });
        self.answer_waiting();
    }

    fn handle_answer(&mut self, from: &NodeId, hash: u64, round: u64) {
        let Some(ring) = &mut self.ring else { return };
        if (ring.hash, ring.number) != (hash, round) {
            return;
        }
        if let Some(answer @ Answer::Missing) = ring.members.get_mut(from) {
            *answer = Answer::Given;
            ring.missing -= 1;
            self.settle();
        }
    }

    fn settle(&mut self) {
        let Some(ring) = &mut self.ring else { return };
        if ring.missing == 0 {
            ring.deadline = None;
            self.outputs.push_back(Output::Event(AgreementEvent::Agreed { round: ring.number }));
        }
    }
}

impl Machine for Agreement {
    type Peer = NodeId;
    type Message = Agree;
    type Event = AgreementEvent;

    fn handle_message(&mut self, _now: Instant, from: NodeId, message: Agree) {
        match message {
            Agree::Ring { hash, round } => self.handle_question(from, hash, round),
            Agree::Ack { hash, round } => self.handle_answer(&from, hash, round),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        let Some(ring) = &mut self.ring else { return };
        if ring.missing == 0 {
            return;
        }
        if ring.deadline.is_some_and(|deadline| deadline <= now) {
            ring.deadline = None;
            let missing = ring.missing().cloned().collect();
            let event = AgreementEvent::Overdue { round: ring.number, missing };
            self.outputs.push_back(Output::Event(event));
        }
        if ring.retry <= now {
            ring.retry = now + self.config.retry;
            self.ask_missing();
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let ring = self.ring.as_ref().filter(|ring| ring.missing > 0)?;
        Some(ring.deadline.map_or(ring.retry, |deadline| deadline.min(ring.retry)))
    }

    fn poll_output(&mut self) -> Option<Output<NodeId, Agree, AgreementEvent>> {
        self.outputs.pop_front()
    }
}

/// Whether a node may decide as an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Every live member has acknowledged the present ring.
    Agreed,
    /// Somebody has not, and the deadline has not passed: do nothing as an owner.
    Waiting,
    /// Somebody has not, and the deadline has passed. A strategy for availability goes on, with
    /// the promise of a partition; a quorum does not.
    Overdue,
}

/// What the layer above learns about agreement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AgreementEvent {
    /// Every member has acknowledged this round.
    Agreed {
        /// Which of this node's rounds.
        round: u64,
    },
    /// The deadline of this round passed without the acknowledgement of these. At most once per
    /// round; [`Agreed`](Self::Agreed) can still follow.
    Overdue {
        /// Which of this node's rounds.
        round: u64,
        /// Who has not answered, in order.
        missing: Vec<NodeId>,
    },
}

/// One state of this node's ring, and who has acknowledged it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Round {
    hash: u64,
    number: u64,
    members: BTreeMap<NodeId, Answer>,
    missing: usize,
    /// `None` once it has passed, or is not needed any more.
    deadline: Option<Instant>,
    retry: Instant,
}

impl Round {
    fn missing(&self) -> impl Iterator<Item = &NodeId> {
        self.members.iter().filter(|(_, answer)| **answer == Answer::Missing).map(|(node, _)| node)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Question {
    hash: u64,
    round: u64,
    state: Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Answer {
    Missing,
    Given,
}
