//! What nodes say to each other, and what a checker hears of each.

use std::collections::BTreeSet;
use std::sync::Arc;
use swarm_base::{Name, NodeId, Pid, Token};
use swarm_registry::{Bytes, Event, Message};

/// What travels on a session.
#[derive(Clone, Debug)]
pub(crate) enum Frame {
    Log(Message),
    /// Whom the sender holds alive, and in which round of its own.
    Ring {
        ring: Arc<Ring>,
        round: u64,
    },
    /// The sender holds the same alive, and has written this much.
    Agreed {
        round: u64,
        position: u64,
    },
    /// The receiver is asked to start a process of this name.
    Register {
        id: u64,
        name: Name,
    },
    Whereis {
        id: u64,
        name: Name,
    },
    Answer {
        id: u64,
        answer: Answer,
    },
}

/// The lives that a node holds alive, its own among them.
pub(crate) type Ring = BTreeSet<NodeId>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Registered(Grant),
    Taken,
    Found(Option<Pid>),
    /// Who was asked does not own the name, or may not act, or the claim came to nothing.
    No,
    /// There was no answer in time.
    Late,
}

/// A name was started, and its claim stands in this log at this position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) name: Name,
    pub(crate) pid: Pid,
    pub(crate) token: Token,
    pub(crate) log: NodeId,
    pub(crate) position: u64,
}

/// What a node says of itself to whoever watches.
#[derive(Clone, Debug)]
pub(crate) enum News {
    Log(Event),
    Began { name: Name, pid: Pid, how: How },
    Ended { name: Name, pid: Pid, position: u64, why: End },
    Joined { group: Name, pid: Pid, meta: Bytes },
    Left { group: Name, pid: Pid },
    Asked { id: u64, what: Question },
    Answered { id: u64, answer: Answer },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    Register,
    Whereis,
}

/// Why a process began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Somebody asked for it.
    Registered,
    /// It was registered by pid.
    ByPid,
    /// Its node had died.
    Orphan,
    /// It had ended by itself.
    Again,
    /// It came from another node, where it was this process.
    Moved(Pid),
}

/// Why a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// By itself.
    Exit,
    /// It was told to, and its name is free.
    Stopped,
    /// Another process has its name.
    Outdone,
    /// It went to another node.
    Moved,
    /// Its node ended.
    Node,
}
