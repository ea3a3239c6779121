//! Passing news on (SWIM §4.1), and the one place that makes packets.

use super::{Phase, Protocol};
use crate::State;
use crate::news::Turn;
use crate::packet::Draft;
use crate::suspicion::retransmits;
use crate::table::Position;
use crate::wire::{Message, Update};
use std::net::SocketAddr;
use swarm_base::{Boot, Instant, NodeId, Output};

impl Protocol {
    /// Passes `update` on, from the next tick on and with every packet.
    pub(super) fn spread(&mut self, now: Instant, update: Update, turn: Turn) {
        self.news.add(update, turn);
        self.next_gossip = self.next_gossip.max(now);
    }

    /// How often each piece of news is sent.
    pub(super) fn n_sends(&self) -> u32 {
        retransmits(&self.config, self.table.n_live())
    }

    /// When there is something to pass on, if there is.
    pub(super) fn gossip_due(&self) -> Option<Instant> {
        let has_news = !self.news.is_empty() || self.suspicions.own().next().is_some();
        let has_news = has_news || self.has_told;
        (has_news && self.table.n_live() > 1).then_some(self.next_gossip)
    }

    pub(super) fn gossip_tick(&mut self, now: Instant) {
        if self.gossip_due().is_none_or(|due| due > now) {
            return;
        }
        let interval = self.config.gossip_interval;
        self.next_gossip = now + interval;
        if !self.news.is_empty() {
            let fanout = self.config.gossip_fanout;
            for member in self.order.sample(&mut self.rng, &mut self.table, fanout, None) {
                self.gossip_to(member, &[]);
            }
            self.has_told = true;
            if self.news.has_untold() {
                // More than packets hold: when many join at once.
                self.next_gossip = now + interval / 4;
            }
        } else if std::mem::take(&mut self.has_told) {
            self.tell_digest();
        }
        // Who accuses tells the accused again and again: with one packet in five lost, a single
        // word would leave some without a chance to refute.
        if self.config.buddy {
            let accused: Vec<_> = self.suspicions.own().take(ACCUSED_PER_TICK).collect();
            accused.into_iter().for_each(|suspect| self.gossip_to(suspect, &[]));
        }
    }

    /// News is not told for ever, and by chance somebody has missed some: compares with somebody
    /// as soon as all is told, and not only at the next probe.
    fn tell_digest(&mut self) {
        let somebody = self.order.sample(&mut self.rng, &mut self.table, 1, None).pop();
        let entry = somebody.and_then(|position| self.table.at(position));
        if let Some(record) = entry.map(|entry| entry.member.record.clone()) {
            let told = Message::Told { digest: self.table.digest() };
            self.send(record.address, &record.id, told, &[]);
        }
    }

    /// Sends a member nothing but updates.
    pub(super) fn gossip_to(&mut self, member: Position, first: &[Update]) {
        let Some(record) = self.table.at(member).map(|entry| entry.member.record.clone()) else {
            return;
        };
        self.send(record.address, &record.id, Message::Gossip, first);
    }

    /// Sends `message` with `first`, what is believed of the receiver if that is not good, and as
    /// much news as fits.
    pub(super) fn send(
        &mut self,
        to: SocketAddr,
        receiver: &NodeId,
        message: Message,
        first: &[Update],
    ) {
        let mut draft = Draft::new(message, self.body_len_max);
        for update in self.accusation(receiver).into_iter().chain(first.iter().cloned()) {
            draft.push(update);
        }
        if !self.news.is_empty() {
            let n_sends = self.n_sends();
            self.news.fill(&mut draft, n_sends);
        }
        self.post(to, receiver.boot, draft);
    }

    /// Sends `message` and `updates` and nothing else: to who is not a member, or as a reply
    /// whose content is exact. Updates that do not fit are left out.
    pub(super) fn send_bare(
        &mut self,
        to: SocketAddr,
        boot: Boot,
        message: Message,
        updates: impl IntoIterator<Item = Update>,
    ) {
        let mut draft = Draft::new(message, self.body_len_max);
        for update in updates {
            draft.push(update);
        }
        self.post(to, boot, draft);
    }

    pub(super) fn post(&mut self, to: SocketAddr, receiver: Boot, draft: Draft) {
        if matches!(self.phase, Phase::Silent) {
            return;
        }
        self.counters.packets_out += 1;
        self.n_caused = self.n_caused.map(|n| n + 1);
        let message = draft.addressed(self.me.clone(), receiver);
        self.outputs.push_back(Output::Send { to, message });
    }

    /// Whether one more packet may be sent for the one that arrived, besides `n` that have to be:
    /// none causes more than four, so that no number of nodes can be made to talk without end.
    /// What is left out here is found by the next comparison of tables.
    pub(super) fn may_cause(&self, n: u32) -> bool {
        self.n_caused.is_none_or(|caused| caused + n < CAUSED_MAX)
    }

    /// What is held against `receiver`, for it to refute (Lifeguard, Buddy System).
    fn accusation(&self, receiver: &NodeId) -> Option<Update> {
        let entry = self.table.get(&receiver.name)?;
        let held = &entry.member;
        if held.state == State::Alive || held.id != *receiver || *receiver == self.me {
            return None;
        }
        if held.state == State::Suspect && !self.config.buddy {
            return None;
        }
        let suspicion = self.suspicions.get(Position::of(&receiver.name));
        Some(entry.statement(suspicion.map(|suspicion| suspicion.accuser())))
    }
}

/// How many packets one packet causes at most.
const CAUSED_MAX: u32 = 4;

/// How many suspects are told at each tick.
const ACCUSED_PER_TICK: usize = 3;
