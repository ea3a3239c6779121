//! What processes tell their node.

use crate::{ExitReason, Mail};
use bytes::Bytes;
use std::collections::VecDeque;
use swarm_base::{Name, Pid};

/// What happened to a process, or what it asks for. In order for one process.
///
/// Every process that was spawned gives exactly one `Started` and exactly one `Exited`, the latter
/// as its last, after it can no longer be found.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice {
    /// It runs, or is ready as a standby; or it will never run.
    Started {
        /// From the request to spawn it.
        ticket: u64,
        /// The process.
        pid: Pid,
        /// Why it will never run. An `Exited` follows.
        result: Result<(), ExitReason>,
        /// What it asked for while it started: done before anybody hears that it has. A standby
        /// asks once it runs.
        asks: Vec<Ask>,
    },
    /// It is no more.
    Exited {
        /// From the request to spawn it.
        ticket: u64,
        /// The process.
        pid: Pid,
        /// The name that it was spawned with.
        name: Option<Name>,
        /// Why.
        reason: ExitReason,
    },
    /// Answers `Signal::Freeze`.
    Frozen {
        /// From the signal.
        ticket: u64,
        /// The process.
        pid: Pid,
        /// What it wants done. Only after `Restart` and `Resume` it is frozen.
        handoff: Handoff,
    },
    /// Answers `Signal::Take`; `Exited` follows.
    Taken {
        /// From the signal.
        ticket: u64,
        /// The process that was.
        pid: Pid,
        /// What it had not handled, in order.
        mails: VecDeque<Mail>,
    },
    /// Answers `Signal::Promote`: the standby has taken in its state and runs.
    Promoted {
        /// From the signal.
        ticket: u64,
        /// The process.
        pid: Pid,
    },
    /// Answers `Signal::Resolve`.
    Resolved {
        /// From the signal.
        ticket: u64,
        /// The process.
        pid: Pid,
        /// Whether it took in the other's state.
        result: Result<(), ResolveError>,
    },
    /// A mailbox that was under pressure is half empty again.
    Eased {
        /// The process.
        pid: Pid,
    },
    /// It asks for something that its node does.
    Asked {
        /// The process.
        pid: Pid,
        /// What for.
        ask: Ask,
    },
}

/// What a process says about its move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handoff {
    /// Start anew elsewhere. It is frozen.
    Restart,
    /// Go on elsewhere with this state. It is frozen.
    Resume(Bytes),
    /// Stay. It goes on.
    Ignore,
    /// It panicked, took too long, its state does not encode, or it is a standby. It goes on.
    Failed {
        /// What went wrong.
        message: String,
    },
}

/// Why a process did not take in another's state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The state is not one of its kind. Nothing changed.
    #[error("the state does not decode: {reason}")]
    Undecodable {
        /// What is wrong with it.
        reason: String,
    },
    /// It is frozen, or a standby. Nothing changed.
    #[error("the process is not running")]
    NotRunning,
}

/// What a process asks its node for. Neither waits nor fails.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ask {
    /// To become a member of a group.
    Join(Name),
    /// To be a member no more.
    Leave(Name),
    /// To be told of the end of a process on another node.
    Monitor(Pid),
    /// To end with a process on another node, and it with this one.
    Link(Pid),
}
