//! What a target remembers of moves that are over, so that whatever arrives late is answered as
//! it was, and nothing is built or promoted twice.

use crate::message::{MoveId, Refusal};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use swarm_base::{Instant, Name, NodeId};

use super::event::Promoted;

/// Moves to this node that are over.
///
/// A promoted one is kept until its source says that the acknowledgement has arrived, or has been
/// dead for a while: forgetting it would turn a repeated commit into a second instance. The source's own bound on
/// moves under way bounds these. All others are kept for a while, and a bounded number of them.
#[derive(Debug, Default)]
pub(super) struct Past {
    promoted: BTreeMap<MoveId, Run>,
    closed: BTreeMap<MoveId, Closed>,
    expiry: VecDeque<(Instant, MoveId)>,
}

/// A move that ended with the process running here.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) from: NodeId,
    pub(super) name: Name,
    pub(super) promoted: Promoted,
    /// Where its mail is still to come, because it was promoted without a commit: which part of it
    /// is next.
    pub(super) owed: Option<u32>,
    pub(super) asked: Instant,
    /// When it is forgotten: its source is dead.
    pub(super) expires: Option<Instant>,
}

/// A move that ended otherwise, or that both ends know the end of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// Nothing of it runs here, for this reason.
    Refused(Refusal),
    /// It ran here, and its source knows.
    Done,
}

impl Past {
    pub(super) fn closed(&self, id: MoveId) -> Option<&Closed> {
        self.closed.get(&id)
    }

    pub(super) fn promoted(&self, id: MoveId) -> Option<&Run> {
        self.promoted.get(&id)
    }

    pub(super) fn promoted_from<'a>(
        &'a self,
        source: &'a NodeId,
    ) -> impl Iterator<Item = (MoveId, Promoted)> + 'a {
        let theirs = self.promoted.iter().filter(move |(_, run)| run.from == *source);
        theirs.map(|(id, run)| (*id, run.promoted))
    }

    /// When some promoted move is due, if a source is asked again after `ttl`.
    pub(super) fn poll_timeout(&self, ttl: Duration) -> Option<Instant> {
        self.promoted.values().map(|run| run.expires.unwrap_or(run.asked + ttl)).min()
    }

    /// The promoted moves whose sources have been silent for `ttl`, which now starts anew.
    pub(super) fn due(&mut self, now: Instant, ttl: Duration) -> Vec<(MoveId, NodeId, Promoted)> {
        self.promoted.retain(|_, run| run.expires.is_none_or(|at| at > now));
        let due = self
            .promoted
            .iter_mut()
            .filter(|(_, run)| run.expires.is_none() && run.asked + ttl <= now);
        due.map(|(id, run)| {
            run.asked = now;
            (*id, run.from.clone(), run.promoted)
        })
        .collect()
    }

    pub(super) fn promote(&mut self, id: MoveId, run: Run) {
        self.promoted.insert(id, run);
    }

    /// The name of a move that was promoted without its commit, once: whom mail can go to.
    pub(super) fn take_owed(&mut self, id: MoveId) -> Option<Name> {
        let run = self.promoted.get_mut(&id)?;
        run.owed.take().map(|_| run.name.clone())
    }

    /// The same for one part of the mail.
    pub(super) fn take_part(&mut self, id: MoveId, part: u32) -> Option<Name> {
        let run = self.promoted.get_mut(&id).filter(|run| run.owed == Some(part))?;
        run.owed = Some(part + 1);
        Some(run.name.clone())
    }

    pub(super) fn close(&mut self, now: Instant, id: MoveId, closed: Closed) {
        self.promoted.remove(&id);
        if self.closed.insert(id, closed).is_none() {
            self.expiry.push_back((now + REMEMBER, id));
        }
        while self.expiry.len() > CLOSED_MAX
            || self.expiry.front().is_some_and(|(at, _)| *at <= now)
        {
            let Some((_, id)) = self.expiry.pop_front() else { break };
            self.closed.remove(&id);
        }
    }

    /// `source` is dead and will not ask again; unless it lives after all, which is why it is
    /// remembered for a while.
    pub(super) fn source_died(&mut self, now: Instant, source: &NodeId) {
        for run in self.promoted.values_mut().filter(|run| run.from == *source) {
            run.expires = Some(now + REMEMBER);
        }
    }

    pub(super) fn source_lives(&mut self, source: &NodeId) {
        for run in self.promoted.values_mut().filter(|run| run.from == *source) {
            run.expires = None;
        }
    }
}

/// Messages of one session arrive in order, so this only has to outlive the slow streams of large
/// offers, which a commit can overtake.
const REMEMBER: Duration = Duration::from_secs(300);

/// How many moves that are over are remembered.
const CLOSED_MAX: usize = 8192;
