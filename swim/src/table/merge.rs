//! The rule by which a statement replaces what is held.

use super::{Entry, Position, Table};
use crate::wire::{Claim, Update};
use crate::{Member, Metadata, Record, State};
use std::cmp::Ordering;
use std::sync::Arc;
use swarm_base::{Instant, NodeId};

/// What a statement changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Merge {
    /// A greater statement is held.
    Stale,
    /// It is known, or about somebody unknown.
    Nothing,
    /// The table is full, or the incarnation leaps.
    Overflow,
    /// A death or goodbye of somebody never met: kept, so that old news does not revive it.
    Remembered,
    /// A live node is new or back.
    Joined,
    /// A newer boot took the place of this live one. The newer one lives.
    Replaced(NodeId),
    /// A newer boot took the place of this live one. The newer one is gone too.
    Superseded(NodeId),
    /// The metadata changed; a suspicion goes on.
    Updated,
    /// A suspicion is refuted. The metadata stayed.
    Refuted,
    /// A suspicion is refuted. The metadata changed.
    RefutedAndUpdated,
    /// A higher incarnation, otherwise nothing new.
    Refreshed,
    /// An alive node is suspect.
    Suspected,
    /// A suspect node is accused, by somebody or again.
    Confirmed,
    /// A suspect node refuted, unheard here, and is accused anew.
    Resuspected,
    /// A live node is said to be dead. It is suspect here, now or as before.
    Accused,
    /// A live node said goodbye.
    Left,
    /// A dead node is known to have said goodbye, or a death has a higher incarnation.
    Settled,
}

impl Table {
    pub(crate) fn merge(&mut self, now: Instant, update: &Update) -> Merge {
        let id = update.id();
        let Some(held) = self.at(Position::of(&id.name)) else {
            return self.merge_unknown(now, update);
        };
        if held.member.id.name != id.name {
            return Merge::Overflow;
        }
        if held.member.id.boot != id.boot {
            return self.merge_other_boot(now, update);
        }
        if update.incarnation > held.member.incarnation.saturating_add(LEAP_MAX) {
            return Merge::Overflow;
        }
        let (held, content) = (held.member.clone(), held.content());
        match &update.claim {
            Claim::Alive(record) => self.merge_alive(now, update, record, &held, content),
            Claim::Suspect { .. } => self.merge_suspect(now, update, held, content),
            Claim::Dead { .. } | Claim::Refused { .. } => {
                self.merge_dead(now, update, held, content)
            }
            Claim::Left { .. } => self.merge_left(now, update, held, content),
        }
    }

    /// Makes room by forgetting whoever has been gone for longest. The live are never forgotten.
    fn forget_one(&mut self) -> bool {
        let gone = self.entries.iter().filter(|(_, entry)| !entry.member.is_live());
        let oldest = gone.min_by_key(|(_, entry)| entry.changed_s).map(|(position, _)| *position);
        let forgotten = oldest.and_then(|position| self.entries.remove(&position));
        let is_dead = |entry: &Entry| entry.member.state == State::Dead;
        self.n_dead -= usize::from(forgotten.as_ref().is_some_and(is_dead));
        forgotten.is_some()
    }

    fn merge_unknown(&mut self, now: Instant, update: &Update) -> Merge {
        let Some(member) = update.to_member() else { return Merge::Nothing };
        let is_full = self.entries.len() >= ENTRIES_MAX && !self.forget_one();
        if is_full || update.incarnation > FIRST_INCARNATION_MAX {
            return Merge::Overflow;
        }
        self.put(now, member, update.incarnation);
        if update.state().is_live() { Merge::Joined } else { Merge::Remembered }
    }

    fn merge_other_boot(&mut self, now: Instant, update: &Update) -> Merge {
        let Some(held) = self.get(&update.id().name).map(|entry| &entry.member) else {
            return Merge::Nothing;
        };
        if update.id().boot < held.id.boot {
            return Merge::Stale;
        }
        let Some(member) = update.to_member() else { return Merge::Nothing };
        if update.incarnation > FIRST_INCARNATION_MAX {
            return Merge::Overflow;
        }
        let old = held.is_live().then(|| held.id.clone());
        self.put(now, member, update.incarnation);
        match (old, update.state().is_live()) {
            (Some(old), true) => Merge::Replaced(old),
            (Some(old), false) => Merge::Superseded(old),
            (None, true) => Merge::Joined,
            (None, false) => Merge::Remembered,
        }
    }

