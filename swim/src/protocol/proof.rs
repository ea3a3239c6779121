//! Deaths that the system of the dead node's host proves: no suspicion has to run out.
//!
//! When a process ends, however it ends, its system closes its streams, and from then on refuses
//! datagrams to its port. Either sign alone can lie: a stream is also closed by a busy listener
//! or a forged reset, and a datagram is also refused by a firewall. So both are asked for. A node
//! holds an idle stream to a few others. Where one closes, the other node is *doubted*: it is
//! pinged at once, from a connected socket, which is told of a refusal. Refused there, it is dead.
//! Whoever hears of such a death from another doubts the node in turn and asks for itself, so that
//! one member's lie or broken network buries nobody elsewhere.
//!
//! A frozen process, a dead host and a cut cable give no sign at all: that is what probes are for.

use super::Protocol;
use crate::news::Turn;
use crate::table::Position;
use crate::{Event, Failure, Member};
use swarm_base::{Instant, NodeId};

/// A node of which one sign says that its process has ended.
#[derive(Debug)]
pub(super) struct Doubt {
    id: NodeId,
    next: Instant,
    until: Instant,
}

impl Doubt {
    pub(super) const fn due(&self) -> Instant {
        self.next
    }
}

impl Protocol {
    /// The members to which the driver should hold an idle stream, at their address, and tell
    /// [`hint_closed`](Self::hint_closed) when it closes: this node's successors in a fixed
    /// order of all, so that each member has [`watchers`](crate::Config::watchers).
    pub fn watched(&self) -> impl Iterator<Item = &Member> {
        self.table.successors(&self.me.name).take(self.config.watchers)
    }

    /// The members that are asked for the second sign. What is sent to their addresses should go
    /// through connected sockets, whose refusals [`hint_refused`](Self::hint_refused) takes.
    pub fn doubted(&self) -> impl Iterator<Item = &Member> {
        self.doubts.values().filter_map(|doubt| self.table.member(&doubt.id))
    }

    /// A stream to `node` that was established has been closed by the other side.
    pub fn hint_closed(&mut self, now: Instant, node: &NodeId) {
        self.doubt(now, node);
    }

    /// A datagram to the address of `node` was refused by its host. Believed of a node that is
    /// doubted: it is dead then.
    pub fn hint_refused(&mut self, now: Instant, node: &NodeId) {
        let position = Position::of(&node.name);
        if self.doubts.get(&position).is_none_or(|doubt| doubt.id != *node) {
            return;
        }
        self.doubts.remove(&position);
        let Some(statement) = self.table.bury_proved(now, &node.name) else { return };
        self.counters.deaths += 1;
        self.part(Event::Failed { node: node.clone(), why: Failure::Refused });
        self.spread(now, statement, Turn::First);
    }

    /// One sign says that the process of `node` has ended: asks for the other.
    pub(super) fn doubt(&mut self, now: Instant, node: &NodeId) {
        let is_live = self.table.member(node).is_some_and(Member::is_live);
        if !is_live || *node == self.me || self.doubts.len() >= DOUBTS_MAX {
            return;
        }
        let position = Position::of(&node.name);
        if self.doubts.contains_key(&position) {
            return;
        }
        let next = now + self.config.probe_timeout_min;
        let until = now + self.config.probe_interval;
        self.doubts.insert(position, Doubt { id: node.clone(), next, until });
        self.ask_doubted(node);
    }

    /// An answer: the process lives.
    pub(super) fn believe_alive(&mut self, node: &NodeId) {
        let position = Position::of(&node.name);
        if self.doubts.get(&position).is_some_and(|doubt| doubt.id == *node) {
            self.doubts.remove(&position);
        }
    }

    pub(super) fn doubt_tick(&mut self, now: Instant) {
        let table = &self.table;
        let is_open = |doubt: &Doubt| table.member(&doubt.id).is_some_and(Member::is_live);
        self.doubts.retain(|_, doubt| doubt.until > now && is_open(doubt));
        let interval = self.config.probe_timeout_min;
        let due = self.doubts.values_mut().filter(|doubt| doubt.next <= now);
        let due: Vec<NodeId> = due
            .map(|doubt| {
                doubt.next = now + interval;
                doubt.id.clone()
            })
            .collect();
        for id in due {
            self.ask_doubted(&id);
        }
    }

    fn ask_doubted(&mut self, node: &NodeId) {
        if let Some(record) = self.table.member(node).map(|member| member.record.clone()) {
            let seq = self.next_seq();
            self.ping(&record, seq);
        }
    }
}

/// The most nodes that are doubted at once. The others are left to the probes.
const DOUBTS_MAX: usize = 64;
