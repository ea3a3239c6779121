//! What a merge brings about: the only place where a change of the table becomes events, timers
//! and packets.

use super::join::Purpose;
use super::{Merged, Protocol, Sender};
use crate::news::Turn;
use crate::suspicion::{Confirmation, Suspicion};
use crate::table::{LEAP_MAX, Merge, Position};
use crate::wire::{Claim, Message, Update};
use crate::{Event, Failure, Member, State};
use std::collections::BTreeSet;
use swarm_base::{Instant, NodeId, NodeName};

impl Protocol {
    /// Merges what `sender` states, and tells it what it got wrong.
    pub(super) fn handle_updates(&mut self, now: Instant, sender: &Sender, updates: &[Update]) {
        let mut outdated = BTreeSet::new();
        let incarnation = self.own().incarnation;
        for update in updates {
            // What this packet itself made stale has been answered: several members accuse.
            let is_answered = update.incarnation >= incarnation && *update.id() == self.me;
            let merge = self.settle(now, Some(sender), update);
            if merge == Merge::Stale && !is_answered && self.is_worth(update) {
                outdated.insert(update.id().name.clone());
                self.tell_the_buried(now, update);
            }
        }
        if !outdated.is_empty() && self.may_correct(now, &sender.id.name) {
            let corrections: Vec<Update> =
                outdated.iter().filter_map(|name| self.held(name)).collect();
            self.counters.corrections += 1;
            self.send(sender.from, &sender.id, Message::Gossip, &corrections);
        }
    }

    /// Tells a former life of a node, or one whose name has a newer holder, what replaced it.
    pub(super) fn correct_sender(&mut self, now: Instant, sender: &Sender) {
        if self.may_correct(now, &sender.id.name)
            && let Some(held) = self.held(&sender.id.name)
        {
            self.counters.corrections += 1;
            self.send_bare(sender.from, sender.id.boot, Message::Gossip, [held]);
        }
    }

    /// After a packet of somebody who is not in the table, or dead there: finds together.
    pub(super) fn meet(&mut self, now: Instant, sender: &Sender) {
        match self.table.member(&sender.id).map(|member| member.state) {
            Some(State::Alive | State::Suspect | State::Left) => {}
            Some(State::Dead) => {
                // At most one such answer per peer and tick: two that think each other dead
                // must not flood each other (foca#25).
                if self.may_correct(now, &sender.id.name) {
                    self.counters.corrections += 1;
                    self.send(sender.from, &sender.id, Message::Gossip, &[]);
                }
            }
            None => self.start_sync(now, sender),
        }
    }

    /// Merges `update` and brings about what follows from it. `sender` is who stated it, where
    /// that was not this node itself.
    pub(super) fn settle(
        &mut self,
        now: Instant,
        sender: Option<&Sender>,
        update: &Update,
    ) -> Merge {
        if self.is_self(&update.id().name) {
            return self.settle_self(now, sender, update);
        }
        let merge = self.table.merge(now, update);
        let (id, name) = (update.id().clone(), &update.id().name);
        let position = Position::of(name);
        match &merge {
            Merge::Nothing => {
                if update.state() == State::Alive && sender.is_some() {
                    let n_sends = self.n_sends();
                    self.news.heard(update, n_sends);
                }
                return merge;
            }
            Merge::Stale | Merge::Remembered => return merge,
            Merge::Overflow => {
                self.counters.overflow += 1;
                return merge;
            }
            Merge::Joined => self.welcome(name),
            Merge::Replaced(old) => {
                self.part(Event::Failed { node: old.clone(), why: Failure::Superseded });
                self.welcome(name);
            }
            Merge::Superseded(old) => {
                self.part(Event::Failed { node: old.clone(), why: Failure::Superseded });
            }
            Merge::Updated => self.event_of(name, Event::Updated),
            Merge::Refuted | Merge::RefutedAndUpdated => {
                self.suspicions.end(position);
                self.news.retract(position);
                self.event(Event::Refuted { node: id });
                if merge == Merge::RefutedAndUpdated {
                    self.event_of(name, Event::Updated);
                }
            }
            Merge::Suspected => {
                self.handle_suspected(now, update);
                if let Claim::Suspect { by, .. } = &update.claim {
                    self.event(Event::Suspected { node: id, by: by.clone() });
                }
            }
            Merge::Confirmed => {
                if !self.handle_confirmed(update) {
                    return merge;
                }
            }
            Merge::Resuspected => {
                self.handle_suspected(now, update);
            }
            Merge::Accused if !self.config.doubt_deaths => {
                self.bury(now, position);
                return merge;
            }
            Merge::Accused => {
                self.handle_accused(now, sender, &id);
                if matches!(update.claim, Claim::Refused { .. }) {
                    self.doubt(now, &id);
                }
                // Not passed on: it is a doubt, until this node's own timer says more.
                return merge;
            }
            Merge::Left => self.part(Event::Left { node: id }),
            Merge::Refreshed | Merge::Settled => {}
        }
        let turn = match merge {
            Merge::Refuted | Merge::RefutedAndUpdated => Turn::First,
            _ => Turn::InOrder,
        };
        if !self.is_common(sender, update) {
            self.spread(now, update.clone(), turn);
        }
        merge
    }

