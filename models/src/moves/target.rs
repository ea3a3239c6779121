//! The target's end: it builds a standby, runs it on a commit, and remembers how it ended.

use super::state::{Message, Past, Standby};
use super::{Moves, State};

impl State {
    pub(super) fn hear_as_target(&mut self, moves: Moves, at: usize, message: Message) {
        let id = message.id();
        match message {
            Message::Offer { snapshot, .. } => self.hear_offer(moves, at, id, snapshot),
            Message::Commit { token, .. } => self.hear_commit(moves, at, id, token),
            Message::Abort { .. } => self.hear_abort(moves, at, id),
            Message::Done { .. } => self.hear_done(at, id),
            Message::Cast { token, snapshot, .. } => self.run(at, snapshot, token),
            _ => (),
        }
    }

    fn hear_offer(&mut self, moves: Moves, at: usize, id: u8, snapshot: u8) {
        let end = &self.ends[at];
        if let Some(standby) = end.standby.filter(|standby| standby.id == id) {
            if standby.ready {
                self.send(at, Message::Ready { id });
            }
            return;
        }
        match end.past[usize::from(id)] {
            Past::Unknown => (),
            Past::Promoted => return self.send(at, Message::Ack { id }),
            Past::Refused | Past::Done if moves == Moves::StaleOffer => (),
            Past::Refused => return self.send(at, Message::Refused { id }),
            Past::Done => return,
        }
        let is_later = end.standby.is_none_or(|standby| standby.id < id);
        if end.alone || end.leaving.is_some() || end.process.is_some() || !is_later {
            self.ends[at].past[usize::from(id)] = Past::Refused;
            return self.send(at, Message::Refused { id });
        }
        // The source began anew, so it has given a former move up: its abort was lost.
        self.discard(at);
        self.ends[at].standby = Some(Standby { id, snapshot, ready: false });
    }

    pub(super) fn built(&mut self, at: usize) {
        let Some(standby) = &mut self.ends[at].standby else { return };
        standby.ready = true;
        let id = standby.id;
        if self.ends[at].alone {
            self.settle(at);
        } else {
            self.send(at, Message::Ready { id });
        }
    }

    fn hear_commit(&mut self, moves: Moves, at: usize, id: u8, token: u8) {
        let any = moves == Moves::StaleOffer;
        match self.ends[at].standby.filter(|standby| standby.id == id || any) {
            // What its log says decides by now: a commit from before its death comes too late.
            Some(_) if self.ends[at].alone => (),
            Some(standby) if standby.ready => self.promote(at, token),
            Some(_) => (),
            None => match self.ends[at].past[usize::from(id)] {
                Past::Promoted => self.send(at, Message::Ack { id }),
                Past::Done => (),
                Past::Refused | Past::Unknown => {
                    // An offer of this move that was overtaken is refused, too.
                    self.ends[at].past[usize::from(id)] = Past::Refused;
                    self.send(at, Message::Nack { id });
                }
            },
        }
    }

    fn hear_abort(&mut self, moves: Moves, at: usize, id: u8) {
        if moves == Moves::AbortWithoutId {
            self.discard(at);
            if self.ends[at].leaving.is_none() {
                self.ends[at].process = None;
            }
            return;
        }
        let past = &mut self.ends[at].past[usize::from(id)];
        match *past {
            Past::Promoted => *past = Past::Done,
            // It may have overtaken its offer.
            Past::Unknown => *past = Past::Refused,
            Past::Refused | Past::Done => (),
        }
        if self.ends[at].standby.is_some_and(|standby| standby.id == id) {
            self.discard(at);
            if self.ends[at].alone {
                self.settle(at);
            }
        }
    }

    fn hear_done(&mut self, at: usize, id: u8) {
        let past = &mut self.ends[at].past[usize::from(id)];
        if *past == Past::Promoted {
            *past = Past::Done;
        }
    }

    /// The standby runs.
    pub(super) fn promote(&mut self, at: usize, token: u8) {
        let Some(standby) = self.ends[at].standby.take() else { return };
        self.ends[at].past[usize::from(standby.id)] = Past::Promoted;
        self.outcomes[usize::from(standby.id)].promoted = true;
        self.run(at, standby.snapshot, token);
        self.send(at, Message::Ack { id: standby.id });
    }

    /// There is no standby any more; whatever still comes about it is refused.
    pub(super) fn discard(&mut self, at: usize) {
        if let Some(standby) = self.ends[at].standby.take() {
            self.ends[at].past[usize::from(standby.id)] = Past::Refused;
        }
    }

    /// The same, and the source is told.
    pub(super) fn cannot_build(&mut self, at: usize) {
        let Some(standby) = self.ends[at].standby else { return };
        self.discard(at);
        self.send(at, Message::Refused { id: standby.id });
        if self.ends[at].alone {
            self.settle(at);
        }
    }
}
