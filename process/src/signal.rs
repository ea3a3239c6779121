//! What a node tells a process beside its messages.

use crate::{Down, Rival};
use bytes::Bytes;
use std::time::Duration;
use swarm_base::{Instant, Name, Token};

/// What moves a process from one phase of its life to the next. Handled before any mail, in order,
/// after the handler that runs. Where the process ends first, its `Notice::Exited` is the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal {
    /// Give a snapshot of the state and handle nothing until [`Thaw`](Self::Thaw). Answered by
    /// `Notice::Frozen` with the same ticket.
    Freeze {
        /// Chosen by the sender.
        ticket: u64,
    },
    /// Go on where [`Freeze`](Self::Freeze) stopped. Ignored while running.
    Thaw,
    /// End, and hand out every mail that waits. Answered by `Notice::Taken` with the same ticket.
    Take {
        /// Chosen by the sender.
        ticket: u64,
        /// Where the mail that still reaches the pid goes, and until when.
        forward: Option<Forward>,
    },
    /// A standby takes over with this token. Answered by `Notice::Promoted` with the same ticket.
    Promote {
        /// Chosen by the sender.
        ticket: u64,
        /// The fencing token of this life.
        token: Token,
    },
    /// A standby is not needed. Ignored by a process that runs.
    Discard,
    /// Another process of the same name lost to this one: take in its state. Answered by
    /// `Notice::Resolved` with the same ticket.
    Resolve {
        /// Chosen by the sender.
        ticket: u64,
        /// The loser's state.
        state: Bytes,
        /// What the loser was to it. A process that has handled something takes its former one as
        /// any other.
        rival: Rival,
    },
    /// Take no more messages, handle those that wait, clean up, end. Whoever sends it kills the
    /// process after `grace`.
    Stop {
        /// Until when those that wait are handled.
        until: Instant,
        /// How long the cleaning up may take.
        grace: Duration,
    },
}

/// What a process learns of others. Waits while the process is frozen: the snapshot is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// A monitored process ended.
    Down(Box<Down>),
    /// A linked process ended abnormally.
    Linked(Box<Down>),
}

/// Where to send mail for a process that has moved away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// The name under which it runs elsewhere.
    pub name: Name,
    /// When the pid is forgotten.
    pub until: Instant,
}
