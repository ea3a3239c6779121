//! The conflict handshake around a link that is cut while membership sees both of its ends alive:
//! each step goes through one node that has sessions with both (ownership, consequence 3). Facts go
//! that way already, so both ends know of the two copies, and would keep them for ever.
//!
//! What comes that way counts only while the own session is down: a copy of a step that took the
//! detour would else come after those that followed it. It goes over one node and no further, and
//! between members only: who is held dead here has to be heard of by its own session first.

use super::Node;
use super::wire::{Conflict, Relay, Relayed, Wire};
use std::collections::BTreeMap;
use swarm_base::{Instant, NodeId};

/// Which way steps go.
#[derive(Debug, Default)]
pub(super) struct Detours {
    /// Through whom something of a node has come.
    known: BTreeMap<NodeId, NodeId>,
    /// How many were tried.
    tried: usize,
}

impl Detours {
    /// The way through this one has led nowhere, or is not needed any more.
    pub(super) fn forget(&mut self, to: &NodeId) {
        self.known.remove(to);
    }

    /// Through whom `to` is tried next: each in turn, as not all may reach it.
    fn by(&mut self, to: &NodeId, linked: &[NodeId]) -> Option<NodeId> {
        if let Some(by) = self.known.get(to).filter(|by| linked.contains(by)) {
            return Some(by.clone());
        }
        let at = self.tried.checked_rem(linked.len())?;
        self.tried = self.tried.wrapping_add(1);
        linked.get(at).cloned()
    }
}

impl Node {
    /// Sends a step of the handshake to a member, by whichever way there is.
    pub(super) fn send_conflict(&mut self, to: &NodeId, conflict: Conflict) {
        if self.links.session(to).is_some() {
            return self.send(to, &Wire::Conflict(conflict));
        }
        let members = self.placing.members().map(|(node, _)| node);
        let linked = members.filter(|node| *node != to && self.links.session(node).is_some());
        let linked: Vec<NodeId> = linked.cloned().collect();
        if let Some(by) = self.conflicts.detours.by(to, &linked) {
            self.send(&by, &Wire::Relay(Relay { to: to.clone(), conflict }));
        }
    }

    /// A member has no session with another one.
    pub(super) fn pass_on_conflict(&mut self, from: NodeId, relay: Relay) {
        let Relay { to, conflict } = relay;
        if self.placing.member(&from).is_some() && self.placing.member(&to).is_some() {
            self.send(&to, &Wire::Relayed(Relayed { from, conflict }));
        }
    }

    pub(super) fn on_relayed(&mut self, now: Instant, by: NodeId, relayed: Relayed) {
        let Relayed { from, conflict } = relayed;
        let is_cut_off = from != self.me && self.links.session(&from).is_none();
        if is_cut_off && self.placing.member(&from).is_some() {
            self.conflicts.detours.known.insert(from.clone(), by);
            self.on_conflict_message(now, &from, conflict);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use swarm_base::{Boot, NodeName};

    #[test]
    fn all_are_tried_until_something_has_come_through_one() {
        let node = |name: &str| {
            NodeId::new(NodeName::new(name).expect("a name"), Boot { millis: 1, random: 0 })
        };
        let (to, linked) = (node("z"), [node("a"), node("b")]);
        let mut detours = Detours::default();
        assert_eq!(detours.by(&to, &[]), None);
        let tried: Vec<_> = (0..3).filter_map(|_| detours.by(&to, &linked)).collect();
        assert_eq!(tried, [node("a"), node("b"), node("a")]);
        detours.known.insert(to.clone(), node("a"));
        assert_eq!(detours.by(&to, &linked), Some(node("a")), "an answer goes back");
        assert_eq!(detours.by(&to, &linked[1..]), Some(node("b")), "its session has gone");
        detours.forget(&to);
        assert_eq!(detours.by(&to, &linked), Some(node("a")), "in turn");
    }
}
