//! What the layer above learns.

use crate::Bytes;
use std::sync::Arc;
use swarm_base::{Instant, Name, NodeId, Pid, Token};

/// What happened in the copies of the logs that this node holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// What [`resolve`](crate::Registry::resolve) says about a name changed, or a higher token
    /// became known for it: the node looks again.
    Changed {
        /// The name.
        name: Name,
        /// The process that had it.
        was: Option<Pid>,
        /// The process that has it.
        now: Option<Pid>,
        /// Its kind, where the claim has a spec.
        kind: Option<Arc<str>>,
        /// The token of the claim that counts now; the lowest where none does.
        token: Token,
        /// What the name is now.
        state: State,
    },
    /// More than one live node claims the name, and one of the claims is new.
    Conflict {
        /// The name.
        name: Name,
    },
    /// Another node's log is applied up to here: replies that wait for it can go.
    Applied {
        /// Whose log.
        log: NodeId,
        /// The last position applied.
        position: u64,
    },
    /// A process is in a group, with this metadata from now on.
    Joined {
        /// The group.
        group: Name,
        /// The process.
        pid: Pid,
        /// Its node.
        node: NodeId,
        /// What it says about itself there.
        meta: Bytes,
    },
    /// A process is in a group no more: it left, ended, or its node died.
    Left {
        /// The group.
        group: Name,
        /// The process.
        pid: Pid,
        /// Its node.
        node: NodeId,
    },
    /// A peer takes no more facts from this node until then: it was sent more than it takes in a
    /// second ([`peer_facts_max`](crate::Config::peer_facts_max)). What waits is sent then.
    Slowed {
        /// The peer that told it.
        peer: NodeId,
        /// When it is sent more.
        until: Instant,
    },
    /// A peer holds more of this node's log than this node wrote, or something else: this
    /// machine was set back to an earlier state. The node must stop and take a new boot.
    RolledBack {
        /// The peer that showed it.
        peer: NodeId,
        /// How far the peer holds this node's log.
        position: u64,
    },
}

/// What a name is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Nobody has it.
    Free,
    /// A live node has it.
    Held,
    /// Its node is dead and it is to be started again.
    Orphan,
    /// It is on its way to a live node whose claim has not arrived here.
    Pending,
}
