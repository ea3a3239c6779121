//! The target's end of a move: build a standby, run it on a commit, and remember how it ended.

mod coming;

mod mail;

mod protocol;

mod standbys;
pub(super) use standbys::Target;
pub use standbys::TargetPhase;

use super::event::{DiscardReason, MoveEvent, Promoted};
use super::machine::{Accepting, Moves};
use super::past::Run;
use crate::message::{MoveId, MoveMessage, Refusal};
use standbys::{Fate, Standby};
use std::collections::BTreeSet;
use swarm_base::{Instant, NodeId, Token};

impl Moves {
    /// Answers [`MoveEvent::Build`].
    pub fn built(&mut self, now: Instant, id: MoveId, result: Result<(), Refusal>) {
        let Some(standby) = self.target.standbys.get_mut(&id) else { return };
        if standby.phase != TargetPhase::Building {
            return;
        }
        let (name, from) = (standby.name.clone(), standby.from.clone());
        match result {
            Ok(()) if standby.source == Fate::Alive => {
                standby.phase = TargetPhase::Ready;
                standby.retry = now + self.config.retry;
                self.send(&from, MoveMessage::Ready { id });
            }
            Ok(()) => {
                standby.phase = TargetPhase::Orphaned;
                standby.retry = now + self.config.retry;
                self.emit(MoveEvent::SourceDied { id, name });
            }
            Err(why) => {
                self.target.close(now, id, why.clone());
                self.send(&from, MoveMessage::Refused { id, why });
            }
        }
    }

    /// Answers [`MoveEvent::Promote`]: the claim on the name, or why the process does not run.
    pub fn promoted(&mut self, now: Instant, id: MoveId, result: Result<Promoted, Refusal>) {
        let Some(standby) = self.target.standbys.get(&id) else { return };
        let TargetPhase::Promoting { orphan } = standby.phase else { return };
        let (name, from) = (standby.name.clone(), standby.from.clone());
        match result {
            Ok(promoted) => {
                let (owed, expires) = (orphan.then_some(standby.parts), None);
                let run = Run { from: from.clone(), name, promoted, owed, asked: now, expires };
                let source = standby.source;
                self.target.remove(id);
                self.target.past.promote(id, run);
                if source == Fate::Dead {
                    self.target.past.source_died(now, &from);
                }
                self.send_ack(&from, id, promoted);
            }
            Err(why) => {
                self.target.close(now, id, why.clone());
                self.send(&from, MoveMessage::Nack { id, why });
            }
        }
    }

    /// Answers [`MoveEvent::SourceDied`]: this node runs the name, by the log of the dead source.
    /// [`MoveEvent::Promote`] with `token` follows.
    pub fn promote_orphan(&mut self, _now: Instant, id: MoveId, token: Token) {
        let Some(standby) = self.target.standbys.get_mut(&id) else { return };
        if standby.phase == TargetPhase::Orphaned {
            standby.phase = TargetPhase::Promoting { orphan: true };
            let (name, mails) = (standby.name.clone(), std::mem::take(&mut standby.mails));
            self.emit(MoveEvent::Promote { id, name, token, mails });
        }
    }

    /// Answers [`MoveEvent::SourceDied`]: the standby is not needed. [`MoveEvent::Discard`]
    /// follows. Should the source live, it learns that its commit came to nothing.
    pub fn discard(&mut self, now: Instant, id: MoveId) {
        if self.target.standbys.get(&id).is_some_and(|s| s.phase == TargetPhase::Orphaned) {
            self.throw_away(now, id, DiscardReason::SourceDied, Refusal::Gone);
        }
    }

    /// A standby ended by itself before it was promoted. The source is told, and goes on.
    pub fn standby_exited(&mut self, now: Instant, id: MoveId, reason: String) {
        let Some(standby) = self.target.standbys.get(&id) else { return };
        if !matches!(standby.phase, TargetPhase::Promoting { .. }) {
            let (from, why) = (standby.from.clone(), Refusal::StartFailed { reason });
            self.target.close(now, id, why.clone());
            self.send(&from, MoveMessage::Refused { id, why });
        }
    }

    /// Whether this node takes processes. On [`Accepting::Leaving`] standbys are thrown away.
    pub fn set_accepting(&mut self, accepting: Accepting) {
        self.target.accepting = accepting;
        if accepting != Accepting::Leaving {
            return;
        }
        let now = self.target.latest;
        let promoting = |standby: &Standby| matches!(standby.phase, TargetPhase::Promoting { .. });
        let standbys = self.target.standbys.iter();
        let waiting: Vec<(MoveId, NodeId)> = standbys
            .filter(|(_, standby)| !promoting(standby))
            .map(|(id, standby)| (*id, standby.from.clone()))
            .collect();
        for (id, from) in waiting {
            self.throw_away(now, id, DiscardReason::Leaving, Refusal::Leaving);
            self.send(&from, MoveMessage::Refused { id, why: Refusal::Leaving });
        }
    }

    /// The kinds that this node builds standbys of; any, unless this is called. Others are refused
    /// before their state is sent.
    pub fn set_kinds(&mut self, kinds: BTreeSet<String>) {
        self.target.kinds = Some(kinds);
    }

    /// How many standbys this node holds for others, those that are being promoted included.
    #[must_use]
    pub fn standbys(&self) -> usize {
        self.target.standbys.len()
    }
}
