//! Groups for concurrent readers.

use crate::{Change, Groups};
use rapidhash::quality::RapidHasher;
use std::hash::Hasher;
use std::sync::{Arc, PoisonError, RwLock};
use swarm_base::{Boot, Name, Pid};
use swarm_registry::{Bytes, Event};

/// Who is in which group, for any number of readers: a cheap clone of one shared table.
///
/// One writer applies the events of a [`Registry`](swarm_registry::Registry), in order. A reader
/// costs what it returns, not what there is, and waits at most for a write to the same one of 64
/// parts of the table.
#[derive(Clone, Debug)]
pub struct View(Arc<[RwLock<Groups>]>);

/// Enough that readers and the writer seldom meet.
const PARTS: usize = 64;

impl View {
    /// A table without groups.
    #[must_use]
    pub fn new() -> Self {
        Self((0..PARTS).map(|_| RwLock::default()).collect())
    }

    /// Follows an event. One writer, which applies all events of one registry in their order.
    pub fn apply(&self, event: &Event) -> Change {
        match event {
            Event::Joined { group, .. } | Event::Left { group, .. } => {
                let part = self.part(group.as_bytes());
                part.write().unwrap_or_else(PoisonError::into_inner).apply(event)
            }
            Event::Changed { .. }
            | Event::Conflict { .. }
            | Event::Applied { .. }
            | Event::RolledBack { .. }
            | Event::Slowed { .. } => Change::Nothing,
        }
    }

    /// The members of `group`, in the order of the pids. Empty where there is no such group.
    #[must_use]
    pub fn members(&self, group: &[u8]) -> Vec<Pid> {
        self.read(group, |groups| groups.members(group).map(|(pid, _)| pid).collect())
    }

    /// The members of `group` with their metadata, in the order of the pids.
    #[must_use]
    pub fn members_with_meta(&self, group: &[u8]) -> Vec<(Pid, Bytes)> {
        let clone = |(pid, meta): (Pid, &Bytes)| (pid, meta.clone());
        self.read(group, |groups| groups.members(group).map(clone).collect())
    }

    /// The members of `group` that run on the node with this boot, in the order of the pids.
    #[must_use]
    pub fn local_members(&self, group: &[u8], boot: Boot) -> Vec<Pid> {
        self.read(group, |groups| groups.local_members(group, boot).map(|(pid, _)| pid).collect())
    }

    /// The metadata of a member; `None` where `pid` is not in `group`.
    #[must_use]
    pub fn meta(&self, group: &[u8], pid: Pid) -> Option<Bytes> {
        self.read(group, |groups| groups.meta(group, pid).cloned())
    }

    /// How many members `group` has.
    #[must_use]
    pub fn len_of(&self, group: &[u8]) -> usize {
        self.read(group, |groups| groups.len_of(group))
    }

    /// Every group with the number of its members, in no particular order.
    ///
    /// The iterator owns what it reads, a 64th of the groups at a time, and holds no lock between
    /// two of them: a group that is there from the first call of `next` to the last is seen
    /// exactly once, others once or not at all.
    #[must_use]
    pub fn groups(&self) -> List {
        List { view: self.clone(), next_part: 0, page: Vec::new() }
    }

    fn read<R>(&self, group: &[u8], f: impl FnOnce(&Groups) -> R) -> R {
        f(&self.part(group).read().unwrap_or_else(PoisonError::into_inner))
    }

    fn part(&self, group: &[u8]) -> &RwLock<Groups> {
        let mut hasher = RapidHasher::default_const();
        hasher.write(group);
        &self.0[(hasher.finish() >> 32) as usize % PARTS]
    }
}

impl Default for View {
    fn default() -> Self {
        Self::new()
    }
}

/// Groups with the number of their members. See [`View::groups`].
#[derive(Debug)]
pub struct List {
    view: View,
    next_part: usize,
    page: Vec<(Name, usize)>,
}

impl Iterator for List {
    type Item = (Name, usize);

    fn next(&mut self) -> Option<(Name, usize)> {
        while self.page.is_empty() {
            let part = self.view.0.get(self.next_part)?;
            self.next_part += 1;
            let part = part.read().unwrap_or_else(PoisonError::into_inner);
            self.page.extend(part.iter().map(|(group, len)| (group.clone(), len)));
        }
        self.page.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use swarm_base::{NodeId, NodeName};

    fn joined(group: &str, serial: u64) -> Event {
        let node = NodeId::new(NodeName::new("n").expect("a name"), Boot::default());
        let (group, pid) = (Name::new(group).expect("a name"), Pid::new(node.boot, serial));
        Event::Joined { group, pid, node, meta: Bytes::default() }
    }

    #[test]
    fn many_small_groups_and_a_large_one() {
        let view = View::new();
        for serial in 0..10_000 {
            view.apply(&joined(&format!("g{serial}"), serial));
            view.apply(&joined("all", serial));
        }
        assert_eq!(view.groups().count(), 10_001);
        assert_eq!(view.groups().map(|(_, len)| len).sum::<usize>(), 20_000);
        assert_eq!(view.len_of(b"all"), 10_000);
        assert!(view.members(b"all").is_sorted());
        assert_eq!(view.members(b"g77").len(), 1);
        assert_eq!(view.local_members(b"all", Boot::default()).len(), 10_000);
        assert!(view.meta(b"g77", Pid::new(Boot::default(), 77)).is_some());
        assert_eq!(view.members_with_meta(b"none"), []);
    }

    #[test]
    fn readers_see_members_while_a_writer_adds() {
        let view = View::new();
        std::thread::scope(|scope| {
            let reader = view.clone();
            scope.spawn(move || {
                let mut len = 0;
                while len < 1_000 {
                    let now = reader.len_of(b"all");
                    assert!(now >= len, "nobody leaves");
                    len = now;
                    std::thread::yield_now();
                }
            });
            for serial in 0..1_000 {
                view.apply(&joined("all", serial));
            }
        });
    }
}
