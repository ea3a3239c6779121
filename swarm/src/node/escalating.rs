//! Workers that crash too often where they are: by their policy another node has a try.
//!
//! The node keeps its claim, without a process, and asks the next node of the ring to take the name
//! over ([`Wire::Adopt`]). That one claims it above, and the first lets go as of any claim that has
//! lost. No answer is waited for: a name that nobody has taken over in time is started again here.
//! Who has taken it over keeps it from the ring's owner for a while, or it would be sent straight
//! back; and knows where it was tried, so that it does not go round.

use super::names::{Cause, Groups};
use super::seats::Seat;
use super::wire::{Adopt, Wire};
use super::{Mode, Node};
use crate::Event as Public;
use std::time::Duration;
use swarm_base::{Instant, Name, NodeId, NodeName, Token};
use swarm_process::ExitReason;
use swarm_registry::{At, Bytes, Resolution, Spec, Standing};

/// A name that was taken over from a node where it crashed too often.
#[derive(Debug)]
pub(super) struct Adopted {
    /// Until when it stays here, wherever it belongs.
    until: Instant,
    /// Where it was tried before.
    tried: Vec<NodeName>,
}

/// How long a name stays where it was taken over, whatever the ring says: long enough for the cause
/// to pass or to be noticed.
const STAYS_FOR: Duration = Duration::from_secs(60);

/// How long a name waits to be taken over before it is started here again. Who takes it says so at
/// once.
const TAKEN_WITHIN: Duration = Duration::from_secs(3);

/// How many nodes a name is tried on.
const TRIES_MAX: usize = 8;

impl Node {
    /// A worker has crashed too often, and its policy is to have it moved. Tells whether anybody is
    /// left who could run it.
    pub(super) fn escalate(
        &mut self,
        now: Instant,
        name: &Name,
        spec: &Spec,
        token: Token,
        groups: &[(Name, Bytes)],
        reason: &ExitReason,
    ) -> bool {
        let mut tried = self.names.adopted.remove(name).map_or(Vec::new(), |adopted| adopted.tried);
        tried.push(self.me.name.clone());
        let mut others = self.placing.owners(&spec.kind, name, TRIES_MAX).into_iter();
        let next = others
            .find(|node| !tried.contains(&node.name) && self.links.session(node).is_some())
            .filter(|_| tried.len() < TRIES_MAX);
        let Some(to) = next else { return false };
        self.wait_for_restart(now, name, spec, token, groups, now + TAKEN_WITHIN);
        self.names.escalating.insert(name.clone());
        let adopt = Adopt { name: name.clone(), tried };
        self.send_behind_facts(now, &to, &Wire::Adopt(adopt));
        let (name, reason) = (name.clone(), reason.to_string());
        self.tell(Public::NameEscalated { name, reason, to });
        true
    }

    /// Another node asks this one to take a name over. Where it cannot, that one goes on.
    pub(super) fn adopt(&mut self, now: Instant, from: &NodeId, adopt: Adopt) {
        let Adopt { name, tried } = adopt;
        let Some((spec, groups)) = self.offered(from, &name) else {
            // One that nobody runs, and belongs here.
            if matches!(self.registry.resolve(&name), Resolution::Orphan { .. }) {
                self.reconciler.mark(name);
            }
            return;
        };
        let takes = self.meta.kinds.contains(&*spec.kind)
            && self.meta.takes_names()
            && self.meta.seat(name.scope()) == Seat::Taken
            && !self.leaving.is_leaving()
            && !self.is_closing
            && self.may_own(&name)
            && self.registry.own(&name).is_none()
            && !self.names.is_starting(&name);
        if !takes {
            return;
        }
        let token = self.next_token(&name);
        self.names.adopted.insert(name.clone(), Adopted { until: now + STAYS_FOR, tried });
        self.start(name.clone(), spec, token, groups, Cause::Adopted, Mode::Fresh);
        // The other node lets go as soon as it reads this.
        self.log_start_of(now, &name);
    }

    /// What a name that waits at `from` is started from.
    fn offered(&self, from: &NodeId, name: &Name) -> Option<(Spec, Groups)> {
        let mut claims = self.registry.claims(name);
        let (_, claim, _) = claims.find(|(node, claim, standing)| {
            *node == from && *standing == Standing::Live && claim.at == At::Waiting
        })?;
        Some((claim.spec?, claim.groups))
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
