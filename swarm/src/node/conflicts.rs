//! Two copies of one name: which ends, and when it is looked at again.
//!
//! The node of the copy that loses drives the handshake, [`losing`](super::losing): it freezes its
//! process, sends what that hands over to the winner's node, and ends it once that node has said
//! that the very process runs and has taken it in, [`winning`](super::winning). Every message is
//! bound to both exact claims (ownership, consequence 2). Without that nobody may be left running:
//! a copy is frozen in favour of another, whose node is then held dead by mistake, so it goes on
//! and claims the name above the other; that one now has to end itself, and says yes to the old
//! question before it does; and each of the two ends on the other's word. `models` finds it in 19
//! steps.
//!
//! A copy that was started because a node was held dead, by mistake, and that has handled nothing
//! since, has come to nothing, and wins all the same: its claim is the higher one. It goes on with
//! the loser's state, where that is the process that it was started in place of.

use super::Node;
use super::losing::Losing;
use super::relaying::Detours;
use super::resolving::Decided;
use super::winning::Winning;
use crate::Event as Public;
use crate::resolver::Kept;
use std::collections::{BTreeMap, BTreeSet};
use swarm_base::{Instant, Name, NodeId};
use swarm_handoff::{AbortReason, Cancelled};
use swarm_registry::{At, Claim, Fact, Resolution, Why};

/// The handshakes under way.
#[derive(Debug, Default)]
pub(super) struct Conflicts {
    /// The copies of this node that are to end.
    pub(super) losing: BTreeMap<Name, Losing>,
    /// The copies of this node that stay, where others were to end.
    pub(super) winning: BTreeMap<Name, Winning>,
    /// Names to look at again: the winner's node said no, or nothing yet, or the loser hangs.
    pub(super) again: Again,
    /// What resolvers have said, by names.
    pub(super) decided: BTreeMap<Name, Decided>,
    /// The ways around links that are cut.
    pub(super) detours: Detours,
    /// How many times a copy of this node was asked to end.
    pub(super) rounds: u64,
}

impl Conflicts {
    /// Whether this node's copy of `name` is to end.
    pub(super) fn involves(&self, name: &Name) -> bool {
        self.losing.contains_key(name)
    }

    /// Whether this node's copy of `name` must stay where it is: it is to end, or another one is
    /// to end for it.
    pub(super) fn holds(&self, name: &Name) -> bool {
        self.involves(name) || self.winning.get(name).is_some_and(Winning::is_contested)
    }

    pub(super) fn forget(&mut self, name: &Name) {
        self.losing.remove(name);
        self.winning.remove(name);
        self.decided.remove(name);
        self.again.remove(name);
    }

    /// How many copies are to end.
    #[cfg(feature = "sim")]
    pub(super) fn len(&self) -> usize {
        self.losing.len()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.again.first()
    }
}

/// When to look at which names, each at one moment. After a heal there are as many as conflicts.
#[derive(Debug, Default)]
pub(super) struct Again {
    due: BTreeSet<(Instant, Name)>,
    at: BTreeMap<Name, Instant>,
}

impl Again {
    /// Looks at `name` at this moment, and not when it was to be looked at before.
    pub(super) fn set(&mut self, name: Name, at: Instant) {
        if let Some(before) = self.at.insert(name.clone(), at) {
            self.due.remove(&(before, name.clone()));
        }
        self.due.insert((at, name));
    }

    /// Looks at `name` at this moment, unless it is to be looked at anyway.
    pub(super) fn set_if_none(&mut self, name: &Name, at: Instant) {
        if !self.at.contains_key(name) {
            self.set(name.clone(), at);
        }
    }

    fn remove(&mut self, name: &Name) {
        if let Some((name, at)) = self.at.remove_entry(name) {
            self.due.remove(&(at, name));
        }
    }

