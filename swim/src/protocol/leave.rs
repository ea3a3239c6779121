//! Saying goodbye: to some members directly, until they have answered, and by gossip to all.

use super::{Phase, Protocol, Sender};
use crate::wire::Message;
use crate::{Event, Member, State};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use swarm_base::{Instant, NodeId};

/// A goodbye that is under way.
pub(super) struct Goodbye {
    seq: u64,
    /// Who has not answered yet.
    waiting: BTreeMap<NodeId, SocketAddr>,
    next: Instant,
    deadline: Instant,
}

impl Goodbye {
    pub(super) fn due(&self) -> Instant {
        self.next.min(self.deadline)
    }
}

impl Protocol {
    /// Says goodbye. [`Event::Departed`] comes when some members have confirmed it, at once where
    /// there are none, and in any case after [`leave_timeout`](crate::Config::leave_timeout);
    /// after it the machine is silent. Leaving twice is leaving once.
    pub fn leave(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        let own = self.own().clone();
        let incarnation = own.incarnation.saturating_add(1);
        self.table.set_own(now, Member { state: State::Left, incarnation, ..own });
        let told = self.order.sample(&mut self.rng, &mut self.table, TOLD_MAX, None);
        let told = told.into_iter().filter_map(|position| self.table.at(position));
        let waiting: BTreeMap<_, _> =
            told.map(|entry| (entry.member.id.clone(), entry.member.address)).collect();
        if waiting.is_empty() {
            return self.fall_silent(Event::Departed);
        }
        let seq = self.next_seq();
        let deadline = now + self.config.leave_timeout;
        self.phase = Phase::Leaving(Goodbye { seq, waiting, next: now, deadline });
        self.state_own(now);
        self.leave_tick(now);
    }

    pub(super) fn leave_tick(&mut self, now: Instant) {
        let interval = self.config.gossip_interval;
        let Phase::Leaving(goodbye) = &mut self.phase else { return };
        if goodbye.deadline <= now {
            return self.fall_silent(Event::Departed);
        }
        if goodbye.next > now {
            return;
        }
        goodbye.next = now + interval;
        let (seq, waiting) = (goodbye.seq, goodbye.waiting.clone());
        let own = self.own_statement();
        for (id, address) in waiting {
            self.send(address, &id, Message::Leave { seq }, std::slice::from_ref(&own));
        }
    }

    /// Somebody leaves; its record, merged already, says so.
    pub(super) fn handle_leave(&mut self, sender: &Sender, seq: u64) {
        let ack = Message::Ack { seq, digest: self.table.digest() };
        self.send_bare(sender.from, sender.id.boot, ack, []);
    }

    /// Whether an answer with this number was to our goodbye.
    pub(super) fn handle_leave_ack(&mut self, sender: &Sender, seq: u64) -> bool {
        let Phase::Leaving(goodbye) = &mut self.phase else { return false };
        if goodbye.seq != seq {
            return false;
        }
        goodbye.waiting.remove(&sender.id);
        if goodbye.waiting.is_empty() {
            self.fall_silent(Event::Departed);
        }
        true
    }
}

/// How many members are told directly (memberlist's leave, by gossip alone, takes 25 s in a large
/// pool: consul#8435).
const TOLD_MAX: usize = 8;
