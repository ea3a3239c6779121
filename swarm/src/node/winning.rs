//! The copy of a name that stays: it takes in the state of each copy that ends, once.
//!
//! The loser stops on a yes, so that a yes is said when the winner has the state, not when it is
//! asked to take it in: one that was frozen for its move meanwhile, or ended, has not got it. And a
//! loser whose answer was lost sends its state again, which must not count twice.
//!
//! A winner that is to end itself says no (ownership, consequence 2). Of three copies the lowest
//! would else hand its state to the middle one after that has said what it hands to the highest:
//! the lowest one's state would end with the middle one.

use super::Node;
use super::event::Command;
use super::wire::{Conflict, ConflictStep};
use crate::Event as Public;
use std::collections::BTreeMap;
use std::time::Duration;
use swarm_base::{Instant, Name, NodeId, Pid};
use swarm_handoff::AbortReason;
use swarm_process::{ResolveError, Rival};
use swarm_registry::{At, Standing};

/// A copy of this node's that stays, where others end.
#[derive(Debug, Default)]
pub(super) struct Winning {
    /// How many live copies are known.
    copies: usize,
    /// What came of the states of those that end, by their processes.
    taken: BTreeMap<Pid, Taken>,
}

impl Winning {
    /// Whether another copy is still to end.
    pub(super) const fn is_contested(&self) -> bool {
        self.copies > 1
    }
}

/// A state that a winner was given.
#[derive(Debug)]
struct Taken {
    by: Pid,
    /// Whom to answer, and about which claims.
    from: NodeId,
    asks: Conflict,
    is_in: IsIn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IsIn {
    NotYet,
    Since(Instant),
}

/// What a winner has taken in is remembered for as long as the loser's claim is known, and this
/// long: longer than a copy of the state can be under way behind the end of that claim.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// The most copies of one name that are remembered: far more than there are sides of a partition.
const LOSERS_MAX: usize = 64;

impl Node {
    /// This node's copy of `name` wins. A conflict goes before a move here, too: the winner stays
    /// where those that lose to it know it.
    pub(super) fn contested(&mut self, now: Instant, name: &Name) {
        let copies = self.copies(name);
        self.conflicts.winning.entry(name.clone()).or_default().copies = copies;
        // The process has ended where its move is committed: then the target's claim decides.
        let _ = self.moves.cancel(now, name, AbortReason::Conflict);
    }

    /// What is known of `name` changed, or time has passed: copies may have ended.
    pub(super) fn conflict_changed(&mut self, now: Instant, name: &Name) {
        if !self.conflicts.decided.is_empty() && self.copies(name) <= 1 {
            self.conflict_over(now, name);
        }
        let Some(mut winning) = self.conflicts.winning.remove(name) else { return };
        winning.copies = self.copies(name);
        winning.taken.retain(|loser, taken| match taken.is_in {
            IsIn::Since(at) if at + KEPT_FOR <= now => self.is_claimed(&taken.from, name, *loser),
            IsIn::Since(_) | IsIn::NotYet => true,
        });
        if !winning.taken.is_empty() {
            self.conflicts.again.set_if_none(name, now + KEPT_FOR);
        } else if !winning.is_contested() {
            return;
        }
        self.conflicts.winning.insert(name.clone(), winning);
    }

    fn copies(&self, name: &Name) -> usize {
        self.registry.claims(name).filter(|(_, _, standing)| *standing == Standing::Live).count()
    }

    /// Whether `node` has said that its process `pid` has the name, and not yet that it no longer
    /// has it. Also where the node is held dead: it may not be.
    fn is_claimed(&self, node: &NodeId, name: &Name, pid: Pid) -> bool {
        let mut claims = self.registry.claims(name);
        claims.any(|(of, claim, _)| of == node && claim.pid() == Some(pid))
    }

    pub(super) fn on_conflict_message(&mut self, now: Instant, from: &NodeId, conflict: Conflict) {
        let Conflict { name, loser, winner, step } = conflict;
        match step {
            ConflictStep::State(state) => {
                let asks = Conflict { name, loser, winner, step: ConflictStep::Yes };
                self.take_in(from, asks, state.map(serde_bytes::ByteBuf::into_vec));
            }
            ConflictStep::Neither => {
                let asks = Conflict { name, loser, winner, step };
                self.end_with_loser(now, from, asks);
            }
            step => self.loser_answered(now, from, Conflict { name, loser, winner, step }),
        }
    }

