//! How far replication is, for people.

use crate::log::{OWN, Standing};
use crate::{Registry, Rejection};
use swarm_base::{Instant, NodeId};

/// How far one log is held here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogProgress {
    /// Whose log.
    pub log: NodeId,
    /// Whether it counts.
    pub standing: Standing,
    /// How far it is applied here.
    pub position: u64,
    /// The digest of its facts up to there: equal on nodes that hold the same.
    pub digest: u64,
    /// Whether a snapshot is taking the place of what was held: names are of that position, or
    /// already of the snapshot's.
    pub is_taken_over: bool,
    /// How many names it has an entry for.
    pub n_names: usize,
    /// How many of its processes are in groups.
    pub n_members: usize,
}

/// How far one peer is with this node's own log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerProgress {
    /// The peer. It has a session.
    pub peer: NodeId,
    /// The last position sent; `None` before its first compare.
    pub sent: Option<u64>,
    /// The last position that it acknowledged.
    pub acknowledged: Option<u64>,
    /// Until when it asked to be sent nothing.
    pub slowed: Option<Instant>,
}

impl Registry {
    /// How far each log is held here, in the order of the nodes.
    pub fn log_progress(&self) -> impl Iterator<Item = LogProgress> {
        self.replica.logs.iter().map(|(id, log)| LogProgress {
            log: log.node.clone(),
            standing: log.standing,
            position: log.position,
            digest: log.digest,
            is_taken_over: log.takeover.is_some(),
            n_names: self.replica.table.places(id).len(),
            n_members: log.members.len(),
        })
    }

    /// How far each peer is with this node's own log, in the order of the nodes.
    pub fn progress(&self) -> impl Iterator<Item = PeerProgress> {
        self.peers.iter().map(|(node, peer)| {
            let feed = peer.feeds.get(&OWN);
            PeerProgress {
                peer: node.clone(),
                sent: feed.map(|feed| feed.sent),
                acknowledged: feed.map(|feed| feed.acked),
                slowed: feed.and_then(|feed| feed.slowed),
            }
        })
    }

    /// What was not taken from peers, and how often.
    pub fn rejected(&self) -> impl Iterator<Item = (Rejection, u64)> {
        self.rejected.iter().map(|(why, count)| (*why, *count))
    }

    /// How many dead nodes are remembered whose logs are gone.
    #[must_use]
    pub fn n_buried(&self) -> usize {
        self.settling.n_buried()
    }
}
