//! The mail that a target is sent before the commit: too much of it for one message.

use super::standbys::TargetPhase;
use crate::message::{MoveId, MoveMessage, Refusal};
use crate::moves::event::{DiscardReason, MoveEvent};
use crate::moves::machine::{Accepting, Moves};
use bytes::Bytes;
use swarm_base::{Instant, NodeId};

impl Moves {
    /// A part of the mail that goes before the commit. It is kept, so that all of it is in front
    /// of what the standby itself is sent.
    pub(super) fn handle_mails(
        &mut self,
        now: Instant,
        from: NodeId,
        id: MoveId,
        part: u32,
        mails: Vec<Bytes>,
    ) {
        let Some(standby) = self.target.standbys.get_mut(&id) else {
            return self.handle_mails_again(now, from, id, part, mails);
        };
        if standby.phase != TargetPhase::Ready {
            // As a commit: the source repeats itself.
            return;
        }
        if self.target.accepting == Accepting::Leaving {
            return self.decline(now, from, id, DiscardReason::Leaving, Refusal::Leaving);
        }
        if part == standby.parts {
            let size = mails.iter().map(Bytes::len).sum::<usize>();
            if self.target.held.saturating_add(size) > self.config.bytes_max {
                return self.decline(now, from, id, DiscardReason::NoRoom, Refusal::Full);
            }
            standby.mails.extend(mails);
            standby.parts += 1;
            standby.held += size;
            standby.retry = now + self.config.retry;
            self.target.held += size;
        } else if part > standby.parts {
            return;
        }
        self.reply(from, MoveMessage::MailsTaken { id, part });
    }

    fn handle_mails_again(
        &mut self,
        now: Instant,
        from: NodeId,
        id: MoveId,
        part: u32,
        mails: Vec<Bytes>,
    ) {
        if let Some(name) = self.target.past.take_part(id, part) {
            self.emit(MoveEvent::Deliver { id, name, mails });
            return self.reply(from, MoveMessage::MailsTaken { id, part });
        }
        match self.target.past.promoted(id).map(|run| run.owed) {
            Some(Some(next)) if part < next => {
                self.reply(from, MoveMessage::MailsTaken { id, part });
            }
            Some(Some(_)) => (),
            _ => self.handle_commit_again(now, from, id, Vec::new()),
        }
    }

    /// Declines to run a process whose source has ended it.
    pub(super) fn decline(
        &mut self,
        now: Instant,
        from: NodeId,
        id: MoveId,
        reason: DiscardReason,
        why: Refusal,
    ) {
        self.throw_away(now, id, reason, why.clone());
        self.reply(from, MoveMessage::Nack { id, why });
    }
}
