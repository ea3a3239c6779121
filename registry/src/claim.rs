//! A claim: one node's word that a name is its own.

use crate::{Bytes, wire};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use swarm_base::{Boot, Name, NodeId, Pid, Token};

/// The most bytes in the name of a kind.
pub const KIND_LEN_MAX: usize = 255;

/// The most groups that a claim carries. A process may be in more; those beyond are not joined
/// again after a move or a restart.
pub const CLAIM_GROUPS_MAX: usize = 256;

/// The most bytes that the groups of a claim and their metadata take together, for the same
/// purpose: a claim must fit into one batch.
pub const CLAIM_GROUPS_LEN_MAX: usize = 256 * 1024;

/// What a node says about a name of its own. A name is a record, not a process: it outlives the
/// process between a crash and the restart, and the node in its closed log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The name.
    #[serde(rename = "n", with = "wire::name")]
    pub name: Name,
    /// Where this claim stands among all that were ever made on the name.
    #[serde(rename = "t")]
    pub token: Token,
    /// What a restart needs. `None`: registered by pid, never moved and never restarted.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<Spec>,
    /// Where the process is.
    #[serde(rename = "a")]
    pub at: At,
    /// The request that made the claim, so that its retry gets `Ok` for its own start.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,
    /// The groups to join again, with their metadata. Only where [`at`](Self::at) has no running
    /// process, or one that is being moved: a running one's memberships are facts of their own.
    #[serde(rename = "g", default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<(Name, Bytes)>,
}

impl Claim {
    /// The process, where there is one.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        match &self.at {
            At::Running(pid) | At::Moving { pid, .. } => Some(*pid),
            At::Starting | At::Waiting => None,
        }
    }
}

/// What it takes to start a process again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The kind of the process, at most [`KIND_LEN_MAX`] bytes.
    #[serde(rename = "k", with = "wire::kind")]
    pub kind: Arc<str>,
    /// Its arguments, encoded.
    #[serde(rename = "a", default)]
    pub args: Bytes,
}

/// Where the process of a claim is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum At {
    /// Being started here.
    #[serde(rename = "s")]
    Starting,
    /// Running here.
    #[serde(rename = "r")]
    Running(Pid),
    /// Running here, and on its way. Logged before the target is offered anything, so that a
    /// closed log that ends in it tells who may go on (ownership, consequence 1).
    #[serde(rename = "m")]
    Moving {
        /// The process here.
        #[serde(rename = "p")]
        pid: Pid,
        /// Where it goes.
        #[serde(rename = "t")]
        to: NodeId,
        /// Which attempt, as the source counts them.
        #[serde(rename = "i")]
        id: u64,
    },
    /// Not running: between a crash and the restart, or below quorum.
    #[serde(rename = "w")]
    Waiting,
}

/// One request of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Request {
    /// The life of the asking node.
    #[serde(rename = "b")]
    pub boot: Boot,
    /// Counted by that node.
    #[serde(rename = "i")]
    pub id: u64,
}
