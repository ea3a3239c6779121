//! The members of one group.

use std::collections::BTreeMap;
use std::iter;
use swarm_base::{Boot, Pid};
use swarm_registry::Bytes;

/// At least one member, in the order of the pids: those of one node are neighbours.
///
/// A group of one, of which there can be as many as processes, takes no memory of its own; in a
/// large one a change costs the logarithm of its size.
#[derive(Clone, Debug)]
pub(crate) enum Members {
    One(Pid, Bytes),
    Many(BTreeMap<Pid, Bytes>),
}

impl Members {
    /// Adds a member or changes its metadata, and returns the old.
    pub(crate) fn insert(&mut self, pid: Pid, meta: Bytes) -> Option<Bytes> {
        match self {
            Self::One(one, old) if *one == pid => Some(std::mem::replace(old, meta)),
            Self::One(one, old) => {
                let both = [(*one, std::mem::take(old)), (pid, meta)];
                *self = Self::Many(BTreeMap::from(both));
                None
            }
            Self::Many(many) => many.insert(pid, meta),
        }
    }

    /// Removes a member. The last one stays: its group goes instead.
    pub(crate) fn remove(&mut self, pid: Pid) -> Removed {
        match self {
            Self::One(one, _) if *one == pid => Removed::Last,
            Self::One(..) => Removed::No,
            Self::Many(many) => {
                if many.remove(&pid).is_none() {
                    return Removed::No;
                }
                if many.len() == 1
                    && let Some((pid, meta)) = many.pop_first()
                {
                    *self = Self::One(pid, meta);
                }
                Removed::Yes
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::One(..) => 1,
            Self::Many(many) => many.len(),
        }
    }

    pub(crate) fn meta(&self, pid: Pid) -> Option<&Bytes> {
        match self {
            Self::One(one, meta) => (*one == pid).then_some(meta),
            Self::Many(many) => many.get(&pid),
        }
    }

    /// All members, in the order of the pids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Pid, &Bytes)> {
        self.range(Pid::new(Boot::default(), 0), LAST)
    }

    /// The members of one node.
    pub(crate) fn of(&self, boot: Boot) -> impl Iterator<Item = (Pid, &Bytes)> {
        self.range(Pid::new(boot, 0), Pid::new(boot, u64::MAX))
    }

    fn range(&self, first: Pid, last: Pid) -> impl Iterator<Item = (Pid, &Bytes)> {
        let (one, many) = match self {
            Self::One(pid, meta) => {
                (Some((*pid, meta)).filter(|(pid, _)| (first..=last).contains(pid)), None)
            }
            Self::Many(many) => (None, Some(many.range(first..=last))),
        };
        let many = many.into_iter().flatten().map(|(pid, meta)| (*pid, meta));
        iter::chain(one, many)
    }
}

/// What a removal did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removed {
    /// It was no member.
    No,
    Yes,
    /// It is the only member.
    Last,
}

/// The last pid there can be.
const LAST: Pid = Pid::new(Boot { millis: u64::MAX, random: u64::MAX }, u64::MAX);
