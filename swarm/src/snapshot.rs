//! The state of a node, for people and tools.

use crate::Member;
use crate::core::Core;
use crate::node::Node;
use serde::Serialize;
use std::sync::atomic::Ordering;
use swarm_base::NodeId;
use swarm_registry::PeerProgress;

/// The state of a node at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// The node.
    pub node: NodeId,
    /// Its members, itself included.
    pub members: Vec<Member>,
    /// The hash of its ring: equal on nodes that agree.
    pub ring: u64,
    /// The names that it knows.
    pub names: usize,
    /// The names whose node is dead and that have not been started again.
    pub orphans: usize,
    /// The names that ended on it or went elsewhere and that it remembers: some node may still
    /// need to know. While one is cut off, these stay.
    pub ended: usize,
    /// The processes that it runs.
    pub processes: usize,
    /// The calls of its processes to other nodes that wait for a reply.
    pub calls: usize,
    /// The names that are leaving it.
    pub moves: usize,
    /// The questions under way in it, and how many there may be.
    pub questions: (usize, usize),
    /// Gossip packets that were refused: garbage, replays, other clusters, wrong keys.
    pub refused_packets: u64,
    /// Frames of other nodes that could not be read.
    pub malformed_frames: u64,
    /// Frames to other nodes that were too long to be sent.
    pub unsent_frames: u64,
    /// What other nodes are to be told of monitors and links, and found no room in a queue.
    pub unsent_watches: usize,
    /// Ends of its processes that other nodes watch, and have not said that they know of.
    pub untaken_ends: usize,
    /// Messages without a caller that found no process.
    pub lost_messages: u64,
    /// Messages without a caller that their worker does not list, or could not read.
    pub unhandled_messages: u64,
    /// Its own log's position.
    pub position: u64,
    /// How far it has read each other node's log.
    pub logs: Vec<(NodeId, u64)>,
    /// How far each node with a session is with this node's log.
    pub peers: Vec<PeerLog>,
    /// Facts of others that were not taken in, by the reason.
    pub refused_facts: Vec<(&'static str, u64)>,
}

/// How far a peer is with this node's log.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PeerLog {
    /// The peer.
    pub node: NodeId,
    /// The last position sent; `None` before it has said where it is.
    pub sent: Option<u64>,
    /// The last position that it has taken in.
    pub acknowledged: Option<u64>,
    /// Whether it asked for a pause: it was sent more facts than it takes in a second.
    pub is_slowed: bool,
}

impl From<PeerProgress> for PeerLog {
    fn from(progress: PeerProgress) -> Self {
        let PeerProgress { peer: node, sent, acknowledged, slowed } = progress;
        Self { node, sent, acknowledged, is_slowed: slowed.is_some() }
    }
}

/// The state of `node`.
pub(crate) fn of(node: &Node, core: &Core) -> Snapshot {
    let registry = node.registry();
    let members = core.members();
    let (unsent_watches, untaken_ends) = core.watches.waiting();
    let logs = members.iter().filter(|member| member.id != *node.id());
    Snapshot {
        node: node.id().clone(),
        ring: node.placing().hash(),
        names: registry.len(),
        peers: registry.progress().map(PeerLog::from).collect(),
        refused_facts: registry.rejected().map(|(why, count)| (why.as_str(), count)).collect(),
        orphans: registry.n_orphans(),
        ended: registry.n_ended(),
        processes: core.processes.len(),
        calls: core.processes.calls().len(),
        moves: node.moves(),
        questions: node.open_asks(),
        refused_packets: node.swim().counters().refused.total(),
        malformed_frames: node.malformed() + core.malformed.load(Ordering::Relaxed),
        unsent_frames: core.unsent.load(Ordering::Relaxed),
        unsent_watches,
        untaken_ends,
        lost_messages: core.lost.load(Ordering::Relaxed),
        unhandled_messages: core.unhandled.load(Ordering::Relaxed),
        position: registry.position(node.id()),
        logs: logs.map(|member| (member.id.clone(), registry.position(&member.id))).collect(),
        members: members.to_vec(),
    }
}
