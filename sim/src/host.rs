//! What the world drives: a node with a socket for datagrams and sessions to other nodes.

use std::fmt::Debug;
use std::net::SocketAddr;
use swarm_base::{Instant, Rng, Session};

/// A node as the world drives it.
///
/// The world calls one `handle_*` method at a time, then [`poll_effect`](Self::poll_effect) until
/// it returns `None`, then [`poll_timeout`](Self::poll_timeout). A host must tolerate spurious
/// calls and inputs for sessions that it has closed, and the same inputs at the same instants must
/// give the same effects: otherwise no seed replays.
pub trait Host {
    /// What travels alone: it may be lost, duplicated, damaged, delayed and overtaken.
    type Datagram: Clone + Debug;
    /// What travels on a session: ordered and reliable, until the session breaks and loses its
    /// tail.
    type Frame: Clone + Debug;
    /// What the certificate of a node says. Each end learns the other's when a session opens.
    type Identity: Clone + Debug;
    /// What the layer above learns. Checkers see every one.
    type Event: Debug;

    /// What this node's certificate says now.
    fn identity(&self) -> Self::Identity;

    /// A datagram arrived.
    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: Self::Datagram);

    /// Something happened to `session`.
    fn handle_session(
        &mut self,
        now: Instant,
        session: Session,
        input: SessionInput<Self::Frame, Self::Identity>,
    );

    /// `now` may have reached the deadline.
    fn handle_timeout(&mut self, now: Instant);

    /// When to call [`handle_timeout`](Self::handle_timeout) next, if ever.
    fn poll_timeout(&self) -> Option<Instant>;

    /// The next effect, in the order in which they came about.
    fn poll_effect(&mut self) -> Option<Effect<Self::Datagram, Self::Frame, Self::Event>>;

    /// A damaged copy of `datagram`, as bit flips on the way would leave it, or `None` where a
    /// datagram of this kind cannot be damaged. The default damages nothing.
    fn damaged(&self, datagram: &Self::Datagram, rng: &mut Rng) -> Option<Self::Datagram> {
        let _ = (datagram, rng);
        None
    }
}

/// What happens to a session, at one of its ends.
///
/// The order at each end is `Opened`, any number of `Frame`, `Closed`; or `Failed` alone. Nothing
/// comes after `Closed`, `Failed`, or the host's own [`Effect::Close`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionInput<F, I> {
    /// The session is up: at the end that dialled it, and at the end that accepts it.
    Opened {
        /// What the peer's certificate says.
        identity: I,
        /// Where the peer is.
        peer: SocketAddr,
    },
    /// The dial came to nothing: nobody answered within [`Faults::dial_timeout`].
    ///
    /// [`Faults::dial_timeout`]: crate::Faults::dial_timeout
    Failed,
    /// The next frame.
    Frame(F),
    /// The session is over: the peer closed it, or was silent for too long, or it broke. Frames
    /// that had not arrived by now never will.
    Closed,
}

/// What a host wants from the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect<D, F, E> {
    /// Send `datagram` to `to`, or lose it.
    Datagram {
        /// The receiver.
        to: SocketAddr,
        /// What to send.
        datagram: D,
    },
    /// Open a session to `to`; answered by `Opened` or `Failed`.
    Dial {
        /// A [`Session::dialled`] that this life of the host has not used before.
        session: Session,
        /// Whom to dial.
        to: SocketAddr,
    },
    /// Send `frame` on `session`. Ignored where the session is not open.
    Frame {
        /// The session.
        session: Session,
        /// What to send.
        frame: F,
    },
    /// Close `session`, or give up dialling it. The host hears nothing more of it; the peer hears
    /// `Closed`, after the frames that were sent before, unless the session breaks first or the
    /// network lets closes overtake. Ignored where the session is over already.
    Close {
        /// The session.
        session: Session,
    },
    /// Tell the layer above.
    Event(E),
}
