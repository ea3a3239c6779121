//! What can happen next, and what it does.

use super::state::At;
use super::state::{Entry, Message, Past, Phase, Sent};
use super::{ENDS, End, MOVES, Moves, State};

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The reconciler of this end moves the process to the other.
    Begin(usize),
    /// A message arrives.
    Deliver(Sent),
    /// It arrives, and a copy of it stays under way.
    Double(Sent),
    /// It never arrives.
    Lose(Sent),
    /// An end dies.
    Crash(usize),
    /// An end learns that the other is dead.
    Notice(usize),
    /// A source's deadline for an answer to its offer passes.
    Expire(usize),
    /// A source repeats itself.
    Repeat(usize),
    /// A source's process has ended.
    Stopped(usize),
    /// A source sees the target's claim in its log.
    SeeClaim(usize),
    /// A target's standby is built.
    Built(usize),
    /// A target cannot build it.
    CannotBuild(usize),
    /// A target asks whether the move is still on.
    Ask(usize),
    /// A target throws away a standby whose source is silent.
    GiveUp(usize),
    /// A target runs its standby because it has waited for long.
    OwnTimer(usize),
}

impl State {
    /// What comes from outside: moves, and faults.
    pub(super) fn faults(&self, steps: &mut Vec<Step>) {
        let all_live = self.ends.iter().all(|end| end.up);
        for at in 0..ENDS {
            if all_live {
                steps.push(Step::Crash(at));
            }
            if self.may_begin(at) {
                steps.push(Step::Begin(at));
            }
        }
        for sent in &self.wire {
            steps.extend([Step::Double(*sent), Step::Lose(*sent)]);
        }
    }

    /// What the protocol does: as long as there is any of it, it is not stuck.
    pub(super) fn steps(&self, moves: Moves, steps: &mut Vec<Step>) {
        steps.extend(self.wire.iter().map(|sent| Step::Deliver(*sent)));
        for (at, end) in self.ends.iter().enumerate().filter(|(_, end)| end.up) {
            if !end.alone && !self.ends[1 - at].up {
                steps.push(Step::Notice(at));
            }
            match end.leaving.map(|leaving| leaving.phase) {
                Some(Phase::Offered) => steps.push(Step::Expire(at)),
                Some(Phase::Stopping) => steps.push(Step::Stopped(at)),
                Some(Phase::Committed { token }) if self.other_claims(at, token) => {
                    steps.push(Step::SeeClaim(at));
                }
                Some(Phase::Committed { .. }) | None => (),
            }
            if self.repeated(at).is_some_and(|sent| !self.wire.contains(&sent)) {
                steps.push(Step::Repeat(at));
            }
            let Some(standby) = end.standby else { continue };
            if !standby.ready {
                steps.extend([Step::Built(at), Step::CannotBuild(at)]);
            }
            let query = Sent { to: 1 - at as u8, message: Message::Query { id: standby.id } };
            if self.ends[1 - at].up && !self.wire.contains(&query) {
                steps.push(Step::Ask(at));
            }
            if !end.alone {
                steps.push(Step::GiveUp(at));
            }
            if moves == Moves::OwnTimer && standby.ready {
                steps.push(Step::OwnTimer(at));
            }
        }
    }

    pub(super) fn take(&mut self, moves: Moves, step: Step) {
        match step {
            Step::Begin(at) => self.begin(moves, at),
            Step::Deliver(sent) => {
                self.wire.remove(&sent);
                self.deliver(moves, sent);
            }
            Step::Double(sent) => self.deliver(moves, sent),
            Step::Lose(sent) => drop(self.wire.remove(&sent)),
            Step::Crash(at) => self.crash(at),
            Step::Notice(at) => {
                self.ends[at].alone = true;
                self.target_died(moves, at);
                self.settle(at);
            }
            Step::Expire(at) => self.expire(moves, at),
            Step::Repeat(at) => {
                if let Some(sent) = self.repeated(at) {
                    self.send(at, sent.message);
                }
            }
            Step::Stopped(at) => self.stopped(at),
            Step::SeeClaim(at) => self.moved(at),
            Step::Built(at) => self.built(at),
            Step::CannotBuild(at) => self.cannot_build(at),
            Step::Ask(at) => {
                if let Some(standby) = self.ends[at].standby {
                    self.send(at, Message::Query { id: standby.id });
                }
            }
            Step::GiveUp(at) => self.discard(at),
            Step::OwnTimer(at) => {
                let token = self.highest() + 1;
                self.promote(at, token);
            }
        }
    }

    /// A message that is not from who numbered the move, or not to it, says nothing.
    fn deliver(&mut self, moves: Moves, sent: Sent) {
        let (at, message) = (usize::from(sent.to), sent.message);
        match message {
            Message::Offer { .. }
            | Message::Commit { .. }
            | Message::Abort { .. }
            | Message::Done { .. }
            | Message::Cast { .. } => self.hear_as_target(moves, at, message),
            _ => self.hear_as_source(moves, at, message),
        }
    }

    fn may_begin(&self, at: usize) -> bool {
        let end = &self.ends[at];
        let is_free = end.leaving.is_none() && end.standby.is_none() && !end.alone;
        end.up
            && is_free
            && end.process.is_some_and(|process| !process.frozen)
            && usize::from(self.begun) < MOVES
    }

    fn crash(&mut self, at: usize) {
        let entry: Option<Entry> = self.ends[at].entry;
        let end = &mut self.ends[at];
        *end = End { entry, past: [Past::Unknown; MOVES], ..Self::new().ends[1].clone() };
        end.up = false;
        self.wire.retain(|sent| usize::from(sent.to) != at);
    }

    /// Decides about the name at `at`, which knows that it is alone: by the log of the other end,
    /// if its claim is the winning one (ownership, consequence 1).
    pub(super) fn settle(&mut self, at: usize) {
        let Some((holder, entry)) = self.claim() else { return };
        let named = match entry.at {
            At::Moving { id } if holder != at => Some(id),
            _ => None,
        };
        let standby = self.ends[at].standby;
        if let Some(standby) = standby {
            // One that is not built yet is waited for, whichever it is.
            if !standby.ready {
                return;
            }
            if Some(standby.id) == named {
                self.outcomes[usize::from(standby.id)].orphaned = true;
                let token = self.highest() + 1;
                return self.promote(at, token);
            }
            self.discard(at);
        }
        if holder != at {
            self.run_from_spec(at);
        }
    }
}