    /// Whether the others know it anyhow: it comes with a table that was asked for. Not where two
    /// groups meet: then each has to hear of the other.
    fn is_common(&self, sender: Option<&Sender>, update: &Update) -> bool {
        let pull = sender.and_then(|sender| self.pulls.get(&sender.id));
        update.state() == State::Alive
            && pull
                .is_some_and(|pull| self.merged == Merged::NotYet || pull.purpose == Purpose::Sync)
    }

    /// The suspicion's time is up.
    pub(super) fn bury(&mut self, now: Instant, suspect: Position) {
        let Some(name) = self.table.at(suspect).map(|entry| entry.member.id.name.clone()) else {
            return;
        };
        let Some(member) = self.table.bury(now, &name) else { return };
        let node = member.id.clone();
        self.counters.deaths += 1;
        self.part(Event::Failed { node, why: Failure::Timeout });
        if let Some(statement) = self.held(&name) {
            self.spread(now, statement, Turn::InOrder);
        }
    }

    fn welcome(&mut self, name: &NodeName) {
        let position = Position::of(name);
        self.suspicions.end(position);
        self.news.retract(position);
        self.order.insert(&mut self.rng, &mut self.table, position);
        self.event_of(name, Event::Joined);
    }

    /// Takes somebody out of everything that is for live members.
    pub(super) fn part(&mut self, event: Event) {
        if let Event::Failed { node, .. } | Event::Left { node } = &event {
            let position = Position::of(&node.name);
            self.suspicions.end(position);
            self.news.retract(position);
            self.pulls.remove(node);
            self.doubts.remove(&position);
        }
        self.event(event);
    }

    fn event_of(&mut self, name: &NodeName, event: fn(Member) -> Event) {
        if let Some(entry) = self.table.get(name) {
            let member = entry.member.clone();
            self.event(event(member));
        }
    }

    fn handle_suspected(&mut self, now: Instant, update: &Update) {
        let Claim::Suspect { by, .. } = &update.claim else { return };
        let suspicion = Suspicion::new(now, &self.config, self.table.n_live(), by.clone());
        self.suspect(now, suspicion, Position::of(&update.id().name));
    }

    /// Whether the confirmation is worth passing on: one that shortens the suspicion here
    /// shortens it elsewhere.
    fn handle_confirmed(&mut self, update: &Update) -> bool {
        let Claim::Suspect { by, .. } = &update.claim else { return false };
        let suspect = Position::of(&update.id().name);
        self.suspicions.confirm(suspect, by, &self.me) == Confirmation::Shortened
    }

    /// Others have given `id` up. That ends the wait for confirmations, not the accused's time.
    fn handle_accused(&mut self, now: Instant, sender: Option<&Sender>, id: &NodeId) {
        let suspect = Position::of(&id.name);
        if self.suspicions.get(suspect).is_some() {
            return self.suspicions.shorten(suspect);
        }
        let by = sender.map_or_else(|| self.me.clone(), |sender| sender.id.clone());
        let suspicion = Suspicion::new(now, &self.config, self.table.n_live(), by.clone());
        self.suspect(now, suspicion, suspect);
        self.suspicions.shorten(suspect);
        self.event(Event::Suspected { node: id.clone(), by });
    }

    /// What is held of `name`, for others.
    fn held(&self, name: &NodeName) -> Option<Update> {
        let accuser = self.suspicions.get(Position::of(name)).map(Suspicion::accuser);
        self.table.statement(name, accuser)
    }

    /// Whether whoever made this stale statement should hear what is held. That a suspect is
    /// alive at the accused incarnation is no error, and the accusation is under way anyhow.
    fn is_worth(&self, update: &Update) -> bool {
        self.table.get(&update.id().name).is_some_and(|entry| {
            entry.member.state != State::Suspect
                || entry.member.incarnation > update.incarnation
                || entry.member.id != *update.id()
        })
    }

    /// Somebody holds a node to be alive that is dead here. The two beliefs meet where only the
    /// node itself can decide: it is told, and refutes if it lives.
    fn tell_the_buried(&mut self, now: Instant, update: &Update) {
        let Some(member) = self.table.member(update.id()).cloned() else { return };
        if member.state == State::Dead
            && update.state() == State::Alive
            // A correction and an ack are still to come.
            && self.may_cause(2)
            && self.may_correct(now, &member.id.name)
        {
            self.counters.corrections += 1;
            self.send(member.address, &member.id, Message::Gossip, &[]);
        }
    }

