//! Groups for one owner.

use crate::members::{Members, Removed};
use swarm_base::{Boot, Index, Name, Pid};
use swarm_registry::{Bytes, Event};

/// Who is in which group. A lookup costs one hash, and what it returns.
#[derive(Clone, Debug, Default)]
pub struct Groups(Index<Name, Members>);

/// What an event did to the groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Nothing,
    /// A process joined.
    Joined,
    /// The metadata of a member changed.
    Meta {
        /// What it was.
        was: Bytes,
    },
    /// A process left.
    Left,
}

impl Groups {
    /// No groups.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Follows an event of the registry.
    pub fn apply(&mut self, event: &Event) -> Change {
        match event {
            Event::Joined { group, pid, meta, .. } => self.join(group, *pid, meta),
            Event::Left { group, pid, .. } => self.leave(group, *pid),
            Event::Changed { .. }
            | Event::Conflict { .. }
            | Event::Applied { .. }
            | Event::RolledBack { .. }
            | Event::Slowed { .. } => Change::Nothing,
        }
    }

    /// The members of `group` with their metadata, in the order of the pids.
    pub fn members(&self, group: &[u8]) -> impl Iterator<Item = (Pid, &Bytes)> {
        self.0.get(group).into_iter().flat_map(Members::iter)
    }

    /// The same for the members that run on the node with this boot.
    pub fn local_members(&self, group: &[u8], boot: Boot) -> impl Iterator<Item = (Pid, &Bytes)> {
        self.0.get(group).into_iter().flat_map(move |members| members.of(boot))
    }

    /// The metadata of a member; `None` where `pid` is not in `group`.
    #[must_use]
    pub fn meta(&self, group: &[u8], pid: Pid) -> Option<&Bytes> {
        self.0.get(group)?.meta(pid)
    }

    /// How many members `group` has.
    #[must_use]
    pub fn len_of(&self, group: &[u8]) -> usize {
        self.0.get(group).map_or(0, Members::len)
    }

    /// Every group with the number of its members, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, usize)> {
        self.0.iter().map(|(group, members)| (group, members.len()))
    }

    /// How many groups there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody is in any group.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn join(&mut self, group: &Name, pid: Pid, meta: &Bytes) -> Change {
        match self.0.get_mut(group) {
            Some(members) => match members.insert(pid, meta.clone()) {
                None => Change::Joined,
                Some(was) if was == *meta => Change::Nothing,
                Some(was) => Change::Meta { was },
            },
            None => {
                self.0.insert(group.clone(), Members::One(pid, meta.clone()));
                Change::Joined
            }
        }
    }

    fn leave(&mut self, group: &Name, pid: Pid) -> Change {
        let Some(members) = self.0.get_mut(group) else { return Change::Nothing };
        match members.remove(pid) {
            Removed::No => Change::Nothing,
            Removed::Yes => Change::Left,
            Removed::Last => {
                self.0.swap_remove(group);
                Change::Left
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use swarm_base::{NodeId, NodeName};

    fn node(n: u64) -> NodeId {
        let boot = Boot { millis: n, random: n };
        NodeId::new(NodeName::new(format!("n{n}")).expect("a name"), boot)
    }

    fn joined(group: &str, n: u64, serial: u64, meta: &[u8]) -> Event {
        Event::Joined {
            group: Name::new(group).expect("a name"),
            pid: Pid::new(node(n).boot, serial),
            node: node(n),
            meta: Bytes::new(meta).expect("short"),
        }
    }

    fn left(group: &str, n: u64, serial: u64) -> Event {
        let pid = Pid::new(node(n).boot, serial);
        Event::Left { group: Name::new(group).expect("a name"), pid, node: node(n) }
    }

    #[test]
    fn twice_is_once_and_the_last_metadata_counts() {
        let mut groups = Groups::new();
        assert_eq!(groups.apply(&joined("g", 1, 1, b"a")), Change::Joined);
        assert_eq!(groups.apply(&joined("g", 1, 1, b"a")), Change::Nothing);
        let was = Bytes::new(*b"a").expect("short");
        assert_eq!(groups.apply(&joined("g", 1, 1, b"b")), Change::Meta { was });
        let meta = groups.meta(b"g", Pid::new(node(1).boot, 1)).map(Bytes::as_slice);
        assert_eq!((groups.len_of(b"g"), meta), (1, Some(&b"b"[..])));
    }

    #[test]
    fn an_empty_group_does_not_exist() {
        let mut groups = Groups::new();
        for serial in 1..=3 {
            groups.apply(&joined("g", 1, serial, b""));
        }
        for serial in 1..=3 {
            assert_eq!(groups.len(), 1);
            assert_eq!(groups.apply(&left("g", 1, serial)), Change::Left);
        }
        assert!(groups.is_empty());
        assert_eq!(groups.apply(&left("g", 1, 1)), Change::Nothing);
    }

    #[test]
    fn local_members_are_those_of_one_boot() {
        let mut groups = Groups::new();
        for (n, serial) in [(2, 1), (1, 2), (3, 1), (1, 1), (2, 9)] {
            groups.apply(&joined("g", n, serial, b""));
        }
        let local: Vec<u64> =
            groups.local_members(b"g", node(1).boot).map(|(pid, _)| pid.serial).collect();
        assert_eq!(local, [1, 2]);
        let all: Vec<Pid> = groups.members(b"g").map(|(pid, _)| pid).collect();
        assert!(all.is_sorted() && all.len() == 5);
        assert_eq!(groups.local_members(b"g", node(9).boot).count(), 0);
        assert_eq!(groups.members(b"other").count(), 0);
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_map_of_maps(
            steps: Vec<(bool, proptest::sample::Index, u8, u8)>
        ) {
            let mut groups = Groups::new();
            let mut model: BTreeMap<String, BTreeMap<Pid, Vec<u8>>> = BTreeMap::new();
            for (join, group, serial, meta) in steps {
                let (group, serial) = (format!("g{}", group.index(3)), u64::from(serial % 4));
                let pid = Pid::new(node(1).boot, serial);
                if join {
                    groups.apply(&joined(&group, 1, serial, &[meta]));
                    model.entry(group).or_default().insert(pid, vec![meta]);
                } else {
                    groups.apply(&left(&group, 1, serial));
                    if let Some(members) = model.get_mut(&group) {
                        members.remove(&pid);
                    }
                    model.retain(|_, members| !members.is_empty());
                }
            }
            prop_assert_eq!(groups.len(), model.len());
            for (group, members) in model {
                let have: BTreeMap<Pid, Vec<u8>> =
                    groups.members(group.as_bytes()).map(|(p, m)| (p, m.to_vec())).collect();
                prop_assert_eq!(have, members);
            }
        }
    }
}
