//! Finding the group: seeds that are tried for ever, and the dead that are tried now and then.

use super::{Merged, Phase, Protocol, Sender};
use crate::wire::{self, Message};
use crate::{Event, Member};
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Boot, Instant, NodeId, NodeName};

/// An address where a member may be.
#[derive(Debug)]
pub(super) struct Seed {
    address: SocketAddr,
    next: Instant,
    wait: Duration,
    found: Found,
}

/// Who is at a seed's address.
#[derive(Debug)]
enum Found {
    Nobody,
    /// This node itself, by another of its addresses.
    Myself,
    /// Its whole table has been fetched.
    Member(NodeName),
}

/// A question to an address where somebody may be.
#[derive(Debug)]
pub(super) struct Hello {
    to: SocketAddr,
    expires: Instant,
}

/// What a table is fetched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To enter the group of whoever is at this address.
    Join(SocketAddr),
    /// To compare with a member.
    Sync,
}

impl Seed {
    pub(super) const fn due(&self) -> Instant {
        self.next
    }
}

impl Protocol {
    /// Enters the group of whoever is at one of `seeds`. Adds to the seeds of earlier calls.
    ///
    /// Each is tried for ever, with growing waits, while nobody there is a live member; also later,
    /// when the member there has died. [`Event::Merged`] comes after the first exchange; a node
    /// without seeds, or whose only seed is its own address, is its own group, and merged at once.
    /// At most 256 seeds; more are ignored.
    pub fn join(&mut self, now: Instant, seeds: impl IntoIterator<Item = SocketAddr>) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        for address in seeds {
            let address = wire::canonical(address);
            let is_known = self.seeds.iter().any(|seed| seed.address == address);
            if is_known || address == self.own().address || self.seeds.len() >= SEEDS_MAX {
                continue;
            }
            let wait = self.config.seed_retry_min;
            self.seeds.push(Seed { address, next: now, wait, found: Found::Nobody });
        }
        if self.seeds.is_empty() {
            self.report_merged();
        }
        self.seed_tick(now);
    }

    pub(super) fn seed_tick(&mut self, now: Instant) {
        for idx in 0..self.seeds.len() {
            if self.seeds[idx].next > now {
                continue;
            }
            let wait = if self.is_settled(&self.seeds[idx]) {
                self.seeds[idx].wait = self.config.seed_retry_min;
                self.config.seed_retry_max
            } else {
                let to = self.seeds[idx].address;
                self.hello(now, to);
                let wait = self.seeds[idx].wait;
                self.seeds[idx].wait = (wait * 2).min(self.config.seed_retry_max);
                wait
            };
            // Up to half as long again, so that nodes that start together do not ask together.
            self.seeds[idx].next = now + self.rng.duration(wait..=wait + wait / 2);
        }
    }

    /// Whether nothing needs to be asked of a seed.
    fn is_settled(&self, seed: &Seed) -> bool {
        let lives = |name| self.table.get(name).is_some_and(|entry| entry.member.is_live());
        match &seed.found {
            Found::Myself => true,
            Found::Member(name) if lives(name) => true,
            // A member that was met through another seed counts, once there has been one.
            _ => {
                self.merged == Merged::Reported
                    && self.table.members().any(|m| m.is_live() && m.address == seed.address)
            }
        }
    }

    /// Tries one of the dead, in turn. Who was buried by mistake hears of it and refutes; who is dead
    /// costs one small packet.
    pub(super) fn dead_tick(&mut self, now: Instant) {
        if self.next_dead_retry > now {
            return;
        }
        let interval = self.config.dead_retry_interval;
        self.next_dead_retry = now + self.rng.duration(interval..=interval + interval / 4);
        let dead = self.table.next_dead(self.last_dead_tried);
        if let Some((position, address)) = dead.map(|(at, member)| (at, member.address)) {
            self.last_dead_tried = Some(position);
            self.hello(now, address);
        }
    }

    fn hello(&mut self, now: Instant, to: SocketAddr) {
        self.hellos.retain(|_, hello| hello.expires > now);
        if self.hellos.len() >= HELLOS_MAX {
            return;
        }
        let nonce = self.rng.next_u64();
        let expires = now + self.config.seed_retry_max;
        self.hellos.insert(nonce, Hello { to, expires });
        self.send_bare(to, Boot::default(), Message::Hello { nonce }, []);
    }

    /// Answers who asks who is here. Changes nothing, except that this node may find that it
    /// asked itself.
    pub(super) fn handle_hello(&mut self, sender: &Sender, nonce: u64) {
        if sender.id != self.me {
            let ack = Message::HelloAck { nonce };
            self.send_bare(sender.from, sender.id.boot, ack, []);
            return;
        }
        let Some(hello) = self.hellos.remove(&nonce) else { return };
        for seed in self.seeds.iter_mut().filter(|seed| seed.address == hello.to) {
            seed.found = Found::Myself;
        }
        if self.seeds.iter().all(|seed| matches!(seed.found, Found::Myself)) {
            self.report_merged();
        }
    }

    pub(super) fn handle_hello_ack(&mut self, now: Instant, sender: &Sender, nonce: u64) {
        if let Some(hello) = self.hellos.remove(&nonce) {
            self.start_pull(now, sender, Purpose::Join(hello.to));
        }
    }

    /// Whether `id` has been asked to let this node in and has not answered.
    pub(super) fn is_joining(&self, id: &NodeId) -> bool {
        self.pulls.get(id).is_some_and(|pull| pull.purpose != Purpose::Sync)
    }

    /// The whole table of `id` is here.
    pub(super) fn handle_pulled(&mut self, now: Instant, id: &NodeId, purpose: &Purpose) {
        let Purpose::Join(address) = purpose else { return };
        let mut is_seed = false;
        for seed in self.seeds.iter_mut().filter(|seed| seed.address == *address) {
            seed.found = Found::Member(id.name.clone());
            is_seed = true;
        }
        if is_seed && self.table.member(id).is_some_and(Member::is_live) {
            if self.merged == Merged::NotYet {
                let pause = self.config.gossip_interval;
                let at = now + self.rng.duration(pause..=pause * 2);
                self.second_look = Some((at, Sender { id: id.clone(), from: *address }));
            }
            self.report_merged();
        }
    }

    /// Those who joined together with this node are at the seed by now: fetches them, before all
    /// of them have to be told to all.
    pub(super) fn second_look(&mut self, now: Instant) {
        if let Some((_, seed)) = self.second_look.take_if(|(at, _)| *at <= now) {
            self.start_pull(now, &seed, Purpose::Sync);
        }
    }

    fn report_merged(&mut self) {
        if self.merged == Merged::NotYet {
            self.merged = Merged::Reported;
            self.event(Event::Merged);
        }
    }
}

/// The most seeds.
const SEEDS_MAX: usize = 256;

/// The most questions that wait for an answer.
const HELLOS_MAX: usize = 512;
