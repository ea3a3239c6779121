//! Everything known about every node, and the one rule by which statements replace each other.
//!
//! Statements about one name are totally ordered: by boot, then incarnation, then state (Alive <
//! Suspect < Dead < Left). A table keeps the greatest, so two tables that have heard the same
//! statements are equal, in whatever order they came (SWIM §4.2, and the death of a false alarm
//! can be refuted too, which the paper does not allow). Two exceptions, both on the safe side: a
//! death that others declare only accuses, because everybody buries by his own timer, and
//! accusations against who is unknown or dead are ignored.
//!
//! Merging is pure: it returns what changed.

mod merge;
pub(crate) use merge::{LEAP_MAX, Merge};

use crate::rtt::Rtt;
use crate::wire::{Claim, Range, Update};
use crate::{Member, State};
use std::collections::BTreeMap;
use swarm_base::{Instant, NodeId, NodeName};
use xxhash_rust::xxh3::xxh3_64;

/// Where a name stands: its hash. What nodes exchange of their tables is ranges of these, so the
/// table is ordered by them. Of two names with one hash the first is kept; with ten thousand names
/// that happens once in 400 billion clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position(u64);

impl Position {
    pub(crate) fn of(name: &NodeName) -> Self {
        // Zero stands for the end.
        Self(xxh3_64(name.as_str().as_bytes()).max(1))
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    entries: BTreeMap<Position, Entry>,
    digest: u64,
    n_live: usize,
    n_dead: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) member: Member,
    /// By how much the incarnation of the metadata is behind the member's: an accusation can
    /// outrun the statement that it accuses.
    lag: u32,
    /// When the state last changed, in seconds.
    changed_s: u32,
    pub(crate) rtt: Rtt,
    /// Whether the death of a dead one is proved.
    is_proved: bool,
    /// Whether it is in the order of probing.
    is_listed: bool,
}

impl Table {
    pub(crate) fn get(&self, name: &NodeName) -> Option<&Entry> {
        self.at(Position::of(name)).filter(|entry| entry.member.id.name == *name)
    }

    pub(crate) fn at(&self, position: Position) -> Option<&Entry> {
        self.entries.get(&position)
    }

    pub(crate) fn member(&self, id: &NodeId) -> Option<&Member> {
        self.get(&id.name).map(|entry| &entry.member).filter(|member| member.id == *id)
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.entries.values().map(|entry| &entry.member)
    }

    /// Alive and suspect nodes, this one included.
    pub(crate) const fn n_live(&self) -> usize {
        self.n_live
    }

    /// A hash of everything about live nodes. Equal for equal tables; the dead are left out,
    /// because nodes forget them at different times.
    pub(crate) const fn digest(&self) -> u64 {
        self.digest
    }

    /// States this node's own record.
    pub(crate) fn set_own(&mut self, now: Instant, member: Member) {
        let content = member.incarnation;
        self.put(now, member, content);
    }

    pub(crate) fn rtt_mut(&mut self, id: &NodeId) -> Option<&mut Rtt> {
        let entry = self.entries.get_mut(&Position::of(&id.name))?;
        (entry.member.id == *id).then_some(&mut entry.rtt)
    }

    /// Notes whether a member is in the order of probing; returns whether that is news.
    pub(crate) fn list(&mut self, position: Position, is_listed: bool) -> bool {
        let Some(entry) = self.entries.get_mut(&position) else { return false };
        std::mem::replace(&mut entry.is_listed, is_listed) != is_listed
    }

    /// Forgets who has been gone since before `deadline`.
    pub(crate) fn forget(&mut self, deadline: Instant) {
        if self.n_live == self.entries.len() {
            return;
        }
        let deadline_s = seconds(deadline);
        self.entries.retain(|_, entry| entry.member.is_live() || entry.changed_s >= deadline_s);
        self.n_dead = self.members().filter(|member| member.state == State::Dead).count();
    }

    /// Declares a live member dead.
    pub(crate) fn bury(&mut self, now: Instant, name: &NodeName) -> Option<&Member> {
        let entry = self.get(name).filter(|entry| entry.member.is_live())?;
        let (member, content) = (entry.member.clone(), entry.content());
        self.put(now, Member { state: State::Dead, ..member }, content);
        self.get(name).map(|entry| &entry.member)
    }

    /// Declares a live member dead, whose host has said so.
    pub(crate) fn bury_proved(&mut self, now: Instant, name: &NodeName) -> Option<Update> {
        self.bury(now, name)?;
        let entry = self.entries.get_mut(&Position::of(name))?;
        entry.is_proved = true;
        Some(entry.statement(None))
    }

    /// What is held of `name`, as a statement that others can merge.
    pub(crate) fn statement(&self, name: &NodeName, accuser: Option<&NodeId>) -> Option<Update> {
        self.get(name).map(|entry| entry.statement(accuser))
    }