    fn first(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    fn take_due(&mut self, now: Instant) -> Vec<Name> {
        let mut due = Vec::new();
        while self.first().is_some_and(|at| at <= now)
            && let Some((_, name)) = self.due.pop_first()
        {
            self.at.remove(&name);
            due.push(name);
        }
        due
    }
}

impl Node {
    pub(super) fn conflicts_due(&mut self, now: Instant) {
        for name in self.conflicts.again.take_due(now) {
            if self.conflicts.involves(&name) {
                self.loser_due(now, &name);
            } else {
                self.conflict_changed(now, &name);
                self.on_conflict(now, &name);
            }
        }
    }

    /// More than one live claim on `name` is known.
    pub(super) fn on_conflict(&mut self, now: Instant, name: &Name) {
        if self.conflicts.involves(name) {
            return;
        }
        let Some(own) = self.registry.own(name) else { return };
        let Some((winner_node, winner)) = self.winner(name) else { return };
        if winner_node == self.me {
            return self.contested(now, name);
        }
        // Its move has been committed, and the target's claim came before its acknowledgement.
        if matches!(&own.at, At::Moving { to, .. } if *to == winner_node) {
            return;
        }
        let gone = Fact::Ended {
            name: name.clone(),
            token: own.token,
            why: Why::GoneTo { log: winner_node.clone(), token: winner.token },
        };
        match (own.pid(), winner.pid()) {
            (Some(_), _) if own.spec.is_none() => {
                // The process lives on: its caller registered it, and hears that it lost.
                self.registry.append(now, gone);
                self.tell(Public::ConflictResolved { name: name.clone(), kept: winner_node });
            }
            // Its move has ended it, and where it comes back, its claim is a new one.
            (Some(pid), Some(_)) if !self.names.lives(pid) => (),
            (Some(pid), Some(winning)) => {
                // A conflict beats a move: one that has not been committed is called off.
                match self.moves.cancel(now, name, AbortReason::Conflict) {
                    // The process has ended here; where it comes back, its claim is a new one.
                    Cancelled::Committed => (),
                    // Its thaw is still to come, and would undo what is frozen here.
                    Cancelled::Aborted => self.conflicts.again.set(name.clone(), now),
                    Cancelled::NotMoving => {
                        let kept = self.decide(&own, &winner_node, &winner);
                        if kept == Some(Kept::Process(pid)) && self.claim_kept(now, &own) {
                            return;
                        }
                        let ends_both = kept == Some(Kept::Nobody);
                        let (loser, winner) = ((pid, own.token), (winning, winner.token));
                        self.begin_losing(now, name, loser, winner, winner_node, ends_both);
                    }
                }
            }
            // The winner's process is not up yet: its next claim brings this here again.
            (Some(_), None) => (),
            (None, _) => {
                self.abandon_name(now, name);
                self.registry.append(now, gone);
            }
        }
    }

    /// The live claim that wins `name`.
    fn winner(&self, name: &Name) -> Option<(NodeId, Claim)> {
        match self.registry.resolve(name) {
            Resolution::Held { node, claim } => Some((node.clone(), claim)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_name_is_looked_at_again_once_and_when_it_was_said_last() {
        let name = |text: &str| Name::new(text).expect("a name");
        let at = |secs| Instant::START + Duration::from_secs(secs);
        let mut again = Again::default();
        for (text, secs) in [("a", 5), ("b", 3), ("c", 4), ("a", 1), ("b", 9)] {
            again.set(name(text), at(secs));
        }
        again.remove(&name("c"));
        again.set_if_none(&name("a"), at(2));
        assert_eq!(again.first(), Some(at(1)));
        assert_eq!(again.take_due(at(5)), [name("a")]);
        assert_eq!((again.take_due(at(8)), again.first()), (Vec::new(), Some(at(9))));
        assert_eq!(again.take_due(at(9)), [name("b")]);
        assert!(again.due.is_empty() && again.at.is_empty());
    }
}
