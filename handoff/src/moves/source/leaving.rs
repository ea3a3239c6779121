//! What a source keeps about each process that is leaving.

use super::chunks::Chunks;
use crate::config::Checked;
use crate::message::{MoveId, MoveMessage, Offer};
use crate::moves::backoff::Backoff;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::mem;
use swarm_base::{Instant, Name, NodeId, Token};

/// The processes that are leaving this node.
#[derive(Debug, Default)]
pub(in crate::moves) struct Source {
    pub(super) moves: BTreeMap<MoveId, Leaving>,
    pub(super) names: BTreeMap<Name, MoveId>,
    pub(super) serial: u64,
    /// The bytes of all snapshots and mail that are kept.
    pub(super) held: usize,
    /// What a snapshot has come to lately: room is left for those that are being taken.
    pub(super) typical: usize,
    /// How many chunks have been sent: whose last one is the longest ago is next.
    pub(super) turns: u64,
    pub(super) backoff: Backoff,
}

#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) name: Name,
    pub(super) to: NodeId,
    pub(super) began: Instant,
    pub(super) held: usize,
    pub(super) phase: Phase,
}

#[derive(Debug)]
pub(super) enum Phase {
    Freezing { deadline: Instant },
    Offered { offer: Offer, chunks: Option<Chunks>, deadline: Instant, retry: Instant },
    Stopping { offer: Offer, target: Fate },
    Committed { offer: Offer, token: Token, mails: Mails, retry: Instant },
}

/// The mail of a process that has ended. All of it is kept until the target runs the process.
#[derive(Debug)]
pub(super) struct Mails {
    pub(super) all: Vec<Bytes>,
    /// How many of them the target has.
    taken: usize,
    /// Which part comes next.
    part: u32,
}

impl Mails {
    pub(super) const fn new(all: Vec<Bytes>) -> Self {
        Self { all, taken: 0, part: 0 }
    }

    /// What the target is told next: another part, or to run the process with the last one.
    pub(super) fn next(&self, id: MoveId, token: Token, config: &Checked) -> MoveMessage {
        let mails = self.all[self.taken..self.end(config)].to_vec();
        match self.is_last(config) {
            true => MoveMessage::Commit { id, token, mails },
            false => MoveMessage::Mails { id, part: self.part, mails },
        }
    }

    /// Whether the target has all parts but one, or all.
    pub(super) fn is_last(&self, config: &Checked) -> bool {
        self.end(config) == self.all.len()
    }

    /// The target has `part`. Tells whether that is news.
    pub(super) fn taken(&mut self, part: u32, config: &Checked) -> bool {
        if part != self.part || self.is_last(config) {
            return false;
        }
        (self.taken, self.part) = (self.end(config), part + 1);
        true
    }

    /// Where the next part ends.
    fn end(&self, config: &Checked) -> usize {
        let mut bytes = 0;
        let left = self.all[self.taken..].iter().take(config.mails_max);
        let fits = left.take_while(|mail| {
            bytes += mail.len();
            bytes <= config.mails_bytes_max
        });
        // A large one goes alone.
        (self.taken + fits.count().max(1)).min(self.all.len())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Alive,
    Dead,
}

impl Source {
    pub(in crate::moves) fn poll_timeout(&self) -> Option<Instant> {
        self.moves.values().filter_map(|leaving| leaving.phase.timeout()).min()
    }

    /// How many more snapshots of the typical size fit, beside those that are being taken.
    pub(super) fn room_for(&self, config: &Checked) -> usize {
        let freezing = |leaving: &&Leaving| matches!(leaving.phase, Phase::Freezing { .. });
        let taking = self.moves.values().filter(freezing).count();
        let room = config.bytes_max.saturating_sub(self.held);
        (room / self.typical.max(1)).saturating_sub(taking)
    }
}

impl Phase {
    pub(super) fn timeout(&self) -> Option<Instant> {
        match self {
            Self::Freezing { deadline } => Some(*deadline),
            Self::Offered { deadline, retry, .. } => Some(*deadline.min(retry)),
            Self::Committed { retry, .. } => Some(*retry),
            // No deadline: as long as something of it may run here, nothing may run there.
            Self::Stopping { .. } => None,
        }
    }

    pub(super) const fn public(&self) -> SourcePhase {
        match self {
            Self::Freezing { .. } => SourcePhase::Freezing,
            Self::Offered { .. } => SourcePhase::Offered,
            Self::Stopping { .. } => SourcePhase::Stopping,
            Self::Committed { .. } => SourcePhase::Committed,
        }
    }
}

/// A move from this node, as a snapshot shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing<'a> {
    /// Which move.
    pub id: MoveId,
    /// Whose process.
    pub name: &'a Name,
    /// The target.
    pub to: &'a NodeId,
    /// When it began.
    pub began: Instant,
    /// How far it is.
    pub phase: SourcePhase,
}

/// How far a move is at its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourcePhase {
    /// The process is in `begin_handoff`.
    Freezing,
    /// The offer is out; the process is frozen.
    Offered,
    /// The target is ready; the process is being ended. There is no way back but a resume.
    Stopping,
    /// The commit is out; the snapshot is kept.
    Committed,
}

/// Moves an offer out of a phase that is about to be replaced.
pub(super) fn take(offer: &mut Offer) -> Offer {
    let name = offer.name.clone();
    let (kind, token) = (offer.kind.clone(), offer.token);
    let (args, groups) = (mem::take(&mut offer.args), mem::take(&mut offer.groups));
    Offer { name, kind, args, token, groups, state: offer.state.take() }
}
