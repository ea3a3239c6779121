//! What the reconciler sees, and what it says.

use swarm_base::{Name, NodeId};

/// Where names should be and where they are, as this node holds it at this moment.
pub trait Placement {
    /// Who should run `name`, by the strategy.
    fn owner(&self, name: &Name) -> Should;

    /// Who runs `name`, by the replicated facts and this node's own processes.
    fn is(&self, name: &Name) -> Is;
}

/// Who should run a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Should {
    /// This node, which may be the one that asks.
    Node(NodeId),
    /// No node may, for example below quorum.
    Nobody,
    /// It cannot be said yet, for example before the first ring. The name is looked at again.
    Unknown,
}

/// Who runs a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Is {
    /// Nobody holds it: there is nothing to do.
    Free,
    /// It runs on this node.
    Here {
        /// Whether it can be moved: not a process that was registered by its pid.
        movable: bool,
        /// Whether it is on a move, or its name is in conflict, which goes first.
        moving: bool,
    },
    /// It runs on that live node, whose business it is.
    There(NodeId),
    /// Its node is dead: its owner starts it.
    Orphan,
    /// Facts are under way that say more, or a start is. The name is looked at again.
    Pending,
}

/// What this node may do at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acting {
    /// Whether it may decide as an owner, and so start orphans and begin moves. A name that goes
    /// to a node that others do not hold alive would be started by these once more.
    pub decides: bool,
    /// How many moves may begin.
    pub slots: usize,
}

/// What should be done. Each is a suggestion: whatever comes of it, the name is looked at again
/// until it is where it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start this orphan here.
    Start(Name),
    /// Move this process of this node.
    Move {
        /// Whose process.
        name: Name,
        /// Its owner.
        to: NodeId,
    },
    /// This orphan's owner has not started it for a while: hand it the spec.
    Adopt {
        /// The orphan.
        name: Name,
        /// Its owner.
        to: NodeId,
    },
    /// Mark every name that this node knows ([`mark_all`](crate::Reconciler::mark_all)).
    Sweep,
}