    /// The next of the dead after `last`, in turn.
    pub(crate) fn next_dead(&self, last: Option<Position>) -> Option<(Position, &Member)> {
        if self.n_dead == 0 {
            return None;
        }
        let after = last.map_or(0, |last| last.0.saturating_add(1));
        let rest = self.entries.range(Position(after)..);
        let mut turn = rest.chain(&self.entries);
        let (position, entry) = turn.find(|(_, entry)| entry.member.state == State::Dead)?;
        Some((*position, &entry.member))
    }

    /// The live members that follow `name` in the order of positions, in a circle, without it.
    pub(crate) fn successors(&self, name: &NodeName) -> impl Iterator<Item = &Member> {
        let own = Position::of(name);
        let after = self.entries.range(Position(own.0.saturating_add(1))..);
        let others = after.chain(self.entries.range(..own));
        others.map(|(_, entry)| &entry.member).filter(|member| member.is_live())
    }

    /// The entries from position `from` to before `until` (0: to the end).
    pub(crate) fn range(&self, from: u64, until: u64) -> impl Iterator<Item = (u64, &Entry)> {
        let until = until.checked_sub(1).unwrap_or(u64::MAX);
        let is_empty = until < from;
        let bounds = Position(from)..=Position(if is_empty { from } else { until });
        let range = self.entries.range(bounds).take_while(move |_| !is_empty);
        range.map(|(position, entry)| (position.0, entry))
    }

    /// A hash of the live in a range.
    pub(crate) fn range_digest(&self, from: u64, until: u64) -> u64 {
        let hashes = self.range(from, until).map(|(at, entry)| entry.hash(Position(at)));
        hashes.fold(0, u64::wrapping_add)
    }

    /// The table from position `from` on, as ranges of `len` entries, at most `n_max` of them.
    pub(crate) fn ranges(&self, from: u64, len: usize, n_max: usize) -> Vec<Range> {
        let mut ranges = Vec::new();
        let (mut digest, mut n) = (0u64, 0);
        for (position, entry) in self.range(from, 0) {
            if n == len {
                ranges.push(Range { until: position, digest });
                if ranges.len() == n_max {
                    return ranges;
                }
                (digest, n) = (0, 0);
            }
            digest = digest.wrapping_add(entry.hash(Position(position)));
            n += 1;
        }
        ranges.push(Range { until: 0, digest });
        ranges
    }

    fn put(&mut self, now: Instant, member: Member, content: u64) {
        let position = Position::of(&member.id.name);
        self.n_live += usize::from(member.is_live());
        self.n_dead += usize::from(member.state == State::Dead);
        let lag = member.incarnation.saturating_sub(content).min(u64::from(u32::MAX)) as u32;
        let mut entry = Entry {
            member,
            lag,
            changed_s: seconds(now),
            rtt: Rtt::default(),
            is_proved: false,
            is_listed: false,
        };
        if let Some(old) = self.entries.get(&position) {
            self.digest = self.digest.wrapping_sub(old.hash(position));
            self.n_live -= usize::from(old.member.is_live());
            self.n_dead -= usize::from(old.member.state == State::Dead);
            entry.is_listed = old.is_listed;
            if old.member.id == entry.member.id {
                entry.rtt = old.rtt;
                if old.member.state == entry.member.state {
                    entry.changed_s = old.changed_s;
                }
            }
        }
        self.digest = self.digest.wrapping_add(entry.hash(position));
        self.entries.insert(position, entry);
    }
}

impl Entry {
    /// The incarnation of the metadata.
    fn content(&self) -> u64 {
        self.member.incarnation - u64::from(self.lag)
    }

    pub(crate) const fn is_listed(&self) -> bool {
        self.is_listed
    }

    /// What it adds to the table's hash. Whether it is alive or suspect is not in it: that changes
    /// fast and spreads by itself.
    fn hash(&self, position: Position) -> u64 {
        if !self.member.is_live() {
            return 0;
        }
        let boot = self.member.id.boot;
        let words = [position.0, boot.millis, boot.random, self.member.incarnation, self.content()];
        let mut bytes = [0; 40];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(words) {
            chunk.copy_from_slice(&word.to_be_bytes());
        }
        xxh3_64(&bytes)
    }

    pub(crate) fn statement(&self, accuser: Option<&NodeId>) -> Update {
        let Member { record, state, incarnation } = &self.member;
        let (id, address) = (record.id.clone(), record.address);
        let (incarnation, claim) = match (state, accuser) {
            (State::Suspect, Some(by)) => (*incarnation, Claim::Suspect { id, by: by.clone() }),
            (State::Alive | State::Suspect, _) => (self.content(), Claim::Alive(record.clone())),
            (State::Dead, _) if self.is_proved => (*incarnation, Claim::Refused { id, address }),
            (State::Dead, _) => (*incarnation, Claim::Dead { id, address }),
            (State::Left, _) => (*incarnation, Claim::Left { id, address }),
        };
        Update { incarnation, claim }
    }
}

fn seconds(at: Instant) -> u32 {
    at.since_start().as_secs().min(u64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests;