    fn merge_alive(
        &mut self,
        now: Instant,
        update: &Update,
        record: &Arc<Record>,
        held: &Member,
        content: u64,
    ) -> Merge {
        let (incarnation, record) = (update.incarnation, record.clone());
        if incarnation <= held.incarnation && (incarnation <= content || !held.is_live()) {
            return match (incarnation, State::Alive).cmp(&(held.incarnation, held.state)) {
                Ordering::Less => Merge::Stale,
                _ => Merge::Nothing,
            };
        }
        let changes = record != held.record;
        if incarnation <= held.incarnation {
            self.put(now, Member { record, ..held.clone() }, incarnation);
            return if changes { Merge::Updated } else { Merge::Refreshed };
        }
        self.put(now, Member { record, state: State::Alive, incarnation }, incarnation);
        match (held.state, changes) {
            (State::Dead | State::Left, _) => Merge::Joined,
            (State::Suspect, true) => Merge::RefutedAndUpdated,
            (State::Suspect, false) => Merge::Refuted,
            (State::Alive, true) => Merge::Updated,
            (State::Alive, false) => Merge::Refreshed,
        }
    }

    fn merge_suspect(
        &mut self,
        now: Instant,
        update: &Update,
        held: Member,
        content: u64,
    ) -> Merge {
        let incarnation = update.incarnation;
        if (incarnation, State::Suspect) < (held.incarnation, held.state) {
            return Merge::Stale;
        }
        let merge = match held.state {
            // It refuted its death, as the accuser knows and this node does not yet. The
            // refutation itself brings its metadata.
            State::Dead | State::Left => return Merge::Nothing,
            State::Alive => Merge::Suspected,
            State::Suspect if incarnation > held.incarnation => Merge::Resuspected,
            State::Suspect => return Merge::Confirmed,
        };
        self.put(now, Member { state: State::Suspect, incarnation, ..held }, content);
        merge
    }

    fn merge_dead(&mut self, now: Instant, update: &Update, held: Member, content: u64) -> Merge {
        let incarnation = update.incarnation;
        match (incarnation, State::Dead).cmp(&(held.incarnation, held.state)) {
            Ordering::Less => return Merge::Stale,
            Ordering::Equal => return Merge::Nothing,
            Ordering::Greater => {}
        }
        let (state, merge) = match held.state {
            // Perhaps this is the news of the other half of a healed partition. Believed at once,
            // each half would bury the other's members anew, while all of them live.
            State::Alive | State::Suspect => (State::Suspect, Merge::Accused),
            State::Dead => (State::Dead, Merge::Settled),
            State::Left => return Merge::Nothing,
        };
        self.put(now, Member { state, incarnation, ..held }, content);
        merge
    }

    fn merge_left(&mut self, now: Instant, update: &Update, held: Member, content: u64) -> Merge {
        let incarnation = update.incarnation;
        match (incarnation, State::Left).cmp(&(held.incarnation, held.state)) {
            Ordering::Less => return Merge::Stale,
            Ordering::Equal => return Merge::Nothing,
            Ordering::Greater => {}
        }
        let merge = if held.is_live() { Merge::Left } else { Merge::Settled };
        self.put(now, Member { state: State::Left, incarnation, ..held }, content);
        merge
    }
}

impl Update {
    /// Who it introduces. `None` for an accusation, which says nothing of where.
    fn to_member(&self) -> Option<Member> {
        let record = match &self.claim {
            Claim::Alive(record) => record.clone(),
            _ => {
                let (id, address) = (self.id().clone(), self.address()?);
                Arc::new(Record { id, address, metadata: Metadata::default() })
            }
        };
        Some(Member { record, state: self.state(), incarnation: self.incarnation })
    }
}

/// The most nodes, dead ones included.
const ENTRIES_MAX: usize = 65_536;

/// A node raises its incarnation by one, so a leap is a fault or a forgery. Bounded, or one
/// statement at the end of the range silences a node for good (memberlist#358).
pub(crate) const LEAP_MAX: u64 = 1 << 20;

/// The highest incarnation of a node that was unknown.
const FIRST_INCARNATION_MAX: u64 = 1 << 40;
