//! The source's end of a move: freeze, offer, stop, commit, and keep the snapshot until the
//! target runs it.

mod chunks;

mod leaving;
pub(super) use leaving::Source;
pub use leaving::{Outgoing, SourcePhase};

mod protocol;

use super::event::{
    AbortReason, Busy, Cancelled, Frozen, MoveEvent, MoveOutcome, Promoted, ResumeReason,
};
use super::machine::Moves;
use crate::message::{MoveId, Offer};
use bytes::Bytes;
use chunks::Chunks;
use leaving::{Fate, Leaving, Mails, Phase, take};
use swarm_base::{Instant, Name, NodeId, Token};

impl Moves {
    /// Begins to move `name`, which runs here, to `to`; [`MoveEvent::Freeze`] follows.
    ///
    /// # Errors
    ///
    /// [`Busy`] says why not now. Nothing has happened to the process.
    pub fn begin(&mut self, now: Instant, name: Name, to: NodeId) -> Result<MoveId, Busy> {
        self.may_begin(now, &name, &to)?;
        self.source.serial += 1;
        let id = MoveId { source: self.me.boot, serial: self.source.serial };
        let phase = Phase::Freezing { deadline: now + self.config.freeze_timeout };
        self.source.names.insert(name.clone(), id);
        let leaving = Leaving { name: name.clone(), to, began: now, held: 0, phase };
        self.source.moves.insert(id, leaving);
        assert!(self.source.moves.len() <= self.config.moves_max, "moves are bounded");
        self.emit(MoveEvent::Freeze { id, name });
        Ok(id)
    }

    /// Answers [`MoveEvent::Freeze`].
    pub fn frozen(&mut self, now: Instant, id: MoveId, outcome: Frozen) {
        let Some(leaving) = self.source.moves.get(&id) else { return };
        if !matches!(leaving.phase, Phase::Freezing { .. }) {
            return;
        }
        match outcome {
            Frozen::Ignore => self.end(now, id, MoveOutcome::Ignored),
            Frozen::Failed(reason) => self.thaw(now, id, MoveOutcome::NotFrozen { reason }),
            Frozen::Ready(offer) => self.offer(now, id, offer),
        }
    }

    /// Answers [`MoveEvent::Stop`]: nothing of the process runs here any more. The target will
    /// claim the name with `next`, and handle `mails` first, in this order.
    pub fn stopped(&mut self, now: Instant, id: MoveId, next: Token, mails: Vec<Bytes>) {
        let Some(leaving) = self.source.moves.get_mut(&id) else { return };
        let Phase::Stopping { offer, target } = &mut leaving.phase else { return };
        let more: usize = mails.iter().map(Bytes::len).sum();
        leaving.held += more;
        self.source.held += more;
        let (offer, fate) = (take(offer), *target);
        let retry = now + self.config.retry;
        leaving.phase = Phase::Committed { offer, token: next, mails: Mails::new(mails), retry };
        match fate {
            Fate::Alive => self.send_commit(id),
            Fate::Dead => self.resume(now, id, ResumeReason::TargetDied),
        }
    }

    /// Calls a move of `name` off: the process is to be stopped, the name taken away, or another
    /// claim has turned up. [`MoveEvent::Thaw`] follows where it comes in time.
    pub fn cancel(&mut self, now: Instant, name: &Name, why: AbortReason) -> Cancelled {
        let Some(id) = self.source.names.get(name).copied() else { return Cancelled::NotMoving };
        match self.source.moves[&id].phase {
            Phase::Freezing { .. } | Phase::Offered { .. } | Phase::Stopping { .. }
                if why == AbortReason::Exited =>
            {
                self.exited(now, id);
                Cancelled::Aborted
            }
            Phase::Freezing { .. } | Phase::Offered { .. } => {
                self.thaw(now, id, MoveOutcome::Aborted(why));
                Cancelled::Aborted
            }
            Phase::Stopping { .. } | Phase::Committed { .. } => Cancelled::Committed,
        }
    }

