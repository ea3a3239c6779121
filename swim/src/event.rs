//! What the layer above learns.

use crate::{KeyId, KeyReport, Member};
use std::net::SocketAddr;
use swarm_base::{Boot, NodeId};

/// Something happened to the group. Events about one node come in the order in which this node
/// learned them; between nodes there is no common order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A node became reachable: new, or back after its death was a false alarm (the same boot).
    Joined(Member),
    /// A node changed its metadata.
    Updated(Member),
    /// `by` had no answer from `node`. It still counts as a member, and mostly refutes.
    Suspected {
        /// The accused.
        node: NodeId,
        /// Whose accusation arrived here first. This node itself, where its own probe failed.
        by: NodeId,
    },
    /// A suspected node answered: a false alarm.
    Refuted {
        /// The accused.
        node: NodeId,
    },
    /// A node is no longer a member, without having said goodbye.
    Failed {
        /// Which.
        node: NodeId,
        /// How that is known.
        why: Failure,
    },
    /// A node said goodbye.
    Left {
        /// Which.
        node: NodeId,
    },
    /// The keys of this node have changed: their ids, the one that seals first. Whoever starts
    /// nodes from a file should store them.
    KeysChanged(Vec<KeyId>),
    /// A change of keys that this node began is over.
    KeysConfirmed(KeyReport),
    /// The first exchange with a seed is complete: the whole member list is here. Comes once;
    /// for a node whose only seed is itself, at once.
    Merged,
    /// Another live node has our name. This machine has fallen silent: stop this node.
    NameTaken {
        /// Where the other one is.
        holder: SocketAddr,
    },
    /// The group remembers a life of this node with a higher boot: the clock has stepped back.
    /// Start again with a boot above `remembered`; as it is, this node is not let in.
    BootBehind {
        /// The highest boot that the group remembers.
        remembered: Boot,
    },
    /// The goodbye was heard, or its time is up. This machine has fallen silent.
    Departed,
}

/// How a failure is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// It did not refute a suspicion in time.
    Timeout,
    /// Its process has ended: its system closed its stream, and refuses what is sent to it.
    Refused,
    /// A newer boot of the same name lives.
    Superseded,
}
