//! Facts: what a node says about its own processes.

use crate::{Bytes, Claim, encoding};
use swarm_base::{Boot, Name, NodeId, Pid, Token};

/// One entry of a log. Fields that a node does not know are ignored, and so are facts that it
/// cannot read: they count as positions, so that an older node keeps up with a newer one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The node claims a name, or changes its claim.
    Named(Claim),
    /// The node's claim on a name is over.
    Ended {
        /// The name.
        name: Name,
        /// The token of the claim. A claim with a higher one stays.
        token: Token,
        /// Why.
        why: Why,
    },
    /// A process of the node is in a group, with this metadata from now on.
    Joined {
        /// The group.
        group: Name,
        /// The process.
        pid: Pid,
        /// What the process says about itself there.
        meta: Bytes,
    },
    /// A process of the node left a group.
    Left {
        /// The group.
        group: Name,
        /// The process.
        pid: Pid,
    },
    /// A process of the node ended: it leaves all groups. The node that appends this also ends
    /// the claims by pid of it, and turns its running claims with a spec to `Waiting`.
    Exited {
        /// The process.
        pid: Pid,
    },
}

impl Fact {
    /// The fact as it travels, from the life `writer` of the node whose log it is of, about that
    /// life's processes.
    #[must_use]
    pub fn encode(&self, writer: Boot) -> Vec<u8> {
        let mut bytes = Vec::new();
        encoding::encode(&mut bytes, self, writer);
        bytes
    }

    /// Reads a fact of the life `writer`. `None` where this release cannot read it: it is of a
    /// kind from a later one, or breaks a bound.
    #[must_use]
    pub fn decode(bytes: &[u8], writer: Boot) -> Option<Self> {
        encoding::read(bytes, writer)
    }

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The name is free, for good. What is left is a *tombstone*, which outranks the claims that
    /// dead nodes still have on the name; the writer [settles](Self::Settled) it when no log is
    /// left that could bring the name back.
    Stopped,
    /// The process is another node's now. What is left is a *pointer* with the old claim: should
    /// that node die before anybody has seen its claim, the name starts from the old one's spec.
    GoneTo {
        /// The node that has it now.
        log: NodeId,
        /// The token of the claim there.
        token: Token,
    },
    /// Nothing is left. Written by the registry itself, for a tombstone or a pointer that every
    /// live member has no more use for, and instead of [`Stopped`](Self::Stopped) where no
    /// tombstone is needed.
    Settled,
}