    /// A loser's node sends what its process hands over.
    fn take_in(&mut self, from: &NodeId, asks: Conflict, state: Option<Vec<u8>>) {
        let (name, loser, winner) = (asks.name.clone(), asks.loser.0, asks.winner);
        let own = self.registry.own(&name);
        let runs = own.as_ref().is_some_and(|own| own.at == At::Running(winner.0));
        let is_exact = runs && own.is_some_and(|own| own.token == winner.1);
        let winning = self.conflicts.winning.get_mut(&name);
        let n_taken = winning.as_ref().map_or(0, |winning| winning.taken.len());
        let taken = winning.and_then(|winning| winning.taken.get_mut(&loser));
        if let Some(taken) = taken.filter(|taken| taken.by == winner.0 && runs) {
            // It has it, whatever its own claim has come to meanwhile; or it is about to.
            taken.asks = asks;
            if taken.is_in != IsIn::NotYet {
                let asks = taken.asks.clone();
                self.answer_loser(from, asks, ConflictStep::Yes);
            }
            return;
        }
        let is_bound = is_exact && loser.boot == from.boot && n_taken < LOSERS_MAX;
        // One that is to end itself may have said already what it hands over.
        if !is_bound || self.is_closing || self.conflicts.involves(&name) {
            return self.answer_loser(from, asks, ConflictStep::No);
        }
        let Some(state) = state else {
            return self.answer_loser(from, asks, ConflictStep::Yes);
        };
        let taken = Taken { by: winner.0, from: from.clone(), asks, is_in: IsIn::NotYet };
        let winning = self.conflicts.winning.entry(name.clone()).or_default();
        winning.taken.insert(loser, taken);
        let is_former = self.names.former.get(&winner.0) == Some(&loser);
        let rival = if is_former { Rival::Former } else { Rival::Other };
        self.command(Command::Resolve { name, loser, pid: winner.0, state, rival });
    }

    /// A loser's node says that neither copy is to stay.
    fn end_with_loser(&mut self, now: Instant, from: &NodeId, asks: Conflict) {
        let own = self.registry.own(&asks.name);
        let is_exact = own
            .is_some_and(|own| (own.at, own.token) == (At::Running(asks.winner.0), asks.winner.1));
        // Where it has ended already, its log says so, and the loser ends by that.
        if !is_exact || self.is_closing || self.conflicts.involves(&asks.name) {
            return self.answer_loser(from, asks, ConflictStep::No);
        }
        let _ = self.moves.cancel(now, &asks.name, AbortReason::Conflict);
        self.end_copy(now, &asks.name);
        self.reconsider(now, &asks.name);
        self.answer_loser(from, asks, ConflictStep::Yes);
    }

    fn answer_loser(&mut self, from: &NodeId, asks: Conflict, step: ConflictStep) {
        self.send_conflict(from, Conflict { step, ..asks });
    }

    /// A winner has taken in the state of a copy that ends, or could not.
    pub(crate) fn resolved(
        &mut self,
        now: Instant,
        name: &Name,
        loser: Pid,
        by: Pid,
        result: Result<(), ResolveError>,
    ) {
        self.touch(now);
        let Some(winning) = self.conflicts.winning.get_mut(name) else { return };
        let is_due = |taken: &&mut Taken| taken.by == by && taken.is_in == IsIn::NotYet;
        let Some(taken) = winning.taken.get_mut(&loser).filter(is_due) else { return };
        taken.is_in = IsIn::Since(now);
        self.conflicts.again.set_if_none(name, now + KEPT_FOR);
        let (from, asks) = (taken.from.clone(), taken.asks.clone());
        match result {
            Ok(()) => self.answer_loser(&from, asks, ConflictStep::Yes),
            // It is frozen, or has ended: the loser looks again.
            Err(ResolveError::NotRunning) => {
                winning.taken.remove(&loser);
                self.answer_loser(&from, asks, ConflictStep::No);
            }
            // The loser ends all the same: no later attempt would do better.
            Err(error) => {
                self.answer_loser(&from, asks, ConflictStep::Yes);
                let (name, reason) = (name.clone(), error.to_string());
                self.tell(Public::ConflictStateLost { name, reason });
            }
        }
    }

    /// The process of `name` is no more: losers that wait for it look again.
    pub(super) fn winner_ended(&mut self, name: &Name) {
        let winning = self.conflicts.winning.remove(name);
        for taken in winning.into_iter().flat_map(|winning| winning.taken.into_values()) {
            if taken.is_in == IsIn::NotYet {
                self.answer_loser(&taken.from, taken.asks, ConflictStep::No);
            }
        }
    }
}
