//! What a target keeps about each process that is coming.

use super::coming::Coming;
use crate::config::Checked;
use crate::message::{MoveId, Refusal};
use crate::moves::machine::Accepting;
use crate::moves::past::{Closed, Past};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use swarm_base::{Instant, Name, NodeId};

/// The processes that are coming to this node.
#[derive(Debug)]
pub(in crate::moves) struct Target {
    pub(super) standbys: BTreeMap<MoveId, Standby>,
    pub(super) names: BTreeMap<Name, MoveId>,
    pub(super) past: Past,
    pub(super) accepting: Accepting,
    /// The kinds that this node builds; `None` is any.
    pub(super) kinds: Option<BTreeSet<String>>,
    pub(super) held: usize,
    /// The nodes that died last. What they sent before can still arrive.
    buried: VecDeque<NodeId>,
    /// The last time that was told: not every method takes one.
    pub(super) latest: Instant,
}

#[derive(Debug)]
pub(super) struct Standby {
    pub(super) name: Name,
    pub(super) from: NodeId,
    pub(super) held: usize,
    pub(super) phase: TargetPhase,
    pub(super) source: Fate,
    /// When the source is asked whether the move is still on.
    pub(super) ask: Instant,
    pub(super) retry: Instant,
    /// The state, while it is on its way in chunks.
    pub(super) coming: Option<Coming>,
    /// The mail that came before the commit, and how many parts it came in.
    pub(super) mails: Vec<Bytes>,
    pub(super) parts: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Alive,
    Dead,
}

impl Target {
    pub(in crate::moves) fn new(now: Instant) -> Self {
        Self {
            standbys: BTreeMap::new(),
            names: BTreeMap::new(),
            past: Past::default(),
            accepting: Accepting::Yes,
            kinds: None,
            held: 0,
            buried: VecDeque::new(),
            latest: now,
        }
    }

    pub(in crate::moves) fn poll_timeout(&self, config: &Checked) -> Option<Instant> {
        let standbys = self.standbys.values().filter_map(Standby::timeout).min();
        standbys.into_iter().chain(self.past.poll_timeout(config.standby_ttl)).min()
    }

    pub(super) fn insert(&mut self, id: MoveId, standby: Standby, config: &Checked) {
        self.held += standby.held;
        self.names.insert(standby.name.clone(), id);
        self.standbys.insert(id, standby);
        assert!(self.standbys.len() <= config.standbys_max, "standbys are bounded");
    }

    pub(super) fn remove(&mut self, id: MoveId) -> Option<Name> {
        let standby = self.standbys.remove(&id)?;
        self.held -= standby.held;
        self.names.remove(&standby.name);
        Some(standby.name)
    }

    pub(super) fn bury(&mut self, node: &NodeId) {
        if !self.buried.contains(node) {
            self.buried.push_back(node.clone());
            self.buried.drain(..self.buried.len().saturating_sub(BURIED_MAX));
        }
    }

    /// Whether `node` was declared dead and has not been heard of since.
    pub(in crate::moves) fn is_buried(&self, node: &NodeId) -> bool {
        self.buried.contains(node)
    }

    pub(in crate::moves) fn exhume(&mut self, node: &NodeId) {
        self.buried.retain(|buried| buried != node);
    }

    /// Forgets a standby; whatever still comes about it is answered with `answer`.
    pub(super) fn close(&mut self, now: Instant, id: MoveId, answer: Refusal) -> Option<Name> {
        self.past.close(now, id, Closed::Refused(answer));
        self.remove(id)
    }
}

impl Standby {
    /// A standby of `held` bytes, which is built as soon as its state is here.
    pub(super) fn new(
        now: Instant,
        from: NodeId,
        name: Name,
        held: usize,
        coming: Option<Coming>,
        config: &Checked,
    ) -> Self {
        Self {
            name,
            from,
            held,
            phase: if coming.is_some() { TargetPhase::Collecting } else { TargetPhase::Building },
            source: Fate::Alive,
            ask: now + config.standby_ttl,
            retry: now + config.retry,
            coming,
            mails: Vec::new(),
            parts: 0,
        }
    }

    /// Whether the source is asked: not while the layer above decides or promotes.
    pub(super) const fn asks(&self) -> bool {
        matches!(self.source, Fate::Alive)
            && matches!(
                self.phase,
                TargetPhase::Collecting | TargetPhase::Building | TargetPhase::Ready
            )
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
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
    /// Its state is on its way, in chunks.
    Collecting,
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
