//! A claim: one node's word that a name is its own.

use crate::{Bytes, Request};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use swarm_base::{Name, NodeId, Pid, Token};

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The name.
    pub name: Name,
    /// Where this claim stands among all that were ever made on the name.
    pub token: Token,
    /// What a restart needs. `None`: registered by pid, never moved and never restarted.
    pub spec: Option<Spec>,
    /// Where the process is.
    pub at: At,
    /// The request that made the claim, so that its retry gets `Ok` for its own start.
    pub request: Option<Request>,
    /// What is said of the name, for whoever asks; it follows the name from claim to claim. At most
    /// 64 KiB.
    pub meta: Bytes,
    /// The groups to join again, with their metadata. Only where [`at`](Self::at) has no running
    /// process, or one that is being moved: a running one's memberships are facts of their own.
    pub groups: Vec<(Name, Bytes)>,
}

impl Claim {
    /// A claim by pid, about which nothing else is said.
    #[must_use]
    pub fn new(name: Name, token: Token, at: At) -> Self {
        let (meta, groups) = (Bytes::default(), Vec::new());
        Self { name, token, spec: None, at, request: None, meta, groups }
    }

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
    #[serde(rename = "k", with = "kind")]
    pub kind: Arc<str>,
    /// Its arguments, encoded.
    #[serde(rename = "a", default)]
    pub args: Bytes,
}

/// Where the process of a claim is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// Being started here.
    Starting,
    /// Running here.
    Running(Pid),
    /// Running here, and on its way. Logged before the target is offered anything, so that a
    /// closed log that ends in it tells who may go on (ownership, consequence 1).
    Moving {
        /// The process here.
        pid: Pid,
        /// Where it goes.
        to: NodeId,
        /// Which attempt, as the source counts them.
        id: u64,
    },
    /// Not running: between a crash and the restart, or below quorum.
    Waiting,
}

/// The kind of a process: a short text.
mod kind {
    use super::KIND_LEN_MAX;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};
    use std::sync::Arc;

    pub(super) fn serialize<S: Serializer>(kind: &Arc<str>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(kind)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<str>, D::Error> {
        let text = String::deserialize(from)?;
        if text.len() > KIND_LEN_MAX {
            let expected = format!("a kind of at most {KIND_LEN_MAX} bytes");
            return Err(D::Error::invalid_length(text.len(), &&*expected));
        }
        Ok(text.into())
    }
}
