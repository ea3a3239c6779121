//! Passing news on (SWIM §4.1), and the one place that makes packets.

use super::{Phase, Swim};
use crate::State;
use crate::suspicion::retransmits;
use crate::wire::{Message, Update};
use std::net::SocketAddr;
use swarm_base::{Boot, Instant, NodeId, Output};

impl Swim {
    /// Passes `update` on, from the next tick on and with every packet.
    pub(super) fn spread(&mut self, now: Instant, update: Update) {
        self.news.add(update);
        self.next_gossip = self.next_gossip.max(now);
    }

    /// When there is something to pass on, if there is.
    pub(super) fn gossip_due(&self) -> Option<Instant> {
        let accuses = || self.suspicions.values().any(|s| s.is_accused_by(&self.me));
        (!self.news.is_empty() || accuses()).then_some(self.next_gossip)
    }

    pub(super) fn gossip_tick(&mut self, now: Instant) {
        if self.gossip_due().is_none_or(|due| due > now) {
            return;
        }
        self.next_gossip = now + self.config.gossip_interval;
        if !self.news.is_empty() {
            for member in self.random_members(self.config.gossip_fanout, None) {
                self.send(member.address, &member.id, &Message::Gossip, &[]);
            }
        }
        // Who accuses tells the accused again and again: with one packet in five lost, a single
        // word would leave some without a chance to refute.
        let accused: Vec<_> = self
            .suspicions
            .iter()
            .filter(|(_, suspicion)| suspicion.is_accused_by(&self.me))
            .filter_map(|(name, _)| self.table.get(name).map(|entry| entry.member.clone()))
            .take(ACCUSED_PER_TICK)
            .collect();
        for member in accused {
            self.send(member.address, &member.id, &Message::Gossip, &[]);
        }
    }

    /// Sends `message` with `first`, what is believed of the receiver if that is not good, and as
    /// much news as fits.
    pub(super) fn send(
        &mut self,
        to: SocketAddr,
        receiver: &NodeId,
        message: &Message,
        first: &[Update],
    ) {
        let len_max = self.seal.body_len_max();
        let mut body = Vec::with_capacity(len_max);
        message.encode(&mut body);
        for update in self.accusation(receiver).iter().chain(first) {
            append(&mut body, update, len_max);
        }
        let n_sends = retransmits(&self.config, self.table.n_live());
        self.news.fill(&mut body, len_max, n_sends);
        self.post(to, receiver.boot, &body);
    }

    /// Sends `message` and `updates` and nothing else: to who is not a member, or as a reply
    /// whose content is exact. Returns how many of the updates fit.
    pub(super) fn send_bare(
        &mut self,
        to: SocketAddr,
        boot: Boot,
        message: &Message,
        updates: &[Update],
    ) -> usize {
        let len_max = self.seal.body_len_max();
        let mut body = Vec::with_capacity(len_max);
        message.encode(&mut body);
        let n_fit = updates.iter().take_while(|update| append(&mut body, update, len_max)).count();
        self.post(to, boot, &body);
        n_fit
    }

    fn post(&mut self, to: SocketAddr, receiver: Boot, body: &[u8]) {
        if matches!(self.phase, Phase::Silent) {
            return;
        }
        let message = self.seal.seal(receiver, body);
        self.counters.packets_out += 1;
        self.counters.bytes_out += message.len() as u64;
        self.outputs.push_back(Output::Send { to, message });
    }

    /// What is held against `receiver`, for it to refute.
    fn accusation(&self, receiver: &NodeId) -> Option<Update> {
        let member = self.table.member(receiver)?;
        let accuser = self.suspicions.get(&receiver.name).map(|suspicion| suspicion.accuser());
        (member.state != State::Alive && *receiver != self.me)
            .then(|| self.table.statement(&receiver.name, accuser))
            .flatten()
    }
}

/// Appends `update` where it fits.
fn append(body: &mut Vec<u8>, update: &Update, len_max: usize) -> bool {
    let len = body.len();
    update.encode(body);
    let fits = body.len() <= len_max;
    if !fits {
        body.truncate(len);
    }
    fits
}

/// How many suspects are told at each tick.
const ACCUSED_PER_TICK: usize = 3;
