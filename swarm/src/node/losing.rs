//! The copy of a name that ends: it is frozen, hands over its state, and stops once the winner's
//! node has said that the winner has it.
//!
//! It stays frozen until that node has answered, or is dead. One that went on, or was restarted,
//! while the answer is under way would be another process than the answer is about, and a yes to
//! the old one would end the new one, perhaps the last there is (ownership, consequence 2). Of a
//! dead node no answer counts: its yes may be that of a process that has died with the state.

use super::conflicts::Conflicts;
use super::event::{Command, Freeze, Frozen};
use super::wire::{Conflict, ConflictStep};
use super::{Node, Stop};
use crate::Event as Public;
use serde_bytes::ByteBuf;
use std::time::Duration;
use swarm_base::{Instant, Name, NodeId, Pid, Token};
use swarm_registry::{Fact, Why};

/// A copy of this node's that is to end.
#[derive(Debug)]
pub(super) struct Losing {
    loser: (Pid, Token),
    winner: (Pid, Token),
    winner_node: NodeId,
    /// Whether the winner is to end as well: a resolver keeps neither.
    ends_both: bool,
    /// Which time it was asked to end: what an earlier freeze says comes too late.
    round: u64,
    hands: Hands,
    /// After how long without an answer it is sent next.
    resend: Duration,
}

/// What a loser hands over.
#[derive(Debug)]
enum Hands {
    /// It has been asked.
    Asked,
    /// Its state, or nothing.
    Over(Option<Vec<u8>>),
    /// It has not said so in time, and ends without.
    Stuck,
}

/// After a no the loser looks again this much later.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// What was not answered is sent again after this, and then less and less often: no answer comes
/// as long as the winner is busy with something else.
const RESEND_AFTER: Duration = Duration::from_secs(2);

/// See [`RESEND_AFTER`]. What a session loses is sent on the next one, without waiting.
const RESEND_AFTER_MAX: Duration = Duration::from_secs(30);

/// How long a loser may take to end.
pub(super) const LOSER_GRACE: Duration = Duration::from_secs(5);

impl Conflicts {
    fn losing_to(&self, node: &NodeId) -> Vec<Name> {
        let theirs = self.losing.iter().filter(|(_, losing)| losing.winner_node == *node);
        theirs.map(|(name, _)| name.clone()).collect()
    }
}

impl Node {
    /// The copy of this node is to end. One that does not answer, because a handler of it hangs,
    /// must not leave two of them for ever.
    pub(super) fn begin_losing(
        &mut self,
        now: Instant,
        name: &Name,
        loser: (Pid, Token),
        winner: (Pid, Token),
        winner_node: NodeId,
        ends_both: bool,
    ) {
        self.conflicts.rounds += 1;
        let (round, resend, pid) = (self.conflicts.rounds, RESEND_AFTER, loser.0);
        let hands = Hands::Asked;
        let losing = Losing { loser, winner, winner_node, ends_both, round, hands, resend };
        self.conflicts.losing.insert(name.clone(), losing);
        self.conflicts.again.set(name.clone(), now + self.moves.config().freeze_timeout);
        self.command(Command::Freeze { freeze: Freeze::Conflict(name.clone(), round), pid });
    }

    pub(super) fn loser_frozen(&mut self, now: Instant, name: &Name, round: u64, frozen: Frozen) {
        // Whatever ended an earlier round has let the process go on.
        let is_due =
            |losing: &&mut Losing| losing.round == round && matches!(losing.hands, Hands::Asked);
        let Some(losing) = self.conflicts.losing.get_mut(name).filter(is_due) else { return };
        let (mut too_long, max) = (None, Conflict::STATE_LEN_MAX);
        losing.hands = Hands::Over(match frozen {
            Frozen::Resume(state) if state.len() > max => {
                too_long = Some(state.len());
                None
            }
            Frozen::Resume(state) => Some(state),
            // It has nothing to hand over, and ends all the same: two copies are one too many.
            Frozen::Ignore | Frozen::Restart | Frozen::Failed(_) => None,
        });
        if let Some(len) = too_long {
            let reason = format!("it has {len} bytes, a conflict hands over {max} at most");
            self.tell(Public::ConflictStateLost { name: name.clone(), reason });
        }
        self.send_state(now, name);
    }

    /// The loser has not said in time what it hands over, or the winner's node not what came of it.
    pub(super) fn loser_due(&mut self, now: Instant, name: &Name) {
        let Some(losing) = self.conflicts.losing.get_mut(name) else { return };
        if matches!(losing.hands, Hands::Asked) {
            losing.hands = Hands::Stuck;
        }
        self.conflicts.detours.forget(&losing.winner_node);
        self.send_state(now, name);
    }

    fn send_state(&mut self, now: Instant, name: &Name) {
        let Some(losing) = self.conflicts.losing.get_mut(name) else { return };
        let state = match &losing.hands {
            Hands::Asked => return,
            Hands::Over(state) => state.clone().map(ByteBuf::from),
            Hands::Stuck => None,
        };
        self.conflicts.again.set(name.clone(), now + losing.resend);
        losing.resend = (losing.resend * 2).min(RESEND_AFTER_MAX);
        let (loser, winner, to) = (losing.loser, losing.winner, losing.winner_node.clone());
        let step =
            if losing.ends_both { ConflictStep::Neither } else { ConflictStep::State(state) };
        self.send_conflict(&to, Conflict { name: name.clone(), loser, winner, step });
    }

    /// The winner's node has answered.
    pub(super) fn loser_answered(&mut self, now: Instant, from: &NodeId, conflict: Conflict) {
        let Conflict { name, loser, winner, step } = conflict;
        let is_bound = |losing: &Losing| {
            (losing.loser, losing.winner, &losing.winner_node) == (loser, winner, from)
        };
        if !self.conflicts.losing.get(&name).is_some_and(is_bound) {
            return;
        }
        let Some(losing) = self.conflicts.losing.remove(&name) else { return };
        if step == ConflictStep::Yes && losing.ends_both {
            self.end_copy(now, &name);
            self.reconsider(now, &name);
        } else if step == ConflictStep::Yes {
            self.end_loser(now, name, losing);
        } else {
            self.thaw(now, &name);
            self.conflicts.again.set(name, now + AGAIN_AFTER);
        }
    }

    fn end_loser(&mut self, now: Instant, name: Name, losing: Losing) {
        let Losing { loser: (pid, token), winner, winner_node, hands, .. } = losing;
        self.names.forget_restart(&name);
        self.conflicts.forget(&name);
        let why = Why::GoneTo { log: winner_node.clone(), token: winner.1 };
        self.registry.append(now, Fact::Ended { name: name.clone(), token, why });
        let how = match hands {
            Hands::Stuck => Stop::Kill,
            Hands::Asked | Hands::Over(_) => Stop::Graceful(LOSER_GRACE),
        };
        self.command(Command::Stop { pid, how });
        self.tell(Public::ConflictResolved { name: name.clone(), kept: winner_node });
        self.reconsider(now, &name);
    }

    /// The messages to `node` may have been lost with its last session.
    pub(super) fn conflicts_session_up(&mut self, now: Instant, node: &NodeId) {
        self.conflicts.detours.forget(node);
        for name in self.conflicts.losing_to(node) {
            self.send_state(now, &name);
        }
    }

    /// A winner's node is dead: its losers go on.
    pub(super) fn conflicts_of_dead(&mut self, now: Instant, node: &NodeId) {
        self.conflicts.detours.forget(node);
        for name in self.conflicts.losing_to(node) {
            self.conflicts.losing.remove(&name);
            self.thaw(now, &name);
        }
    }
}
