//! The nodes, and what is under way between each two of them.

use super::{NODES, Rule};
use crate::Shared;
use std::collections::BTreeSet;
use std::sync::LazyLock;
use swarm_base::{Boot, Instant, NodeId, NodeName};
use swarm_handoff::{Agree, Agreement, Checked};

/// Everything there is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The nodes.
    pub nodes: [Shared<Node>; NODES],
    pub(super) streams: [[Vec<Wire>; NODES]; NODES],
    pub(super) broken: u8,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// The machine that is checked.
    pub agreement: Agreement,
    /// Its ring: who owns the name.
    pub ring: u8,
    /// How often that has changed.
    pub changes: u8,
    /// It has started the name.
    pub started: bool,
    /// It has read that somebody did.
    pub(super) knows: bool,
    /// The last hash that each other node told, for the rule that goes by it.
    pub(super) heard: [Option<u8>; NODES],
}

/// What travels on a session, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wire {
    /// The sender has started the name.
    Fact,
    /// A question or an answer about the ring.
    Agree(Agree),
}

impl State {
    /// A cluster that has agreed on ring 0.
    pub(super) fn new(rule: Rule) -> Self {
        let node = |at: usize| Node {
            agreement: Agreement::new(Instant::START, Checked::default(), id(at)),
            ring: 0,
            changes: 0,
            started: false,
            knows: false,
            heard: [None; NODES],
        };
        let nodes = std::array::from_fn(|at| Shared::new(node(at)));
        let mut state = Self { nodes, streams: Default::default(), broken: 0 };
        for at in 0..NODES {
            for other in others(at) {
                state.agreement(at, |agreement| agreement.session_up(Instant::START, &id(other)));
            }
            state.set_ring(rule, at, 0);
        }
        loop {
            let Some((from, to)) = state.pairs_with_mail().next() else { return state };
            state.deliver(rule, from, to);
        }
    }

    pub(super) fn agreement<R>(&mut self, at: usize, call: impl FnOnce(&mut Agreement) -> R) -> R {
        self.nodes[at].change(|node| call(&mut node.agreement))
    }

    pub(super) fn pairs_with_mail(&self) -> impl Iterator<Item = (usize, usize)> {
        let pairs = (0..NODES).flat_map(|from| others(from).map(move |to| (from, to)));
        pairs.filter(|(from, to)| !self.streams[*from][*to].is_empty())
    }

    /// Nothing is under way.
    pub(super) fn is_quiet(&self) -> bool {
        self.pairs_with_mail().next().is_none()
    }
}

/// Every member of the cluster.
pub(super) fn members() -> BTreeSet<NodeId> {
    IDS.iter().cloned().collect()
}

pub(super) fn id(at: usize) -> NodeId {
    IDS[at].clone()
}

pub(super) fn position(id: &NodeId) -> Option<usize> {
    IDS.iter().position(|node| node.boot == id.boot)
}

pub(super) fn others(at: usize) -> impl Iterator<Item = usize> {
    (0..NODES).filter(move |other| *other != at)
}

static IDS: LazyLock<[NodeId; NODES]> = LazyLock::new(|| {
    std::array::from_fn(|at| {
        let name = NodeName::new(["a", "b", "c"][at]).expect("a node name");
        NodeId::new(name, Boot { millis: 1, random: at as u64 })
    })
});
