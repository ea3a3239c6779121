//! A packet before it is encoded and sealed: one message, then updates, never more than fit.

use crate::wire::{self, Message, Update};
use std::net::SocketAddr;
use swarm_base::{Boot, NodeId};

/// What one node sends another in one datagram. Opaque: only [`Protocol`](crate::Protocol)s make
/// and read them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub(crate) sender: NodeId,
    /// The life that it is meant for; the default where the sender does not know it.
    pub(crate) receiver: Boot,
    pub(crate) message: Message,
    pub(crate) updates: Vec<Update>,
}

impl Packet {
    /// The bytes of its body, without what sealing adds.
    #[must_use]
    pub fn body_len(&self) -> usize {
        self.message.len() + self.updates.iter().map(Update::len).sum::<usize>()
    }

    /// The packet that a sealed datagram's body stands for, by whom the datagram proved to come
    /// from. `None` for bytes that no node of this version writes, but for statements of kinds
    /// that only newer ones know, which are skipped.
    #[must_use]
    pub fn decode(sender: NodeId, receiver: Boot, body: &[u8]) -> Option<Self> {
        let (message, updates) = wire::decode(body)?;
        Some(Self { sender, receiver, message, updates })
    }

    /// Its body as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.body_len());
        self.encode_body(&mut body);
        body
    }

    /// What it is for, in one word, such as `ping` or `gossip`: for those who count packets.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.message.kind()
    }

    pub(crate) fn encode_body(&self, body: &mut Vec<u8>) {
        self.message.encode(body);
        self.updates.iter().for_each(|update| update.encode(body));
    }
}

/// A packet that is being filled, and the room that is left in it.
pub(crate) struct Draft {
    message: Message,
    updates: Vec<Update>,
    room: usize,
}

impl Draft {
    /// A packet of `message`, with up to `body_len_max` bytes.
    pub(crate) fn new(message: Message, body_len_max: usize) -> Self {
        let room = body_len_max.checked_sub(message.len()).expect("every message fits a packet");
        Self { message, updates: Vec::new(), room }
    }

    /// Appends `update` where it fits.
    pub(crate) fn push(&mut self, update: Update) -> bool {
        let len = update.len();
        let fits = len <= self.room;
        if fits {
            self.room -= len;
            self.updates.push(update);
        }
        fits
    }

    /// The same with another message of the same length.
    pub(crate) fn with_message(self, message: Message) -> Self {
        debug_assert_eq!(self.message.len(), message.len());
        Self { message, ..self }
    }

    /// How many updates there are.
    pub(crate) const fn n_updates(&self) -> usize {
        self.updates.len()
    }

    /// Whether `update` is among the first `n`.
    pub(crate) fn begins_with(&self, n: usize, update: &Update) -> bool {
        self.updates[..n].contains(update)
    }

    pub(crate) const fn room(&self) -> usize {
        self.room
    }

    pub(crate) fn addressed(self, sender: NodeId, receiver: Boot) -> Packet {
        Packet { sender, receiver, message: self.message, updates: self.updates }
    }
}

/// Who sent a packet, and from where.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    pub(crate) id: NodeId,
    pub(crate) from: SocketAddr,
}
