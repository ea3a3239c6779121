//! The groups of the processes of one log.

use crate::Bytes;
use crate::claim::{CLAIM_GROUPS_LEN_MAX, CLAIM_GROUPS_MAX};
use std::collections::BTreeMap;
use swarm_base::{Index, Name};

/// Which groups each process is in, by its serial, and what it says about itself there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Members(Index<u64, Groups>);

/// The groups of one process.
pub(crate) type Groups = BTreeMap<Name, Bytes>;

impl Members {
    pub(crate) fn join(&mut self, serial: u64, group: Name, meta: Bytes) {
        self.0.entry(serial).or_default().insert(group, meta);
    }

    /// Whether it was in the group.
    pub(crate) fn leave(&mut self, serial: u64, group: &Name) -> bool {
        let Some(groups) = self.0.get_mut(&serial) else { return false };
        let was_in = groups.remove(group).is_some();
        if groups.is_empty() {
            self.0.swap_remove(&serial);
        }
        was_in
    }

    /// The groups that the process leaves by its end.
    pub(crate) fn exit(&mut self, serial: u64) -> Groups {
        self.0.swap_remove(&serial).unwrap_or_default()
    }

    /// Puts the process into these groups and no others. Returns those that it was in.
    pub(crate) fn set(&mut self, serial: u64, groups: Groups) -> Groups {
        if groups.is_empty() {
            return self.exit(serial);
        }
        self.0.insert(serial, groups).unwrap_or_default()
    }

    pub(crate) fn get(&self, serial: u64) -> Option<&Groups> {
        self.0.get(&serial)
    }

    pub(crate) fn at(&self, idx: usize) -> Option<(u64, &Groups)> {
        self.0.get_index(idx).map(|(serial, groups)| (*serial, groups))
    }

    /// Takes out any process.
    pub(crate) fn pop(&mut self) -> Option<(u64, Groups)> {
        self.0.pop()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Groups)> {
        self.0.iter().map(|(serial, groups)| (*serial, groups))
    }

    /// How many processes are in groups.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The groups of a process with their metadata, as many as a claim carries.
    pub(crate) fn carried(&self, serial: u64) -> Vec<(Name, Bytes)> {
        let groups = self.get(serial).into_iter().flatten();
        let mut groups: Vec<_> = groups.map(|(g, meta)| (g.clone(), meta.clone())).collect();
        trim(&mut groups);
        groups
    }
}

/// Cuts the groups of a claim to their bounds.
pub(crate) fn trim(groups: &mut Vec<(Name, Bytes)>) {
    let mut len = 0;
    let fits = groups.iter().take(CLAIM_GROUPS_MAX).take_while(|(group, meta)| {
        len += group.as_bytes().len() + meta.len();
        len <= CLAIM_GROUPS_LEN_MAX
    });
    let n_fits = fits.count();
    groups.truncate(n_fits);
}
