//! Two copies of one name: which ends, and how its state reaches the other.
//!
//! The loser's node drives the handshake: it freezes the loser, sends its state to the winner's
//! node, and ends it only once that node has said that the very process runs. Every message is
//! bound to both exact claims.

use super::event::{Command, Freeze, Frozen};
use super::wire::{Conflict, ConflictStep, Wire};
use super::{Node, Stop};
use crate::Event as Public;
use serde_bytes::ByteBuf;
use std::collections::BTreeMap;
use std::time::Duration;
use swarm_base::{Instant, Name, NodeId, Pid, Token};
use swarm_handoff::{AbortReason, Cancelled};
use swarm_registry::{At, Claim, Fact, Why};

/// A copy of this node's that is to end.
#[derive(Clone, Debug)]
struct Losing {
    loser: (Pid, Token),
    winner: (Pid, Token),
    winner_node: NodeId,
    /// What it hands over, once it is frozen.
    state: Option<Option<Vec<u8>>>,
}

/// The handshakes under way.
#[derive(Debug, Default)]
pub(super) struct Conflicts {
    losing: BTreeMap<Name, Losing>,
    /// The losers whose state each winner of this node has got: it gets each once.
    resolved: BTreeMap<Name, (Pid, Token)>,
    /// Names to look at again: the winner's node said no, or nothing yet.
    again: BTreeMap<Name, Instant>,
}

/// After a no the loser looks again this much later.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// A state that was not answered is sent again after this.
const RESEND_AFTER: Duration = Duration::from_secs(2);

/// How long a loser may take to end.
const LOSER_GRACE: Duration = Duration::from_secs(5);

impl Conflicts {
    pub(super) fn involves(&self, name: &Name) -> bool {
        self.losing.contains_key(name)
    }

    pub(super) fn forget(&mut self, name: &Name) {
        self.losing.remove(name);
        self.resolved.remove(name);
        self.again.remove(name);
    }

    /// How many copies are to end.
    #[cfg(feature = "sim")]
    pub(super) fn len(&self) -> usize {
        self.losing.len()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.again.values().min().copied()
    }

    fn due(&mut self, now: Instant) -> Vec<Name> {
        let due: Vec<_> =
            self.again.iter().filter(|(_, at)| **at <= now).map(|(name, _)| name.clone()).collect();
        for name in &due {
            self.again.remove(name);
        }
        due
    }
}

impl Node {
    pub(super) fn conflicts_due(&mut self, now: Instant) {
        for name in self.conflicts.due(now) {
            // What the other node was sent may have found no room on the way.
            self.send_state(now, &name);
            self.on_conflict(now, &name);
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
            return;
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
                    Cancelled::Committed => return,
                    // Its thaw is still to come, and would undo what is frozen here.
                    Cancelled::Aborted => {
                        self.conflicts.again.insert(name.clone(), now);
                        return;
                    }
                    Cancelled::NotMoving => (),
                }
                self.conflicts.losing.insert(
                    name.clone(),
                    Losing {
                        loser: (pid, own.token),
                        winner: (winning, winner.token),
                        winner_node,
                        state: None,
                    },
                );
                self.command(Command::Freeze { freeze: Freeze::Conflict(name.clone()), pid });
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
            swarm_registry::Resolution::Held { node, claim } => Some((node.clone(), claim)),
            _ => None,
        }
    }

    pub(super) fn loser_frozen(&mut self, now: Instant, name: &Name, frozen: Frozen) {
        let Some(losing) = self.conflicts.losing.get_mut(name) else {
            return self.thaw(now, name);
        };
        losing.state = Some(match frozen {
            Frozen::Resume(state) => Some(state),
            // It has nothing to hand over, and ends all the same: two copies are one too many.
            Frozen::Ignore | Frozen::Restart | Frozen::Failed(_) => None,
        });
        self.send_state(now, name);
    }

    fn send_state(&mut self, now: Instant, name: &Name) {
        let Some(losing) = self.conflicts.losing.get(name).cloned() else { return };
        let Some(state) = losing.state else { return };
        let conflict = Conflict {
            name: name.clone(),
            loser: losing.loser,
            winner: losing.winner,
            step: ConflictStep::State(state.map(ByteBuf::from)),
        };
        self.send(&losing.winner_node, &Wire::Conflict(conflict));
        self.conflicts.again.insert(name.clone(), now + RESEND_AFTER);
    }

    pub(super) fn on_conflict_message(&mut self, now: Instant, from: &NodeId, conflict: Conflict) {
        let Conflict { name, loser, winner, step } = conflict;
        match step {
            ConflictStep::State(state) => {
                let runs = self.registry.own(&name).is_some_and(|own| {
                    own.token == winner.1 && matches!(own.at, At::Running(pid) if pid == winner.0)
                }) && !self.conflicts.involves(&name);
                let step = if runs { ConflictStep::Yes } else { ConflictStep::No };
                if runs
                    && self.conflicts.resolved.insert(name.clone(), loser) != Some(loser)
                    && let Some(state) = state
                {
                    self.command(Command::Resolve { pid: winner.0, state: state.into_vec() });
                }
                self.send(from, &Wire::Conflict(Conflict { name, loser, winner, step }));
            }
            ConflictStep::Yes | ConflictStep::No => {
                let bound = self
                    .conflicts
                    .losing
                    .get(&name)
                    .is_some_and(|losing| losing.loser == loser && losing.winner == winner);
                if !bound {
                    return;
                }
                let losing = self.conflicts.losing.remove(&name);
                if step == ConflictStep::Yes {
                    self.end_loser(now, &name, losing);
                } else {
                    self.thaw(now, &name);
                    self.conflicts.again.insert(name, now + AGAIN_AFTER);
                }
            }
        }
    }

    fn end_loser(&mut self, now: Instant, name: &Name, losing: Option<Losing>) {
        let Some(losing) = losing else { return };
        self.names.forget_restart(name);
        self.conflicts.forget(name);
        self.registry.append(
            now,
            Fact::Ended {
                name: name.clone(),
                token: losing.loser.1,
                why: Why::GoneTo { log: losing.winner_node.clone(), token: losing.winner.1 },
            },
        );
        self.command(Command::Stop { pid: losing.loser.0, how: Stop::Graceful(LOSER_GRACE) });
        self.tell(Public::ConflictResolved { name: name.clone(), kept: losing.winner_node });
        self.reconsider(now, name);
    }

    /// The messages to `node` may have been lost with its last session.
    pub(super) fn conflicts_session_up(&mut self, now: Instant, node: &NodeId) {
        let names: Vec<_> = self
            .conflicts
            .losing
            .iter()
            .filter(|(_, losing)| losing.winner_node == *node)
            .map(|(name, _)| name.clone())
            .collect();
        for name in names {
            self.send_state(now, &name);
        }
    }

    /// A winner's node is dead: its losers go on.
    pub(super) fn conflicts_of_dead(&mut self, now: Instant, node: &NodeId) {
        let names: Vec<_> = self
            .conflicts
            .losing
            .iter()
            .filter(|(_, losing)| losing.winner_node == *node)
            .map(|(name, _)| name.clone())
            .collect();
        for name in names {
            self.conflicts.losing.remove(&name);
            self.thaw(now, &name);
        }
    }
}
