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

use crate::wire::{Claim, Update};
use crate::{Member, State};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use swarm_base::{Instant, NodeId, NodeName};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    entries: BTreeMap<NodeName, Entry>,
    digest: u64,
    n_live: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) member: Member,
    /// The incarnation of the metadata. Behind the member's where an accusation outran the
    /// statement that it accuses.
    content: u64,
    /// When the state last changed.
    pub(crate) changed: Instant,
    /// Hash of the name: where it stands in pages.
    position: u64,
}

impl Table {
    pub(crate) fn get(&self, name: &NodeName) -> Option<&Entry> {
        self.entries.get(name)
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

    /// Forgets who has been gone since before `deadline`.
    pub(crate) fn forget(&mut self, deadline: Instant) {
        self.entries.retain(|_, e| e.member.is_live() || e.changed >= deadline);
    }

    /// Declares a suspect dead.
    pub(crate) fn bury(&mut self, now: Instant, name: &NodeName) -> Option<&Member> {
        let entry = self.entries.get(name).filter(|e| e.member.state == State::Suspect)?;
        let (member, content) = (entry.member.clone(), entry.content);
        self.put(now, Member { state: State::Dead, ..member }, content);
        self.get(name).map(|entry| &entry.member)
    }

    /// What is held of `name`, as a statement that others can merge.
    pub(crate) fn statement(&self, name: &NodeName, accuser: Option<&NodeId>) -> Option<Update> {
        let entry = self.get(name)?;
        let Member { id, address, state, incarnation, metadata } = entry.member.clone();
        let (incarnation, claim) = match (state, accuser) {
            (State::Suspect, Some(by)) => (incarnation, Claim::Suspect { by: by.clone() }),
            (State::Alive | State::Suspect, _) => {
                (entry.content, Claim::Alive { address, metadata })
            }
            (State::Dead, _) => (incarnation, Claim::Dead { address }),
            (State::Left, _) => (incarnation, Claim::Left { address }),
        };
        Some(Update { id, incarnation, claim })
    }

    /// Everybody, by position, from `from` on.
    pub(crate) fn page(&self, from: u64) -> Vec<(u64, NodeName)> {
        let mut names: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.position >= from)
            .map(|(name, entry)| (entry.position, name.clone()))
            .collect();
        names.sort();
        names
    }

    fn put(&mut self, now: Instant, member: Member, content: u64) {
        let name = member.id.name.clone();
        let position = xxh3_64(name.as_str().as_bytes());
        let mut entry = Entry { member, content, changed: now, position };
        if let Some(old) = self.entries.remove(&name) {
            self.digest = self.digest.wrapping_sub(old.hash());
            self.n_live -= usize::from(old.member.is_live());
            if old.member.state == entry.member.state && old.member.id == entry.member.id {
                entry.changed = old.changed;
            }
        }
        self.digest = self.digest.wrapping_add(entry.hash());
        self.n_live += usize::from(entry.member.is_live());
        self.entries.insert(name, entry);
    }
}

impl Entry {
    /// What it adds to the table's hash. Whether it is alive or suspect is not in it: that changes
    /// fast and spreads by itself.
    fn hash(&self) -> u64 {
        if !self.member.is_live() {
            return 0;
        }
        let mut hash = Xxh3::new();
        hash.update(self.member.id.name.as_str().as_bytes());
        hash.update(&self.member.id.boot.to_bytes());
        hash.update(&self.member.incarnation.to_be_bytes());
        hash.update(&self.content.to_be_bytes());
        hash.digest()
    }
}

impl Claim {
    pub(crate) const fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Alive { address, .. } | Self::Dead { address } | Self::Left { address } => {
                Some(*address)
            }
            Self::Suspect { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;
