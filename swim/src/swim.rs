//! The protocol behind sealing: what a node of a cluster is made of.

use crate::seal::{Opened, Refusal, Seal};
use crate::{
    Checked, Cipher, Counters, Event, Health, Keyring, Member, Metadata, Packet, Protocol,
};
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Instant, Machine, NodeId, Output, Rng};

/// The membership protocol of one node, sealed.
///
/// A [`Machine`]: feed it datagrams and the time, carry out what it hands out. A datagram is at
/// most [`packet_len_max`](crate::Config::packet_len_max) bytes and sealed. Bytes that are not a
/// fresh packet of a member of the cluster are counted and change nothing.
pub struct Swim {
    protocol: Protocol,
    seal: Seal,
}

impl Swim {
    /// A node that knows only itself. `address` is what it advertises: others send there.
    ///
    /// `rng` need not be secret; all sealing is by counters.
    #[must_use]
    #[expect(
        clippy::too_many_arguments,
        reason = "each is one thing that a node cannot be without"
    )]
    pub fn new(
        now: Instant,
        me: NodeId,
        address: SocketAddr,
        metadata: Metadata,
        config: Checked,
        keyring: Keyring,
        cipher: Box<dyn Cipher>,
        rng: Rng,
    ) -> Self {
        Self {
            seal: Seal::new(me.clone(), keyring, cipher),
            protocol: Protocol::new(now, me, address, metadata, config, rng),
        }
    }

    /// Changes the secrets. Packets that are on their way under a key that is gone are lost.
    pub fn set_keyring(&mut self, keyring: Keyring) {
        self.seal.set_keyring(keyring);
    }

    /// As [`Protocol::join`].
    pub fn join(&mut self, now: Instant, seeds: impl IntoIterator<Item = SocketAddr>) {
        self.protocol.join(now, seeds);
    }

    /// As [`Protocol::leave`].
    pub fn leave(&mut self, now: Instant) {
        self.protocol.leave(now);
    }

    /// As [`Protocol::set_metadata`].
    pub fn set_metadata(&mut self, now: Instant, metadata: Metadata) {
        self.protocol.set_metadata(now, metadata);
    }

    /// As [`Protocol::set_config`].
    pub fn set_config(&mut self, now: Instant, config: Checked) {
        self.protocol.set_config(now, config);
    }

    /// As [`Protocol::hint_alive`].
    pub fn hint_alive(&mut self, now: Instant, node: &NodeId) {
        self.protocol.hint_alive(now, node);
    }

    /// As [`Protocol::hint_silent`].
    pub fn hint_silent(&mut self, now: Instant, node: &NodeId) {
        self.protocol.hint_silent(now, node);
    }

    /// As [`Protocol::hint_closed`].
    pub fn hint_closed(&mut self, now: Instant, node: &NodeId) {
        self.protocol.hint_closed(now, node);
    }

    /// As [`Protocol::hint_refused`].
    pub fn hint_refused(&mut self, now: Instant, node: &NodeId) {
        self.protocol.hint_refused(now, node);
    }

    /// As [`Protocol::watched`].
    pub fn watched(&self) -> impl Iterator<Item = &Member> {
        self.protocol.watched()
    }

    /// As [`Protocol::doubted`].
    pub fn doubted(&self) -> impl Iterator<Item = &Member> {
        self.protocol.doubted()
    }

    /// As [`Protocol::members`].
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.protocol.members()
    }

    /// As [`Protocol::member`].
    #[must_use]
    pub fn member(&self, id: &NodeId) -> Option<&Member> {
        self.protocol.member(id)
    }

    /// As [`Protocol::n_live`].
    #[must_use]
    pub const fn n_live(&self) -> usize {
        self.protocol.n_live()
    }

    /// As [`Protocol::digest`].
    #[must_use]
    pub const fn digest(&self) -> u64 {
        self.protocol.digest()
    }

    /// As [`Protocol::rtt`].
    #[must_use]
    pub fn rtt(&self, id: &NodeId) -> Option<Duration> {
        self.protocol.rtt(id)
    }

    /// As [`Protocol::health`].
    #[must_use]
    pub const fn health(&self) -> Health {
        self.protocol.health()
    }

    /// What happened how often.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.protocol.counters()
    }

    fn refuse(&mut self, refusal: Refusal) {
        let refused = &mut self.protocol.counters_mut().refused;
        *match refusal {
            Refusal::Oversized => &mut refused.oversized,
            Refusal::Header => &mut refused.header,
            Refusal::Cluster => &mut refused.cluster,
            Refusal::Key => &mut refused.key,
            Refusal::Receiver => &mut refused.receiver,
            Refusal::Tag => &mut refused.tag,
            Refusal::Replay => &mut refused.replay,
            Refusal::Budget => &mut refused.budget,
            Refusal::Body => &mut refused.body,
        } += 1;
    }

    fn open(&mut self, now: Instant, datagram: &mut [u8]) -> Result<Packet, Refusal> {
        let Opened { sender, receiver, body } = self.seal.open(now, datagram)?;
        Packet::decode(sender, receiver, body).ok_or(Refusal::Body)
    }
}

impl Machine for Swim {
    type Peer = SocketAddr;
    type Message = Vec<u8>;
    type Event = Event;

    fn handle_message(&mut self, now: Instant, from: SocketAddr, mut datagram: Vec<u8>) {
        let len = datagram.len() as u64;
        match self.open(now, &mut datagram) {
            Ok(packet) => {
                self.protocol.counters_mut().bytes_in += len;
                self.protocol.handle_message(now, from, packet);
            }
            Err(refusal) => self.refuse(refusal),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.protocol.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.protocol.poll_timeout()
    }

    fn poll_output(&mut self) -> Option<Output<SocketAddr, Vec<u8>, Event>> {
        Some(match self.protocol.poll_output()? {
            Output::Send { to, message: packet } => {
                let (receiver, len) = (packet.receiver, packet.body_len());
                let message = self.seal.seal(receiver, len, |body| packet.encode_body(body));
                self.protocol.counters_mut().bytes_out += message.len() as u64;
                Output::Send { to, message }
            }
            Output::Event(event) => Output::Event(event),
        })
    }
}

impl std::fmt::Debug for Swim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.protocol, f)
    }
}
