//! What the driver learns.

use crate::{Cause, Identity};
use bytes::Bytes;
use std::net::SocketAddr;
use swarm_base::Session;

/// What happened to a session. For one session in the order in which it happened: `Opened` or
/// `Failed`, then frames, then `Closed`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The transport is open, and both certificates are verified. Answer with
    /// [`Links::handle_opened`](crate::Links::handle_opened).
    Opened {
        /// The session; one that was accepted has a new number.
        session: Session,
        /// What the other's certificate says. Its cluster is this one's, its role is member, and
        /// its name is the one that was dialled.
        identity: Identity,
        /// Where the other node is.
        peer: SocketAddr,
    },
    /// A dial failed. Answer with [`Links::handle_failed`](crate::Links::handle_failed).
    Failed {
        /// The session that was to be.
        session: Session,
        /// Why.
        why: Cause,
    },
    /// A frame of the control stream, or a payload that came by itself.
    Frame {
        /// Where it came from.
        session: Session,
        /// Which of the two.
        lane: Lane,
        /// What was sent.
        bytes: Bytes,
    },
    /// The session is gone: every frame that came is before this. Answer with
    /// [`Links::handle_closed`](crate::Links::handle_closed).
    Closed {
        /// Which.
        session: Session,
        /// Why.
        why: Cause,
    },
    /// Somebody dialled this node and was turned away before there was a session. Left out where
    /// the driver is behind.
    Rejected {
        /// Where it came from.
        peer: SocketAddr,
        /// Why.
        why: Cause,
    },
}

/// How a frame travelled. There is no order between the lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lane {
    /// In order with all other control frames.
    Control,
    /// By itself, behind everything else.
    Bulk,
}
