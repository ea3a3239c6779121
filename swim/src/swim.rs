//! The protocol behind sealing: what a node of a cluster is made of.

use crate::keys::{self, Progress, Rotation, Step};
use crate::seal::{Opened, Refusal, Seal};
use crate::wire::Message;
use crate::{
    Checked, Cipher, Event, KeyChange, KeyChangeError, KeyId, KeyRefusal, Keyring, Member,
    Metadata, Packet, Protocol,
};
use std::collections::VecDeque;
use std::net::SocketAddr;
use swarm_base::{ClusterSecret, Instant, Machine, NodeId, Output, Rng};

/// The membership protocol of one node, sealed.
///
/// A [`Machine`]: feed it datagrams and the time, carry out what it hands out. A datagram is at
/// most [`packet_len_max`](crate::Config::packet_len_max) bytes and sealed. Bytes that are not a
/// fresh packet of a member of the cluster are counted and change nothing. What is known of the
/// cluster is asked of the [`Protocol`] that it derefs to.
pub struct Swim {
    protocol: Protocol,
    seal: Seal,
    rotation: Option<Rotation>,
    last_rotation: u64,
    outputs: VecDeque<Output<SocketAddr, Packet, Event>>,
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
            rotation: None,
            last_rotation: 0,
            outputs: VecDeque::new(),
        }
    }

    /// The secrets.
    #[must_use]
    pub const fn keyring(&self) -> &Keyring {
        self.seal.keyring()
    }

    /// What the keys are called, the one that seals first.
    #[must_use]
    pub fn keys(&self) -> Vec<KeyId> {
        self.keyring().secrets().iter().map(|secret| self.key_id(secret)).collect()
    }

    /// What a key is called.
    #[must_use]
    pub fn key_id(&self, secret: &ClusterSecret) -> KeyId {
        self.seal.key_id(secret)
    }

    /// Takes a step of changing the secret: at this node, then at every live member, each of which
    /// is asked until it has confirmed. [`Event::KeysConfirmed`] tells how it ended, after ten
    /// probe intervals at the latest. A new secret is [installed](KeyChange::Install), then
    /// [used](KeyChange::Use), then the old one [removed](KeyChange::Remove), each once the step
    /// before is complete.
    ///
    /// # Errors
    ///
    /// [`KeyChangeError`] where it is not begun. Nothing changed.
    pub fn change_keys(&mut self, now: Instant, change: KeyChange) -> Result<(), KeyChangeError> {
        if self.rotation.is_some() {
            return Err(KeyChangeError::Busy);
        }
        let (id, own) = match &change {
            KeyChange::Install(secret) => (self.key_id(secret), Step::Install(secret.clone())),
            KeyChange::Use(id) => (*id, Step::Holds(*id)),
            KeyChange::Remove(id) => (*id, Step::Spares(*id)),
        };
        self.take_step(&own)?;
        self.last_rotation += 1;
        let config = self.protocol.config();
        self.rotation = Some(Rotation::new(now, self.last_rotation, id, change, config));
        self.rotation_tick(now);
        Ok(())
    }

    fn take_step(&mut self, step: &Step) -> Result<(), KeyRefusal> {
        let keyring = keys::take(self.keyring(), step, |secret| self.key_id(secret))?;
        if keyring.secrets() != self.keyring().secrets() {
            self.seal.set_keyring(keyring);
            let changed = Event::KeysChanged(self.keys());
            self.outputs.push_back(Output::Event(changed));
        }
        Ok(())
    }

    fn rotation_tick(&mut self, now: Instant) {
        if self.protocol.is_silent() {
            return;
        }
        loop {
            let Some(rotation) = &mut self.rotation else { return };
            let (me, interval) = (self.protocol.me(), self.protocol.config().gossip_interval * 2);
            let others = self.protocol.members().filter(|m| m.is_live() && m.id != *me);
            match rotation.turn(now, others, interval) {
                Progress::Wait => return,
                Progress::Ask(step, missing) => {
                    let seq = rotation.tag();
                    for node in missing {
                        self.send(&node, Message::KeyAsk { seq, step: step.clone() });
                    }
                    return;
                }
                // Nothing was asked of this node that it has not confirmed before.
                Progress::Begin(step) => drop(self.take_step(&step)),
                Progress::Over(report) => {
                    self.rotation = None;
                    self.outputs.push_back(Output::Event(Event::KeysConfirmed(report)));
                    return;
                }
            }
        }
    }

    /// A member asks for a step, or answers.
    fn handle_keys(&mut self, now: Instant, packet: &Packet) {
        let is_known = self.protocol.member(&packet.sender).is_some_and(Member::is_live);
        if self.protocol.is_silent() || !is_known {
            return;
        }
        match &packet.message {
            Message::KeyAsk { seq, step } => {
                let done = Message::KeyDone { seq: *seq, refusal: self.take_step(step).err() };
                self.send(&packet.sender, done);
            }
            Message::KeyDone { seq, refusal } => {
                let open = self.rotation.as_mut().filter(|rotation| rotation.tag() == *seq);
                if let Some(rotation) = open {
                    rotation.answered(&packet.sender, *refusal);
                    self.rotation_tick(now);
                }
            }
            _ => {}
        }
    }

    fn send(&mut self, to: &NodeId, message: Message) {
        let Some(to) = self.protocol.member(to) else { return };
        let (address, receiver) = (to.address, to.id.boot);
        let sender = self.protocol.me().clone();
        let packet = Packet { sender, receiver, message, updates: Vec::new() };
        self.protocol.counters_mut().packets_out += 1;
        self.outputs.push_back(Output::Send { to: address, message: packet });
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
                if matches!(packet.message, Message::KeyAsk { .. } | Message::KeyDone { .. })
                    && packet.receiver == self.protocol.me().boot
                {
                    self.handle_keys(now, &packet);
                }
                self.protocol.handle_message(now, from, packet);
            }
            Err(refusal) => self.refuse(refusal),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.protocol.handle_timeout(now);
        self.rotation_tick(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let protocol = self.protocol.poll_timeout()?;
        let rotation = self.rotation.as_ref().map(Rotation::due);
        Some(rotation.map_or(protocol, |due| due.min(protocol)))
    }

    fn poll_output(&mut self) -> Option<Output<SocketAddr, Vec<u8>, Event>> {
        let output = self.protocol.poll_output().or_else(|| self.outputs.pop_front())?;
        Some(match output {
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

/// All that can be asked without changing anything.
impl std::ops::Deref for Swim {
    type Target = Protocol;

    fn deref(&self) -> &Protocol {
        &self.protocol
    }
}

impl std::fmt::Debug for Swim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.protocol, f)
    }
}