    /// The process ended by itself, not as [`MoveEvent::Stop`] asked for: whoever supervises it
    /// decides about it, and the move is over without a thaw. Once
    /// [`stopped`](Self::stopped) has been called it comes too late and does nothing.
    pub fn exited(&mut self, now: Instant, id: MoveId) {
        let leaving = self.source.moves.get(&id);
        if leaving.is_some_and(|leaving| !matches!(leaving.phase, Phase::Committed { .. })) {
            self.abort(id);
            self.end(now, id, MoveOutcome::Aborted(AbortReason::Exited));
        }
    }

    /// The registry shows a claim of `by` on `name`. Where that is the target of a commit that is
    /// out, the claim counts as its acknowledgement.
    pub fn claim_seen(&mut self, now: Instant, name: &Name, by: &NodeId, claim: Promoted) {
        let Some(id) = self.source.names.get(name).copied() else { return };
        let leaving = &self.source.moves[&id];
        let Phase::Committed { token, mails, .. } = &leaving.phase else { return };
        // It waits for the rest of the mail, and acknowledges the commit behind it.
        if leaving.to == *by && claim.token >= *token && mails.is_last(&self.config) {
            self.moved(now, id, claim);
        }
    }

    /// The metadata of `node` changed: whatever it refused, it may be asked again.
    pub fn target_changed(&mut self, node: &NodeId) {
        self.source.backoff.forget_target(node);
    }

    /// The process of `name` is another one than before: what it failed or ignored is forgotten.
    pub fn forget(&mut self, name: &Name) {
        self.source.backoff.forget_name(name);
    }

    /// How many processes are leaving this node.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.source.moves.len()
    }

    /// How many more may leave at once, by number and by the room that their snapshots are
    /// expected to take.
    #[must_use]
    pub fn slots(&self) -> usize {
        let by_number = self.config.moves_max.saturating_sub(self.source.moves.len());
        if self.source.moves.is_empty() {
            // One alone always fits: no snapshot is larger than the room.
            return by_number.min(self.source.room_for(&self.config).max(1));
        }
        by_number.min(self.source.room_for(&self.config))
    }

    /// The bytes of snapshots and mail that are kept for moves from here.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.source.held
    }

    /// The processes that are leaving this node, in the order in which their moves began.
    pub fn outgoing(&self) -> impl Iterator<Item = Outgoing<'_>> {
        self.source.moves.iter().map(|(id, leaving)| Outgoing {
            id: *id,
            name: &leaving.name,
            to: &leaving.to,
            began: leaving.began,
            phase: leaving.phase.public(),
        })
    }

    fn may_begin(&self, now: Instant, name: &Name, to: &NodeId) -> Result<(), Busy> {
        let (config, source) = (&self.config, &self.source);
        if *to == self.me {
            return Err(Busy::Here);
        }
        if self.of(name).is_some() {
            return Err(Busy::Moving);
        }
        if let Some(until) = source.backoff.until(now, name, to) {
            return Err(Busy::Backoff { until });
        }
        if !self.sessions.contains(to) || self.target.is_buried(to) {
            return Err(Busy::Unreachable);
        }
        if source.moves.len() >= config.moves_max {
            return Err(Busy::Full { max: config.moves_max });
        }
        if self.slots() == 0 {
            return Err(Busy::NoRoom { max: config.bytes_max });
        }
        Ok(())
    }

    fn offer(&mut self, now: Instant, id: MoveId, offer: Offer) {
        let size = offer.size();
        self.source.typical = (self.source.typical / 4 * 3).saturating_add(size / 4);
        if size > self.config.state_bytes_max {
            return self.thaw(now, id, MoveOutcome::Aborted(AbortReason::TooLarge));
        }
        if self.source.held.saturating_add(size) > self.config.bytes_max {
            return self.thaw(now, id, MoveOutcome::Aborted(AbortReason::NoRoom));
        }
        let Some(leaving) = self.source.moves.get_mut(&id) else { return };
        self.source.held += size;
        leaving.held = size;
        let (deadline, retry) = (now + self.config.offer_timeout, now + self.config.retry);
        let chunks = Chunks::of(&offer, &self.config);
        leaving.phase = Phase::Offered { offer, chunks, deadline, retry };
        let (name, to) = (leaving.name.clone(), leaving.to.clone());
        self.emit(MoveEvent::LogMoving { id, name, to });
        self.send_offer(id);
    }
}
