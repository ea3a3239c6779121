//! The way of a packet through the machine: opened, decoded, merged, answered.

use super::{Phase, Sender, Swim};
use crate::seal::{Opened, Refusal};
use crate::wire::{self, Message};
use std::net::SocketAddr;
use swarm_base::{Boot, Instant, NodeId};

impl Swim {
    pub(super) fn handle_packet(&mut self, now: Instant, from: SocketAddr, mut packet: Vec<u8>) {
        let len = packet.len() as u64;
        let (sender, receiver, decoded) = match self.seal.open(now, &mut packet) {
            Ok(Opened { sender, receiver, body }) => (sender, receiver, wire::decode(body)),
            Err(refusal) => return self.count(refusal),
        };
        let Some((message, updates)) = decoded else {
            self.counters.refused.body += 1;
            return;
        };
        let is_hello = matches!(message, Message::Hello { .. });
        if receiver == Boot::default() && !is_hello {
            // Only what changes nothing may come without proof that it is meant for this life.
            self.counters.refused.receiver += 1;
            return;
        }
        self.counters.packets_in += 1;
        self.counters.bytes_in += len;
        let sender = Sender { id: sender, from };
        match message {
            Message::Hello { nonce } => self.handle_hello(&sender, nonce),
            _ if sender.id == self.me => {}
            Message::Join => self.handle_join(now, &sender, updates),
            _ if self.is_outdated(&sender.id) => self.correct_sender(now, &sender),
            _ => {
                self.handle_updates(now, &sender, &updates);
                self.dispatch(now, &sender, message);
                self.meet(now, &sender);
            }
        }
    }

    fn dispatch(&mut self, now: Instant, sender: &Sender, message: Message) {
        if matches!(self.phase, Phase::Silent) {
            return;
        }
        match message {
            Message::HelloAck { nonce } => self.handle_hello_ack(now, sender, nonce),
            Message::Taken { holder } => self.handle_taken(sender, holder),
            Message::Behind { remembered } => self.handle_behind(sender, remembered),
            Message::Pull { from } => self.handle_pull(sender, from),
            Message::Page { from, until } => self.handle_page(now, sender, from, until),
            Message::Ping { seq, digest } => self.handle_ping(now, sender, seq, digest),
            Message::Ack { seq, digest } => self.handle_ack(now, sender, seq, digest),
            Message::PingReq { seq, target, address } => {
                self.handle_ping_req(now, sender, seq, target, address);
            }
            Message::Leave { seq } => self.handle_leave(sender, seq),
            Message::Gossip | Message::Hello { .. } | Message::Join => {}
        }
    }

    /// Whether a newer boot of the sender's name is known. Of our own name both are heard: the
    /// older one may be the holder who says that it is taken.
    fn is_outdated(&self, sender: &NodeId) -> bool {
        !self.is_self(&sender.name)
            && self.table.get(&sender.name).is_some_and(|entry| entry.member.id.boot > sender.boot)
    }

    fn count(&mut self, refusal: Refusal) {
        let refused = &mut self.counters.refused;
        *match refusal {
            Refusal::Oversized => &mut refused.oversized,
            Refusal::Header => &mut refused.header,
            Refusal::Cluster => &mut refused.cluster,
            Refusal::Key => &mut refused.key,
            Refusal::Receiver => &mut refused.receiver,
            Refusal::Tag => &mut refused.tag,
            Refusal::Replay => &mut refused.replay,
        } += 1;
    }
}
