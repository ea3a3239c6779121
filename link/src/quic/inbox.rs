//! Where messages arrive.

use bytes::Bytes;
use std::fmt;
use std::pin::Pin;
use swarm_base::Session;

/// Takes the message frames of all sessions, on the reading task of each: messages go around
/// whoever drives the machines.
///
/// Calls for one session come one after the other, in the order in which its frames were pushed;
/// calls for different sessions at the same time. Frames are bytes from the network: they must not
/// make it panic.
pub trait Inbox: Send + Sync + 'static {
    /// Takes one frame of a session that was [opened](super::Endpoint::open).
    ///
    /// The frame shares its allocation with its neighbours, up to some hundred kilobytes: copy
    /// what is kept for long.
    fn deliver(&self, from: Session, frame: Bytes) -> Pace;

    /// All frames that had arrived have been delivered: now is the time to act on the whole batch.
    fn batch_end(&self, from: Session) -> Pace {
        let _ = from;
        Pace::Go
    }
}

/// Whether a session's reader goes on.
#[must_use]
pub enum Pace {
    /// At once.
    Go,
    /// When the future is done. Until then nothing is read from the session's message stream, so
    /// that in the end the sender waits. Dropped undone when the session ends.
    Wait(Pin<Box<dyn Future<Output = ()> + Send>>),
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Go => "Go",
            Self::Wait(_) => "Wait(..)",
        })
    }
}
