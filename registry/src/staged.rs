//! A log's state that arrived whole, and takes the place of what was there in slices.

use crate::Fact;
use crate::log::LogId;
use crate::members::Members;
use crate::record::{Entry, after_end};
use crate::replica::Replica;
use crate::stored::{Kinds, Stored};
use swarm_base::{Index, Name, NodeId};

/// The state that the facts of one log make, apart from those of all others.
#[derive(Debug, Default)]
pub(crate) struct Staged {
    names: Index<Name, Entry>,
    members: Members,
}

impl Staged {
    pub(crate) fn apply(&mut self, fact: Fact, kinds: &mut Kinds) {
        match fact {
            Fact::Named(claim) => {
                let name = claim.name.clone();
                self.names.insert(name, Entry::Claim(Stored::new(claim, kinds)));
            }
            Fact::Ended { name, token, why } => {
                let groups = |claim: &Stored| self.members.carried(claim.serial());
                match after_end(self.names.get(&name), groups, token, why) {
                    Some(Some(entry)) => drop(self.names.insert(name, entry)),
                    Some(None) => drop(self.names.swap_remove(&name)),
                    None => {}
                }
            }
            Fact::Joined { group, pid, meta } => self.members.join(pid.serial, group, meta),
            Fact::Left { group, pid } => drop(self.members.leave(pid.serial, &group)),
            Fact::Exited { pid } => drop(self.members.exit(pid.serial)),
        }
    }
}

/// A log's state on its way from what it was to what arrived. Each name and each process goes from
/// the one to the other once; the log's position and digest are those of before until all have.
#[derive(Debug)]
pub(crate) struct Takeover {
    staged: Staged,
    pub(crate) position: u64,
    pub(crate) digest: u64,
    /// Who sent it, in how many pieces.
    pub(crate) from: NodeId,
    pub(crate) pieces: u32,
    /// Who sent facts that follow it, up to where, while it was under way.
    pub(crate) missed: Option<(NodeId, u64)>,
    /// How many of the log's names and processes may not be among what arrived.
    unchecked: Option<(usize, usize)>,
}

impl Takeover {
    pub(crate) fn new(
        staged: Staged,
        position: u64,
        digest: u64,
        from: NodeId,
        pieces: u32,
    ) -> Self {
        Self { staged, position, digest, from, pieces, missed: None, unchecked: None }
    }

    /// Goes on, by so many names and processes at most. Returns whether that was the last of it.
    pub(crate) fn step(&mut self, replica: &mut Replica, log: LogId, budget: usize) -> bool {
        let all = || (replica.table.places(log).len(), replica.logs[log].members.len());
        let (mut names, mut pids) = self.unchecked.unwrap_or_else(all);
        let mut left = budget;
        // From the end: what is taken out has its place taken by one that has been checked.
        while names > 0 && left > 0 {
            (names, left) = (names - 1, left - 1);
            let place = replica.table.places(log)[names];
            let Some((name, _)) = replica.table.at(place) else { continue };
            if !self.staged.names.contains_key(name) {
                let name = name.clone();
                replica.set(log, &name, None);
            }
        }
        while pids > 0 && left > 0 {
            (pids, left) = (pids - 1, left - 1);
            let Some((serial, _)) = replica.logs[log].members.at(pids) else { continue };
            if self.staged.members.get(serial).is_none() {
                replica.set_groups(log, serial, crate::members::Groups::new());
            }
        }
        self.unchecked = Some((names, pids));
        while left > 0 {
            left -= 1;
            if let Some((name, entry)) = self.staged.names.pop() {
                if replica.table.entry(log, &name) != Some(&entry) {
                    replica.set(log, &name, Some(entry));
                }
            } else if let Some((serial, groups)) = self.staged.members.pop() {
                replica.set_groups(log, serial, groups);
            } else {
                return true;
            }
        }
        false
    }
}
