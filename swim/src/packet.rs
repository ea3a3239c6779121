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
    /// that only newer ones know, which are skipped. Who asks to be let in says who that is.
    #[must_use]
    pub fn decode(sender: NodeId, receiver: Boot, body: &[u8]) -> Option<Self> {
        let (message, updates) = wire::decode(body)?;
        let names_itself = || updates.first().is_some_and(|first| first.is_alive(&sender));
        if message == Message::Join && !names_itself() {
            return None;
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Claim;
    use crate::{Metadata, Record};
    use std::sync::Arc;
    use swarm_base::NodeName;

    fn node(name: &str) -> NodeId {
        NodeId::new(NodeName::new(name).expect("a name"), Boot { millis: 1, random: 0 })
    }

    #[test]
    fn who_joins_says_who_that_is() {
        let address = "127.0.0.1:7".parse().expect("an address");
        let alive =
            |id| Claim::Alive(Arc::new(Record { id, address, metadata: Metadata::default() }));
        let check = |claim: Option<Claim>, expected: bool| {
            let updates: Vec<_> =
                claim.into_iter().map(|claim| Update { incarnation: 0, claim }).collect();
            let (sender, message) = (node("a"), Message::Join);
            let packet = Packet { sender, receiver: Boot::default(), message, updates };
            let decoded = Packet::decode(node("a"), Boot::default(), &packet.encode());
            assert_eq!(decoded, expected.then_some(packet));
        };
        check(Some(alive(node("a"))), true);
        check(Some(alive(node("b"))), false);
        check(Some(Claim::Left { id: node("a"), address }), false);
        check(None, false);
    }
}
