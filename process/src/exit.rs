//! How a process ended, and who is told.

use serde::{Deserialize, Serialize};
use std::fmt;
use swarm_base::Pid;

/// Why a process is no more.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ExitReason {
    /// It stopped by itself, or was asked to and did in time.
    Stopped,
    /// Its code panicked.
    Panicked {
        /// The panic's text.
        message: String,
    },
    /// It never ran: its start returned an error, or its arguments or state do not decode.
    StartFailed {
        /// What the start said.
        message: String,
    },
    /// Ended from outside without a chance to clean up, also when it overran a grace period.
    Killed,
    /// It sent itself more messages, or set itself more timers or monitors, than a process holds.
    Overloaded,
    /// A process that it was linked to ended abnormally.
    Linked {
        /// The other one.
        pid: Pid,
    },
    /// It runs on another node now, under another pid.
    Moved,
    /// It was a standby that was not needed.
    Discarded,
    /// There is no such process, or was none when the monitor was set.
    NoProcess,
    /// Its node is gone, or cannot be reached any more.
    NodeDown,
}

impl ExitReason {
    /// Whether linked processes end too and a `Transient` worker is restarted.
    #[must_use]
    pub const fn is_abnormal(&self) -> bool {
        !matches!(self, Self::Stopped | Self::Moved | Self::Discarded)
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("stopped"),
            Self::Panicked { message } => write!(f, "panicked: {message}"),
            Self::StartFailed { message } => write!(f, "did not start: {message}"),
            Self::Killed => f.write_str("killed"),
            Self::Overloaded => f.write_str("overloaded itself"),
            Self::Linked { pid } => write!(f, "ended with {pid}, which it was linked to"),
            Self::Moved => f.write_str("moved to another node"),
            Self::Discarded => f.write_str("was a standby that was not needed"),
            Self::NoProcess => f.write_str("no such process"),
            Self::NodeDown => f.write_str("its node is down"),
        }
    }
}

/// What a monitor is told, exactly once: the process is no more.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Down {
    /// The process.
    pub pid: Pid,
    /// Why it ended.
    pub reason: ExitReason,
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.pid, self.reason)
    }
}
