//! The source's end: it decides while it lives, and keeps the snapshot until the target runs it.

use super::state::{At, Entry, Leaving, Message, Phase, Sent};
use super::{Moves, State};

impl State {
    /// Freezes the process, logs where it goes, and offers it.
    pub(super) fn begin(&mut self, moves: Moves, at: usize) {
        let (id, next) = (self.begun, self.highest() + 1);
        self.begun += 1;
        let end = &mut self.ends[at];
        let Some(process) = &mut end.process else { return };
        let snapshot = process.state;
        process.frozen = true;
        if moves == Moves::SentOnce {
            end.process = None;
            self.send(at, Message::Cast { id, token: next, snapshot });
            return;
        }
        if moves == Moves::KillBeforeReady {
            end.process = None;
        }
        end.leaving = Some(Leaving { id, snapshot, phase: Phase::Offered });
        if let Some(entry) = &mut end.entry {
            entry.at = At::Moving { id };
        }
        self.send(at, Message::Offer { id, snapshot });
    }

    pub(super) fn hear_as_source(&mut self, moves: Moves, at: usize, message: Message) {
        let id = message.id();
        let any = moves == Moves::StaleOffer;
        let leaving = self.ends[at].leaving.filter(|leaving| leaving.id == id || any);
        let Some(leaving) = leaving else {
            return match message {
                Message::Ready { .. } | Message::Query { .. } => {
                    self.send(at, Message::Abort { id });
                }
                Message::Ack { .. } => self.send(at, Message::Done { id }),
                _ => (),
            };
        };
        match (message, leaving.phase) {
            (Message::Ready { .. } | Message::Ack { .. }, Phase::Offered) => {
                self.ends[at].leaving = Some(Leaving { phase: Phase::Stopping, ..leaving });
            }
            (Message::Refused { .. }, Phase::Offered) => self.thaw(moves, at),
            (Message::Ack { .. }, Phase::Committed { .. }) => self.moved(at),
            (Message::Nack { .. }, Phase::Committed { .. }) => self.resume(at),
            (Message::Ready { .. } | Message::Query { .. }, Phase::Committed { .. })
            | (Message::Query { .. }, Phase::Offered) => {
                if let Some(sent) = self.repeated(at) {
                    self.send(at, sent.message);
                }
            }
            _ => (),
        }
    }

    /// What the source says again until it is answered.
    pub(super) fn repeated(&self, at: usize) -> Option<Sent> {
        let leaving = self.ends[at].leaving.filter(|_| self.ends[1 - at].up)?;
        let id = leaving.id;
        let message = match leaving.phase {
            Phase::Offered => Message::Offer { id, snapshot: leaving.snapshot },
            Phase::Committed { token } => Message::Commit { id, token },
            Phase::Stopping => return None,
        };
        Some(Sent { to: 1 - at as u8, message })
    }

    pub(super) fn expire(&mut self, moves: Moves, at: usize) {
        if let Some(leaving) = self.ends[at].leaving {
            self.send(at, Message::Abort { id: leaving.id });
            self.thaw(moves, at);
        }
    }

    /// The process goes on as if nothing had been.
    fn thaw(&mut self, moves: Moves, at: usize) {
        let Some(leaving) = self.ends[at].leaving.take() else { return };
        self.outcomes[usize::from(leaving.id)].thawed = true;
        let Some(Entry { token, .. }) = self.ends[at].entry else { return };
        match self.ends[at].process.take() {
            Some(process) => self.run(at, process.state, token),
            // It was ended too early, and there is nothing to thaw.
            None => assert_eq!(moves, Moves::KillBeforeReady, "a frozen process is there"),
        }
    }

    /// Nothing of the process is left here: the target may run it.
    pub(super) fn stopped(&mut self, at: usize) {
        let token = self.highest() + 1;
        let Some(leaving) = &mut self.ends[at].leaving else { return };
        leaving.phase = Phase::Committed { token };
        let id = leaving.id;
        self.ends[at].process = None;
        if self.ends[at].alone {
            self.resume(at);
        } else {
            self.send(at, Message::Commit { id, token });
        }
    }

    /// Whether the other end's log has a claim at or above the token of the commit.
    pub(super) fn other_claims(&self, at: usize, token: u8) -> bool {
        let claims = |entry: Entry| entry.at != At::Gone && entry.token >= token;
        self.ends[1 - at].entry.is_some_and(claims)
    }

    /// The target runs it.
    pub(super) fn moved(&mut self, at: usize) {
        let end = &mut self.ends[at];
        let Some(leaving) = end.leaving.take() else { return };
        if let Some(entry) = &mut end.entry {
            entry.at = At::Gone;
        }
        self.send(at, Message::Done { id: leaving.id });
    }

    /// The target does not run it: it goes on here, from what was kept.
    fn resume(&mut self, at: usize) {
        let Some(leaving) = self.ends[at].leaving else { return };
        let Phase::Committed { token } = leaving.phase else { return };
        self.ends[at].leaving = None;
        self.outcomes[usize::from(leaving.id)].resumed = true;
        // The token that went out with the commit counts as used.
        self.run(at, leaving.snapshot, token + 1);
    }

    /// The target is dead. A claim of it that is known counts as its acknowledgement.
    pub(super) fn target_died(&mut self, moves: Moves, at: usize) {
        match self.ends[at].leaving.map(|leaving| leaving.phase) {
            Some(Phase::Offered) => self.thaw(moves, at),
            Some(Phase::Committed { token }) if self.other_claims(at, token) => self.moved(at),
            Some(Phase::Committed { .. }) => self.resume(at),
            Some(Phase::Stopping) | None => (),
        }
    }
}
