//! What the machine tells the layer above.

use crate::{Cause, Reason};
use std::net::SocketAddr;
use swarm_base::{NodeId, NodeName, Session};

/// What the layer above learns or has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Open a transport to `node`, and answer with
    /// [`handle_opened`](crate::Links::handle_opened) or
    /// [`handle_failed`](crate::Links::handle_failed).
    Dial {
        /// The number of the session to be.
        session: Session,
        /// Who should answer.
        node: NodeId,
        /// Where.
        address: SocketAddr,
    },
    /// Close the transport, or give up dialling it. It needs no answer.
    Close {
        /// Which.
        session: Session,
        /// What to tell the other side.
        reason: Reason,
    },
    /// `session` carries the traffic with exactly this life of the node.
    Up {
        /// The other node. Its boot may be newer than the membership knows yet.
        node: NodeId,
        /// The session.
        session: Session,
    },
    /// `session` carries no traffic any more. Another one may follow.
    Down {
        /// The other node.
        node: NodeId,
        /// The session.
        session: Session,
        /// Why it ended.
        why: Cause,
    },
    /// A session ended before it was up. If the node is a member, it is tried again later.
    Refused {
        /// The session.
        session: Session,
        /// Who was dialled, or whose certificate it is.
        name: NodeName,
        /// Where it was dialled, or where it came from.
        address: SocketAddr,
        /// Why.
        why: Cause,
    },
}