    /// At most one correction per peer and gossip interval.
    fn may_correct(&mut self, now: Instant, peer: &NodeName) -> bool {
        let interval = self.config.gossip_interval;
        if self.corrected.get(peer).is_some_and(|last| now.since(*last) < interval) {
            return false;
        }
        if self.corrected.len() >= CORRECTED_MAX {
            self.corrected.retain(|_, last| now.since(*last) < interval);
        }
        if self.corrected.len() >= CORRECTED_MAX {
            return false;
        }
        self.corrected.insert(peer.clone(), now);
        true
    }

    /// A statement about this node's own name.
    fn settle_self(&mut self, now: Instant, sender: Option<&Sender>, update: &Update) -> Merge {
        if update.id().boot > self.me.boot {
            self.handle_later_boot(update);
            return Merge::Nothing;
        }
        let own = self.own();
        if update.id().boot < self.me.boot || update.incarnation < own.incarnation {
            return Merge::Stale;
        }
        if update.state() == own.state && update.incarnation == own.incarnation {
            return Merge::Nothing;
        }
        if own.state == State::Left {
            return Merge::Stale;
        }
        if update.incarnation > own.incarnation.saturating_add(LEAP_MAX) {
            self.counters.overflow += 1;
            return Merge::Overflow;
        }
        self.refute(now, sender, update);
        Merge::Nothing
    }

    /// Only the accused raises its incarnation (SWIM §4.2).
    fn refute(&mut self, now: Instant, sender: Option<&Sender>, update: &Update) {
        self.counters.refutations += 1;
        self.health.worsen(1, &self.config);
        let incarnation = update.incarnation.saturating_add(1);
        let own = Member { incarnation, ..self.own().clone() };
        self.table.set_own(now, own);
        self.state_own(now);
        let statement = self.own_statement();
        // To the accuser and to who told, too: by gossip alone it can come too late where links
        // are bad one way (consul#746).
        if let Some(sender) = sender {
            let first = std::slice::from_ref(&statement);
            self.send(sender.from, &sender.id, Message::Gossip, first);
        }
        if let Claim::Suspect { by, .. } = &update.claim
            && sender.is_none_or(|sender| sender.id != *by)
            && self.table.member(by).is_some_and(Member::is_live)
        {
            self.gossip_to(Position::of(&by.name), &[statement]);
        }
    }
}

/// How many peers' last corrections are remembered. Beyond that within one interval, nobody is
/// corrected: the tables' hashes do it later.
const CORRECTED_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Metadata, Packet, Record};
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::time::Duration;
    use swarm_base::{Boot, Machine, NodeName, Rng};

    fn id(name: &str) -> NodeId {
        NodeId::new(NodeName::new(name).expect("a name"), Boot { millis: 1, random: 0 })
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn alive(name: &str, incarnation: u64) -> Update {
        let record = Record { id: id(name), address: address(2), metadata: Metadata::default() };
        Update { incarnation, claim: Claim::Alive(Arc::new(record)) }
    }

    fn suspect(name: &str, incarnation: u64) -> Update {
        Update { incarnation, claim: Claim::Suspect { id: id(name), by: id("liar") } }
    }

    #[test]
    fn an_incarnation_that_nobody_can_outrank_silences_nobody() {
        let config = Config::lan().check().expect("the default");
        let rng = Rng::new(1);
        let mut node =
            Protocol::new(Instant::START, id("a"), address(1), Metadata::default(), config, rng);
        let hear = |node: &mut Protocol, ms: u64, update: Update| {
            let packet = Packet {
                sender: id("liar"),
                receiver: id("a").boot,
                message: Message::Gossip,
                updates: vec![update],
            };
            let now = Instant::after_start(Duration::from_millis(ms));
            node.handle_message(now, address(3), packet);
        };
        let held = |node: &Protocol, name: &str| {
            let member = node.member(&id(name)).expect("known");
            (member.state, member.incarnation)
        };
        hear(&mut node, 0, alive("b", 0));
        hear(&mut node, 1, suspect("a", u64::MAX));
        hear(&mut node, 2, suspect("b", u64::MAX));
        hear(&mut node, 3, alive("b", u64::MAX));
        assert_eq!(node.counters().overflow, 3);
        assert_eq!((held(&node, "a"), held(&node, "b")), ((State::Alive, 0), (State::Alive, 0)));
        // What is true is still believed and answered.
        hear(&mut node, 4, suspect("a", 0));
        hear(&mut node, 5, suspect("b", 0));
        assert_eq!((held(&node, "a"), held(&node, "b")), ((State::Alive, 1), (State::Suspect, 0)));
        hear(&mut node, 6, alive("b", 1));
        assert_eq!(held(&node, "b"), (State::Alive, 1));
        // The highest that is believed of it can be outranked.
        hear(&mut node, 7, suspect("a", 1 + LEAP_MAX));
        assert_eq!(held(&node, "a"), (State::Alive, 2 + LEAP_MAX));
    }
}
