//! What checkers see of a node: its processes, its callers, its view, and what its users hear.

use crate::Event as Public;
use crate::node::Outcome;
use std::time::Duration;
use swarm_base::{Boot, Name, Pid};
use swarm_handoff::MoveId;
use swarm_process::ExitReason;
use swarm_registry::State;

/// Something that happened at one node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum News {
    /// A process of a name runs from now on, counting from `count`.
    Began { name: Name, pid: Pid, how: How, count: u64 },
    /// A process handled a message.
    Counted { name: Name, pid: Pid, message: u64, count: u64 },
    /// A process handed itself over to its move: with its count, or to start anew.
    Taken { name: Name, pid: Pid, id: MoveId, state: Option<u64> },
    /// A process is to end, since another one has its name.
    Loses { name: Name, pid: Pid },
    /// It has said whether it hands over its state, so long after it was asked to.
    HandsOver { name: Name, pid: Pid, has_state: bool, took: Duration },
    /// A process took in the state of another copy, which loses.
    Resolved { name: Name, pid: Pid, loser: Pid },
    /// A process is no more.
    Ended { name: Option<Name>, pid: Pid, why: ExitReason },
    /// A caller asks.
    Asked { id: u64, what: Asked },
    /// It has its answer.
    Answered { id: u64, outcome: Outcome },
    /// The node's view of a name changed.
    Saw { name: Name, pid: Option<Pid>, state: State },
    /// A node, by its boot, is gone as this node sees it; or back.
    Peer { boot: Boot, name: swarm_base::NodeName, incarnation: u64, change: Change },
    /// What a user of the node hears.
    Public(Public),
    /// The node has not found the others, and goes on without them.
    Alone,
    /// It has been handed a list of members.
    Merged,
    /// The node has handed over what it could, and ends its processes.
    Leaving,
    /// The node said goodbye and stopped.
    Gone,
    /// Whether the node has a seat among those that a quorum counts in a scope, where that changed;
    /// at first it has none.
    Seat { scope: Option<String>, has: bool },
    /// The node believes that it must not be: its name is taken, its clock or its log went back.
    Disowned { why: String },
}

/// Why a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Its worker was started, without state.
    Fresh,
    /// It came here by this move, of which it took so many waiting messages along.
    Promoted(MoveId),
    /// Its move came to nothing after the commit.
    Resumed,
}

/// What became of another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Up,
    Dead,
    Left,
}

/// What a caller asks for, as far as checkers care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Register(Name),
    RegisterPid(Name, Pid),
    Unregister(Name),
    Stop(Name),
    Whereis(Name),
    /// The name of the process, the process, the group.
    Join(Name, Name),
    Leave(Name, Name),
}

impl Asked {
    /// The name that the answer changes, if it changes one.
    pub(crate) const fn changes(&self) -> Option<&Name> {
        match self {
            Self::Register(name)
            | Self::RegisterPid(name, _)
            | Self::Unregister(name)
            | Self::Stop(name) => Some(name),
            Self::Whereis(_) | Self::Join(..) | Self::Leave(..) => None,
        }
    }

    /// The name and the group of a membership that the answer changes.
    pub(crate) const fn membership(&self) -> Option<(&Name, &Name)> {
        match self {
            Self::Join(name, group) | Self::Leave(name, group) => Some((name, group)),
            _ => None,
        }
    }
}
