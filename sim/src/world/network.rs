//! The lane of datagrams, and the cuts that both lanes obey.

use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Instant, Rng};

use super::node::Input;
use super::{Happening, Packets, World, addr_word};
use crate::faults::Tail;
use crate::struck::Class;
use crate::{Cut, Faults, Host};

impl<H: Host> World<H> {
    pub(super) fn apply_faults(&mut self, faults: Faults) {
        self.faults = faults;
        self.break_ticket += 1;
        self.plan_break();
    }

    /// Cuts the ways between groups. A partition replaces the one before.
    pub(super) fn divide(&mut self, groups: &[Vec<SocketAddr>]) {
        self.links.mend(Cut::Partition);
        for (nth, group) in groups.iter().enumerate() {
            for (other_nth, other) in groups.iter().enumerate() {
                if nth == other_nth {
                    continue;
                }
                for (from, to) in group.iter().flat_map(|a| other.iter().map(move |b| (*a, *b))) {
                    self.links.cut(from, to, Cut::Partition);
                }
            }
        }
    }

    pub(super) fn start_flap(
        &mut self,
        a: SocketAddr,
        b: SocketAddr,
        period: Duration,
        until: Instant,
    ) {
        self.links.flap(self.now, a, b, period, until);
        self.plan_flap((a, b));
    }

    /// The pair flapped: sessions feel it. Both directions flap together, one of them is planned.
    pub(super) fn flapped(&mut self, way: (SocketAddr, SocketAddr)) {
        self.plan_flap(way);
        self.reach_changed();
    }

    fn plan_flap(&mut self, way: (SocketAddr, SocketAddr)) {
        if let Some(at) = self.links.next_flap(self.now, way) {
            self.queue.push(at, Happening::Flap(way));
        }
    }

    /// Sends one datagram, or loses it. Every class draws for every datagram, so that turning one
    /// off shifts no other.
    pub(super) fn send_datagram(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        datagram: H::Datagram,
    ) {
        self.see_packet("sends", from, to, 0, &datagram);
        let Some(node) = self.nodes.get_mut(&from) else { return };
        let rng = &mut node.rng;
        let faults = &self.faults;
        let is_lost = rng.chance(faults.loss_permille);
        let is_lost_here = rng.chance(self.links.loss(from, to));
        let is_twice = rng.chance(faults.duplicate_permille);
        let late = rng.duration(Duration::ZERO..=faults.duplicate_late_max);
        let is_held = rng.chance(faults.reorder_permille);
        let held = rng.duration(Duration::ZERO..=faults.reorder_max);
        let is_damaged = rng.chance(faults.damage_permille);
        let (delay, tail) = faults.draw_delay(rng);
        let damage_seed = rng.next_u64();

        if let Some(class) = self.links.blocked(self.now, from, to) {
            return self.struck.add(class);
        }
        if is_lost || is_lost_here {
            return self.struck.add(Class::Loss);
        }
        if tail == Tail::Heavy {
            self.struck.add(Class::DelayTail);
        }
        let last_at = self.links.last_at(from, to);
        let mut at = self.now + delay;
        if is_held {
            at += held;
        } else if faults.reorder_permille == 0 {
            at = at.max(*last_at);
        }
        if at < *last_at {
            self.struck.add(Class::Reorder);
        }
        *last_at = at.max(*last_at);
        if is_twice {
            self.struck.add(Class::Duplicate);
            let datagram = datagram.clone();
            self.queue.push(at + late, Happening::Datagram { from, to, datagram });
        }
        let host = self.hosts.get(&from).filter(|_| is_damaged);
        let damaged = host.and_then(|host| host.damaged(&datagram, &mut Rng::new(damage_seed)));
        if damaged.is_some() {
            self.struck.add(Class::Damage);
        }
        let datagram = damaged.unwrap_or(datagram);
        self.queue.push(at, Happening::Datagram { from, to, datagram });
    }

    pub(super) fn datagram_arrived(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        datagram: H::Datagram,
    ) {
        if !self.is_running(to) {
            return;
        }
        self.see_packet("reaches", from, to, 1, &datagram);
        self.receive(to, Input::Datagram { from, datagram });
    }

    /// Takes a packet into the trace.
    pub(super) fn see_packet(
        &mut self,
        verb: &str,
        from: SocketAddr,
        to: SocketAddr,
        kind: u64,
        packet: &impl std::fmt::Debug,
    ) {
        match self.packets {
            Packets::Hashed => self.trace.mix(self.now, [addr_word(from), addr_word(to), kind]),
            Packets::Traced => {
                self.trace.line(self.now, format_args!("{from} {verb} {to} {packet:?}"));
            }
        }
    }
}
