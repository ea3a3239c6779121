//! Copies of a name about which a resolver of the user's decides.
//!
//! Claims alone order copies, so that no two nodes disagree. A resolver changes that order before
//! it counts: the node of the copy that it keeps claims the name anew above the other one, and what
//! follows is the ordinary handshake. Both nodes ask their own, about the two processes in the order
//! of their pids, which a new claim does not change: so both hear the same. Where it keeps neither,
//! the node that drives the handshake says so, and each ends its own for good.

use super::losing::LOSER_GRACE;
use super::{Command, Node, Stop};
use crate::Event as Public;
use crate::resolver::{Contender, Kept};
use std::collections::BTreeMap;
use swarm_base::{Instant, Name, NodeId, Pid};
use swarm_registry::{At, Claim};

/// How often a copy claims its name anew above others. A resolver that is not transitive keeps a
/// over b over c over a, for ever: then the claims decide.
const RECLAIMS_MAX: u32 = 8;

/// What resolvers have said of the copies of a name.
#[derive(Debug, Default)]
pub(super) struct Decided {
    kept: BTreeMap<(Pid, Pid), Option<Kept>>,
    reclaims: u32,
}

impl Decided {
    /// Whether this copy was to end with another one.
    fn ends(&self, pid: Pid) -> bool {
        let involves = |(one, other): &(Pid, Pid)| *one == pid || *other == pid;
        self.kept.iter().any(|(pair, kept)| involves(pair) && *kept == Some(Kept::Nobody))
    }
}

impl Node {
    /// What the resolver of the kind says of this node's copy, which runs, and another one. It is
    /// asked once, for as long as the conflict lasts.
    pub(super) fn decide(
        &mut self,
        own: &Claim,
        other_node: &NodeId,
        other: &Claim,
    ) -> Option<Kept> {
        let (At::Running(one), At::Running(two)) = (&own.at, &other.at) else { return None };
        let (one, two) = (*one, *two);
        let kind = own.spec.as_ref()?.kind.clone();
        if other.spec.as_ref().is_none_or(|spec| spec.kind != kind) {
            return None;
        }
        let name = &own.name;
        let known = self.conflicts.decided.get(name);
        if let Some(kept) = known.and_then(|decided| decided.kept.get(&pair(one, two))) {
            return *kept;
        }
        let here = Contender { node: self.me.clone(), pid: one };
        let there = Contender { node: other_node.clone(), pid: two };
        let kept = match self.resolvers.ask(&kind, name, here, there)? {
            Ok(kept) => Some(kept),
            Err(reason) => {
                self.tell(Public::ResolverFailed { name: name.clone(), reason });
                None
            }
        };
        let decided = self.conflicts.decided.entry(name.clone()).or_default();
        decided.kept.insert(pair(one, two), kept);
        kept
    }

    /// Claims the name anew, above the copy that a resolver has not kept. Tells whether it did.
    pub(super) fn claim_kept(&mut self, now: Instant, own: &Claim) -> bool {
        let At::Running(pid) = own.at else { return false };
        let decided = self.conflicts.decided.entry(own.name.clone()).or_default();
        if decided.reclaims >= RECLAIMS_MAX {
            return false;
        }
        decided.reclaims += 1;
        self.claim_anew(now, pid, own.clone());
        self.contested(now, &own.name);
        true
    }

    /// No more than one copy of a name is left. Where both were to end, the last one does, whatever
    /// has become of the answer that would have said so.
    pub(super) fn conflict_over(&mut self, now: Instant, name: &Name) {
        let Some(decided) = self.conflicts.decided.remove(name) else { return };
        let own = self.registry.own(name).and_then(|own| own.pid());
        if own.is_some_and(|pid| decided.ends(pid)) {
            self.end_copy(now, name);
        }
    }

    /// Ends this node's copy, of which no other is to stay. Its end counts more than every claim
    /// that is known: also where the node of the other one dies before it has said that it ended.
    pub(super) fn end_copy(&mut self, now: Instant, name: &Name) {
        let Some(pid) = self.registry.own(name).and_then(|own| own.pid()) else { return };
        self.conflicts.forget(name);
        self.names.forget_restart(name);
        let token = self.next_token(name);
        self.end_for_good(now, name, token);
        self.command(Command::Stop { pid, how: Stop::Graceful(LOSER_GRACE) });
        self.tell(Public::NameReleased { name: name.clone(), pid });
    }
}

fn pair(one: Pid, other: Pid) -> (Pid, Pid) {
    (one.min(other), one.max(other))
}
