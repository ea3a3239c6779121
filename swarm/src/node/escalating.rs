//! Workers that crash too often where they are: by their policy another node has a try.
//!
//! The node keeps its claim, without a process, and asks the next node of the ring to take the name
//! over ([`Wire::Adopt`]). That one claims it above, and the first lets go as of any claim that has
//! lost; or it answers that it cannot ([`Wire::NotAdopted`]), and the name is started again here. As
//! long as it lives and neither has come it is asked again: started by a timer alone, the name would
//! run on both where what the other one has said is late. Who has taken it over keeps it from the
//! ring's owner for a while, or it would be sent straight back; and knows where it was tried, so
//! that it does not go round.

use super::exits::Vacant;
use super::names::{Cause, Groups};
use super::seats::Seat;
use super::wire::{Adopt, NotAdopted, Wire};
use super::{Mode, Node};
use crate::Event as Public;
use std::time::Duration;
use swarm_base::{Instant, Name, NodeId, NodeName};
use swarm_process::ExitReason;
use swarm_registry::{At, Resolution, Spec, Standing};

/// A name that was taken over from a node where it crashed too often.
#[derive(Debug)]
pub(super) struct Adopted {
    /// Until when it stays here, wherever it belongs.
    until: Instant,
    /// Where it was tried before.
    tried: Vec<NodeName>,
}

/// A name that another node is to take over, and may have taken over.
#[derive(Debug)]
pub(super) struct Escalating {
    to: NodeId,
    /// Where it was tried before, and here.
    tried: Vec<NodeName>,
    /// How often that node was asked again.
    round: u32,
}

/// How long a name stays where it was taken over, whatever the ring says: long enough for the cause
/// to pass or to be noticed.
const STAYS_FOR: Duration = Duration::from_secs(60);

/// When a name that was not taken over is started here again, or asked about again.
const TAKEN_WITHIN: Duration = Duration::from_secs(3);

/// How many nodes a name is tried on.
const TRIES_MAX: usize = 8;

impl Node {
    /// A worker has crashed too often, and its policy is to have it moved. Tells whether anybody is
    /// left who could run it.
    pub(super) fn escalate(
        &mut self,
        now: Instant,
        vacant: Vacant<'_>,
        reason: &ExitReason,
    ) -> bool {
        let Vacant { name, spec, .. } = vacant;
        let mut tried = self.names.adopted.remove(name).map_or(Vec::new(), |adopted| adopted.tried);
        tried.push(self.me.name.clone());
        let mut others = self.placing.owners(&spec.kind, name, TRIES_MAX).into_iter();
        let next = others
            .find(|node| !tried.contains(&node.name) && self.links.session(node).is_some())
            .filter(|_| tried.len() < TRIES_MAX);
        let Some(to) = next else { return false };
        self.wait_for_restart(now, vacant, now + TAKEN_WITHIN);
        let adopt = Adopt { name: name.clone(), tried: tried.clone(), round: 0 };
        self.send_behind_facts(now, &to, &Wire::Adopt(adopt));
        let escalating = Escalating { to: to.clone(), tried, round: 0 };
        self.names.escalating.insert(name.clone(), escalating);
        let (name, reason) = (name.clone(), reason.to_string());
        self.tell(Public::NameEscalated { name, reason, to });
        true
    }

    /// Whether another node may be about to run a name. If so, it is asked again.
    pub(super) fn awaits_adoption(&mut self, now: Instant, name: &Name) -> bool {
        let Some(escalating) = self.names.escalating.get_mut(name) else { return false };
        if self.placing.member(&escalating.to).is_none() {
            self.names.escalating.remove(name);
            return false;
        }
        escalating.round += 1;
        let Escalating { to, tried, round } = escalating;
        let (to, tried, round) = (to.clone(), tried.clone(), *round);
        let adopt = Adopt { name: name.clone(), tried, round };
        self.send_behind_facts(now, &to, &Wire::Adopt(adopt));
        self.names.restarts.insert((now + TAKEN_WITHIN, name.clone()));
        true
    }

    /// It does not take the name over.
    pub(super) fn not_adopted(&mut self, now: Instant, from: &NodeId, no: &NotAdopted) {
        let NotAdopted { name, round } = no;
        let is_last = |asked: &Escalating| asked.to == *from && asked.round == *round;
        if self.names.escalating.get(name).is_some_and(is_last) {
            self.names.escalating.remove(name);
            self.reconsider(now, name);
        }
    }

    /// Another node asks this one to take a name over. Where it cannot, that one goes on.
    pub(super) fn adopt(&mut self, now: Instant, from: &NodeId, adopt: Adopt) {
        let Adopt { name, tried, round } = adopt;
        // It has been asked before, and what has come of it is on its way.
        if self.registry.own(&name).is_some() || self.names.is_starting(&name) {
            return;
        }
        let offered = self.offered(from, &name);
        let Some((spec, groups)) = offered.filter(|(spec, _)| self.may_adopt(&name, spec)) else {
            // One that nobody runs, and belongs here.
            if matches!(self.registry.resolve(&name), Resolution::Orphan { .. }) {
                return self.reconciler.mark(name);
            }
            let no = NotAdopted { name, round };
            return self.send_behind_facts(now, from, &Wire::NotAdopted(no));
        };
        let token = self.next_token(&name);
        self.names.adopted.insert(name.clone(), Adopted { until: now + STAYS_FOR, tried });
        self.start(name.clone(), spec, token, groups, Cause::Adopted, Mode::Fresh);
        // The other node lets go as soon as it reads this.
        self.log_start_of(now, &name);
    }

    fn may_adopt(&self, name: &Name, spec: &Spec) -> bool {
        self.meta.kinds.contains(&*spec.kind)
            && self.meta.takes_names()
            && self.meta.seat(name.scope()) == Seat::Taken
            && !self.leaving.is_leaving()
            && !self.is_closing
            && self.may_own(name)
    }

    /// What a name that waits at `from` is started from, unless more has come of it since: it may
    /// have been taken over here before, and stopped.
    fn offered(&self, from: &NodeId, name: &Name) -> Option<(Spec, Groups)> {
        let mut claims = self.registry.claims(name);
        let (_, claim, _) = claims.find(|(node, claim, standing)| {
            *node == from && *standing == Standing::Live && claim.at == At::Waiting
        })?;
        let is_last = self.registry.highest(name) <= Some(claim.token);
        Some((claim.spec.filter(|_| is_last)?, claim.groups))
    }

    /// Names that were taken over long enough ago go where they belong.
    pub(super) fn release_adopted(&mut self, now: Instant) {
        if self.names.adopted.is_empty() {
            return;
        }
        let is_due = |adopted: &Adopted| adopted.until <= now;
        let due: Vec<Name> = self
            .names
            .adopted
            .iter()
            .filter(|(_, adopted)| is_due(adopted))
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            self.names.adopted.remove(&name);
            self.reconciler.mark(name);
        }
    }
}
