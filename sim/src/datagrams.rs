//! A machine that needs nothing but datagrams, as a host.

use std::fmt::Debug;
use std::net::SocketAddr;
use swarm_base::{Instant, Machine, Output, Rng, Session};

use crate::{Effect, Host, SessionInput};

/// Makes a [`Machine`] whose peers are addresses a [`Host`]: each message is a datagram.
pub struct Datagrams<M: Machine> {
    /// The machine itself.
    pub machine: M,
    damage: fn(&M::Message, &mut Rng) -> Option<M::Message>,
}

impl<M: Machine<Peer = SocketAddr>> Datagrams<M> {
    /// Wraps `machine`. Its messages are never damaged.
    pub fn new(machine: M) -> Self {
        Self { machine, damage: |_, _| None }
    }

    /// The same host, with messages that are damaged by `damage` where the network damages
    /// datagrams; see [`with_bit_flips`](Self::with_bit_flips) for bytes.
    #[must_use]
    pub fn with_damage(mut self, damage: fn(&M::Message, &mut Rng) -> Option<M::Message>) -> Self {
        self.damage = damage;
        self
    }
}

impl<M: Machine<Peer = SocketAddr, Message = Vec<u8>>> Datagrams<M> {
    /// The same host, with up to eight bits flipped, and at times the end cut off, where the
    /// network damages datagrams.
    #[must_use]
    pub fn with_bit_flips(self) -> Self {
        self.with_damage(|bytes, rng| flipped(bytes, rng))
    }
}

impl<M> Host for Datagrams<M>
where
    M: Machine<Peer = SocketAddr>,
    M::Message: Clone + Debug,
    M::Event: Debug,
{
    type Datagram = M::Message;
    type Frame = ();
    type Identity = ();
    type Event = M::Event;

    fn identity(&self) {}

    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: M::Message) {
        self.machine.handle_message(now, from, datagram);
    }

    /// Nobody dials, so nothing happens.
    fn handle_session(&mut self, _: Instant, _: Session, _: SessionInput<(), ()>) {}

    fn handle_timeout(&mut self, now: Instant) {
        self.machine.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.machine.poll_timeout()
    }

    fn poll_effect(&mut self) -> Option<Effect<M::Message, (), M::Event>> {
        Some(match self.machine.poll_output()? {
            Output::Send { to, message } => Effect::Datagram { to, datagram: message },
            Output::Event(event) => Effect::Event(event),
        })
    }

    fn damaged(&self, datagram: &M::Message, rng: &mut Rng) -> Option<M::Message> {
        (self.damage)(datagram, rng)
    }
}

fn flipped(bytes: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let mut bytes = bytes.to_owned();
    for _ in 0..=rng.below(8) {
        let idx = rng.index(bytes.len())?;
        bytes[idx] ^= 1 << rng.below(8);
    }
    if rng.chance(200) {
        bytes.truncate(rng.index(bytes.len())?);
    }
    Some(bytes)
}
