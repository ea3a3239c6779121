//! Facts: what a node says about its own processes.

use crate::{Bytes, Claim, wire};
use serde::{Deserialize, Serialize};
use swarm_base::{Name, NodeId, Pid, Token};

/// One entry of a log. Fields that a node does not know are ignored, and so are facts that it
/// cannot read: they count as positions, so that an older node keeps up with a newer one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// The node claims a name, or changes its claim.
    #[serde(rename = "n")]
    Named(Claim),
    /// The node's claim on a name is over.
    #[serde(rename = "e")]
    Ended {
        /// The name.
        #[serde(rename = "n", with = "wire::name")]
        name: Name,
        /// The token of the claim. A claim with a higher one stays.
        #[serde(rename = "t")]
        token: Token,
        /// Why.
        #[serde(rename = "w")]
        why: Why,
    },
    /// A process of the node is in a group, with this metadata from now on.
    #[serde(rename = "j")]
    Joined {
        /// The group.
        #[serde(rename = "g", with = "wire::name")]
        group: Name,
        /// The process.
        #[serde(rename = "p")]
        pid: Pid,
        /// What the process says about itself there.
        #[serde(rename = "m", default)]
        meta: Bytes,
    },
    /// A process of the node left a group.
    #[serde(rename = "l")]
    Left {
        /// The group.
        #[serde(rename = "g", with = "wire::name")]
        group: Name,
        /// The process.
        #[serde(rename = "p")]
        pid: Pid,
    },
    /// A process of the node ended: it leaves all groups. The node that appends this also ends
    /// the claims by pid of it, and turns its running claims with a spec to `Waiting`.
    #[serde(rename = "x")]
    Exited {
        /// The process.
        #[serde(rename = "p")]
        pid: Pid,
    },
}

impl Fact {
    /// The process of the writer that the fact is about.
    pub(crate) fn pid(&self) -> Option<Pid> {
        match self {
            Self::Named(claim) => claim.pid(),
            Self::Ended { .. } => None,
            Self::Joined { pid, .. } | Self::Left { pid, .. } | Self::Exited { pid } => Some(*pid),
        }
    }
}

/// Why a claim ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// The name is free, for good. What is left is a *tombstone*, which outranks the claims that
    /// dead nodes still have on the name; the writer [settles](Self::Settled) it when no log is
    /// left that could bring the name back.
    #[serde(rename = "s")]
    Stopped,
    /// The process is another node's now. What is left is a *pointer* with the old claim: should
    /// that node die before anybody has seen its claim, the name starts from the old one's spec.
    #[serde(rename = "g")]
    GoneTo {
        /// The node that has it now.
        #[serde(rename = "l")]
        log: NodeId,
        /// The token of the claim there.
        #[serde(rename = "t")]
        token: Token,
    },
    /// Nothing is left. Written by the registry itself, for a tombstone or a pointer that every
    /// live member has no more use for, and instead of [`Stopped`](Self::Stopped) where no
    /// tombstone is needed.
    #[serde(rename = "z")]
    Settled,
}
