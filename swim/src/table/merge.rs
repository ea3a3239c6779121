//! The rule by which a statement replaces what is held.

use super::Table;
use crate::wire::{Claim, Update};
use crate::{Member, Metadata, State};
use std::cmp::Ordering;
use std::net::SocketAddr;
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
        let Some(held) = self.entries.get(&update.id.name) else {
            return self.merge_unknown(now, update);
        };
        if update.id.boot != held.member.id.boot {
            return self.merge_other_boot(now, update);
        }
        if update.incarnation > held.member.incarnation.saturating_add(LEAP_MAX) {
            return Merge::Overflow;
        }
        match &update.claim {
            Claim::Alive { address, metadata } => self.merge_alive(now, update, *address, metadata),
            Claim::Suspect { .. } => self.merge_suspect(now, update),
            Claim::Dead { .. } => self.merge_dead(now, update),
            Claim::Left { .. } => self.merge_left(now, update),
        }
    }

    /// Makes room by forgetting whoever has been gone for longest. The live are never forgotten.
    fn forget_one(&mut self) -> bool {
        let gone = self.entries.iter().filter(|(_, entry)| !entry.member.is_live());
        let oldest = gone.min_by_key(|(_, entry)| entry.changed).map(|(name, _)| name.clone());
        oldest.is_some_and(|name| self.entries.remove(&name).is_some())
    }

    fn merge_unknown(&mut self, now: Instant, update: &Update) -> Merge {
        let Some(address) = update.claim.address() else { return Merge::Nothing };
        let is_full = self.entries.len() >= ENTRIES_MAX && !self.forget_one();
        if is_full || update.incarnation > FIRST_INCARNATION_MAX {
            return Merge::Overflow;
        }
        self.put(now, update.to_member(address), update.incarnation);
        if update.state().is_live() { Merge::Joined } else { Merge::Remembered }
    }

    fn merge_other_boot(&mut self, now: Instant, update: &Update) -> Merge {
        let held = &self.entries[&update.id.name].member;
        if update.id.boot < held.id.boot {
            return Merge::Stale;
        }
        let Some(address) = update.claim.address() else { return Merge::Nothing };
        if update.incarnation > FIRST_INCARNATION_MAX {
            return Merge::Overflow;
        }
        let old = held.is_live().then(|| held.id.clone());
        self.put(now, update.to_member(address), update.incarnation);
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
        address: SocketAddr,
        metadata: &Metadata,
    ) -> Merge {
        let entry = &self.entries[&update.id.name];
        let held = &entry.member;
        let changes = *metadata != held.metadata || address != held.address;
        if update.incarnation > held.incarnation {
            let before = held.state;
            self.put(now, update.to_member(address), update.incarnation);
            return match (before, changes) {
                (State::Dead | State::Left, _) => Merge::Joined,
                (State::Suspect, true) => Merge::RefutedAndUpdated,
                (State::Suspect, false) => Merge::Refuted,
                (State::Alive, true) => Merge::Updated,
                (State::Alive, false) => Merge::Refreshed,
            };
        }
        if update.incarnation > entry.content && held.is_live() {
            let member = Member { address, metadata: metadata.clone(), ..held.clone() };
            self.put(now, member, update.incarnation);
            return if changes { Merge::Updated } else { Merge::Refreshed };
        }
        match (update.incarnation, State::Alive).cmp(&(held.incarnation, held.state)) {
            Ordering::Less => Merge::Stale,
            _ => Merge::Nothing,
        }
    }

    fn merge_suspect(&mut self, now: Instant, update: &Update) -> Merge {
        let entry = &self.entries[&update.id.name];
        let held = &entry.member;
        if (update.incarnation, State::Suspect) < (held.incarnation, held.state) {
            return Merge::Stale;
        }
        match held.state {
            State::Alive | State::Suspect => {
                let merge = match held.state {
                    State::Alive => Merge::Suspected,
                    _ if update.incarnation > held.incarnation => Merge::Resuspected,
                    _ => Merge::Confirmed,
                };
                let member = Member {
                    state: State::Suspect,
                    incarnation: update.incarnation,
                    ..held.clone()
                };
                let content = entry.content;
                self.put(now, member, content);
                merge
            }
            // It refuted its death, as the accuser knows and this node does not yet. The
            // refutation itself brings its metadata.
            State::Dead | State::Left => Merge::Nothing,
        }
    }

    fn merge_dead(&mut self, now: Instant, update: &Update) -> Merge {
        let entry = &self.entries[&update.id.name];
        let held = &entry.member;
        match (update.incarnation, State::Dead).cmp(&(held.incarnation, held.state)) {
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
        let (member, content) = (held.clone(), entry.content);
        let incarnation = update.incarnation;
        self.put(now, Member { state, incarnation, ..member }, content);
        merge
    }

    fn merge_left(&mut self, now: Instant, update: &Update) -> Merge {
        let entry = &self.entries[&update.id.name];
        let held = &entry.member;
        match (update.incarnation, State::Left).cmp(&(held.incarnation, held.state)) {
            Ordering::Less => return Merge::Stale,
            Ordering::Equal => return Merge::Nothing,
            Ordering::Greater => {}
        }
        let merge = if held.is_live() { Merge::Left } else { Merge::Settled };
        let (member, content) = (held.clone(), entry.content);
        let incarnation = update.incarnation;
        self.put(now, Member { state: State::Left, incarnation, ..member }, content);
        merge
    }
}

impl Update {
    fn to_member(&self, address: SocketAddr) -> Member {
        let metadata = match &self.claim {
            Claim::Alive { metadata, .. } => metadata.clone(),
            _ => Metadata::default(),
        };
        Member {
            id: self.id.clone(),
            address,
            state: self.state(),
            incarnation: self.incarnation,
            metadata,
        }
    }
}

/// The most nodes, dead ones included.
const ENTRIES_MAX: usize = 8192;

/// A node raises its incarnation by one, so a leap is a fault or a forgery. Bounded, or one
/// statement at the end of the range silences a node for good (memberlist#358).
pub(crate) const LEAP_MAX: u64 = 1 << 20;

/// The highest incarnation of a node that was unknown.
const FIRST_INCARNATION_MAX: u64 = 1 << 40;
