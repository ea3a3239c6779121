//! The contract between a protocol and whatever drives it.

use crate::Instant;

/// What a machine wants from the world.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output<P, M, E> {
    /// Deliver `message` to `to`, or lose it: the machine copes.
    Send {
        /// The receiver.
        to: P,
        /// What to deliver.
        message: M,
    },
    /// Tell the layer above. Past tense is a fact; the imperative is a request, which a named
    /// method of the machine answers.
    Event(E),
}

/// A protocol as a state machine without clock, socket, task or lock.
///
/// After every call of a `handle_*` method, or of a method that takes `now`, the driver calls
/// [`poll_output`](Self::poll_output) until it returns `None`, then asks
/// [`poll_timeout`](Self::poll_timeout) when to call [`handle_timeout`](Self::handle_timeout).
/// Spurious calls are no-ops. The same inputs at the same instants give the same outputs.
pub trait Machine {
    /// How a peer is addressed.
    type Peer;
    /// What peers exchange.
    type Message;
    /// What the layer above learns.
    type Event;

    /// A message arrived.
    fn handle_message(&mut self, now: Instant, from: Self::Peer, message: Self::Message);

    /// `now` may have reached the deadline.
    fn handle_timeout(&mut self, now: Instant);

    /// When to call [`handle_timeout`](Self::handle_timeout) next, if ever.
    fn poll_timeout(&self) -> Option<Instant>;

    /// The next output, in the order in which they came about.
    fn poll_output(&mut self) -> Option<Output<Self::Peer, Self::Message, Self::Event>>;
}
