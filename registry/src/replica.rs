//! The copies of all logs, and the names and groups that they make.
//!
//! Applying a fact is a pure step from one state to the next: the same facts in the order of
//! their log give the same state on every node, however they arrived.

use crate::few::Few;
use crate::log::{LogId, Logs, OWN, Standing};
use crate::members::Groups;
use crate::record::{Entry, Record, Summary, after_end};
use crate::stored::{Kinds, Stored};
use crate::table::{Put, Table};
use crate::{Bytes, Claim, Event, Fact, State};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use swarm_base::{Boot, Index, Name, NodeId, Pid};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Replica {
    pub(crate) logs: Logs,
    pub(crate) table: Table,
    pub(crate) kinds: Kinds,
    /// The names that pointers give to a node.
    gone_to: BTreeMap<NodeId, BTreeSet<Name>>,
    /// The names that resolve to [`State::Orphan`].
    pub(crate) orphans: Index<Name, ()>,
    /// How many names are not [`State::Free`].
    pub(crate) n_taken: usize,
    /// The names of each process of this node.
    pub(crate) own_names: Index<Pid, Few>,
    /// The names for which this node's log has a tombstone or a pointer.
    pub(crate) own_remains: BTreeSet<Name>,
    /// The names that another node's pointer gives to this one, which has no entry for them.
    pub(crate) unclaimed: BTreeSet<Name>,
    /// Whether something was let go of here while another node may still hold it.
    pub(crate) has_forgotten: bool,
    /// The highest epoch of what was let go of, here or elsewhere: whoever has a name next stands
    /// above those who had it.
    pub(crate) released: u64,
    /// The highest epoch of all that any log has said.
    pub(crate) seen: u64,
    /// Logs that count no more, and whose names are being taken out of the table.
    doomed: Vec<LogId>,
    pub(crate) events: VecDeque<Event>,
}

impl Replica {
    pub(crate) fn entry(&self, log: LogId, name: &Name) -> Option<&Entry> {
        self.table.entry(log, name)
    }

    /// The claim of a log on a name.
    pub(crate) fn claim(&self, log: LogId, name: &Name) -> Option<Claim> {
        match self.entry(log, name)? {
            Entry::Claim(claim) => Some(claim.claim(name, self.logs[log].node.boot)),
            Entry::Gone(_) | Entry::Stopped(_) => None,
        }
    }

    /// Applies one fact of `log`.
    pub(crate) fn apply(&mut self, log: LogId, fact: Fact) {
        match fact {
            Fact::Named(claim) => {
                let name = claim.name.clone();
                let is_first = log == OWN && self.is_first(&claim);
                let mut stored = Stored::new(claim, &mut self.kinds);
                stored.is_first = is_first;
                self.set(log, &name, Some(Entry::Claim(stored)));
            }
            Fact::Ended { name, token, why } => {
                let groups = |claim: &Stored| self.logs[log].members.carried(claim.serial());
                if let Some(entry) = after_end(self.entry(log, &name), groups, token, why) {
                    self.set(log, &name, entry);
                }
            }
            Fact::Joined { group, pid, meta } => {
                let to = &mut self.logs[log];
                to.touch_member(pid.serial);
                to.members.join(pid.serial, group.clone(), meta.clone());
                self.tell_joined(log, group, pid, meta);
            }
            Fact::Left { group, pid } => {
                let of = &mut self.logs[log];
                of.touch_member(pid.serial);
                if of.members.leave(pid.serial, &group) {
                    self.tell_left(log, group, pid);
                }
            }
            Fact::Exited { pid } => self.set_groups(log, pid.serial, Groups::new()),
        }
    }

    /// Whether a claim of this node takes the place of nothing that another log could tell of.
    fn is_first(&self, claim: &Claim) -> bool {
        match self.table.get(&claim.name).map(|record| record.of(OWN)) {
            None => !self.has_forgotten && claim.token.epoch == self.released.saturating_add(1),
            Some(Some(Entry::Claim(own))) => own.is_first && own.token == claim.token,
            Some(_) => false,
        }
    }

    /// Changes whether a log counts.
    pub(crate) fn set_standing(&mut self, log: LogId, standing: Standing) {
        let was = self.logs[log].standing;
        if was == standing {
            return;
        }
        // Pointers to the node change their meaning too. Places stay as they are meanwhile.
        let pointed = self.gone_to.get(&self.logs[log].node).into_iter().flatten();
        let pointed = pointed.filter(|name| self.entry(log, name).is_none());
        let pointed = pointed.filter_map(|name| self.table.place(name));
        let affected = self.table.places(log).iter().copied().chain(pointed);
        let before: Vec<(u32, Summary)> = affected
            .filter_map(|place| Some((place, self.table.at(place)?.1.summary(&self.logs))))
            .collect();
        self.logs[log].standing = standing;
        for (place, before) in before {
            let Some((name, record)) = self.table.at(place) else { continue };
            let after = record.summary(&self.logs);
            let (name, kind) = (name.clone(), record.kind(&after));
            self.track_state(&name, before.state, after.state);
            self.tell(&name, before, after, kind);
        }
        if was == Standing::Live || standing == Standing::Live {
            self.tell_members(log, standing);
        }
    }

    /// Forgets the state of a log.
    pub(crate) fn clear(&mut self, log: LogId) {
        while let Some(place) = self.table.places(log).last() {
            let Some(name) = self.table.at(*place).map(|(name, _)| name.clone()) else { break };
            self.set(log, &name, None);
        }
        while let Some((serial, _)) = self.logs[log].members.at(0) {
            self.set_groups(log, serial, Groups::new());
        }
        let log = &mut self.logs[log];
        (log.takeover, log.building) = (None, None);
    }

    /// Forgets a log: it counts no more, and is found no more. What it held goes in slices, by
    /// [`remove_some`](Self::remove_some).
    pub(crate) fn remove(&mut self, log: LogId) {
        self.set_standing(log, Standing::Unseen);
        self.logs.detach(log);
        self.doomed.push(log);
    }

    /// Goes on with forgetting, by so many names at most. Returns whether there is more to forget.
    pub(crate) fn remove_some(&mut self, budget: usize) -> bool {
        for _ in 0..budget {
            let Some(log) = self.doomed.last().copied() else { return false };
            let place = self.table.places(log).last();
            match place.and_then(|place| self.table.at(*place)).map(|(name, _)| name.clone()) {
                Some(name) => self.set(log, &name, None),
                None => {
                    self.doomed.pop();
                    self.logs.free(log);
                }
            }
        }
        !self.doomed.is_empty()
    }

    /// Puts a process of a log into these groups and no others.
    pub(crate) fn set_groups(&mut self, log: LogId, serial: u64, groups: Groups) {
        let of = &mut self.logs[log];
        of.touch_member(serial);
        let before = of.members.set(serial, groups.clone());
        let pid = Pid::new(of.node.boot, serial);
        for group in before.keys().filter(|group| !groups.contains_key(*group)) {
            self.tell_left(log, group.clone(), pid);
        }
        for (group, meta) in groups {
            if before.get(&group) != Some(&meta) {
                self.tell_joined(log, group, pid, meta);
            }
        }
    }

    /// The one place where an entry changes.
    pub(crate) fn set(&mut self, log: LogId, name: &Name, entry: Option<Entry>) {
        self.seen = self.seen.max(entry.as_ref().map_or(0, |entry| entry.token().epoch));
        let boot = self.logs[log].node.boot;
        let new = Traits::of(entry.as_ref(), boot);
        let logs = &self.logs;
        let look = |record: &Record| {
            let summary = record.summary(logs);
            (summary, record.kind(&summary))
        };
        let Put { before, after, old: was, unlisted } = self.table.put(log, name, entry, look);
        let ((before, _), (after, kind)) = (before, after);
        if let (Some(gone), false) = (&was, new.is_there) {
            let is_live = self.logs[log].standing == Standing::Live;
            self.has_forgotten |= !is_live || !matches!(gone, Entry::Claim(_));
            self.released = self.released.max(gone.token().epoch);
        }
        self.touch(log, name, unlisted);
        let old = Traits::of(was.as_ref(), boot);
        self.track_state(name, before.state, after.state);
        if log != OWN && new.target.as_ref() == Some(&self.logs[OWN].node) {
            self.unclaimed.insert(name.clone());
        }
        if old.target != new.target {
            self.track_pointer(name, old.target, new.target);
        }
        if log == OWN {
            self.track_own(name, old.pid, new.pid);
            match new.remains {
                true => drop(self.own_remains.insert(name.clone())),
                false if old.remains => drop(self.own_remains.remove(name)),
                false => {}
            }
        }
        self.tell(name, before, after, kind);
    }

    /// Notes for a snapshot that is being built what is not as it was when that began: a name, and
    /// the one that took its place in the log's list.
    fn touch(&mut self, log: LogId, name: &Name, unlisted: Option<u32>) {
        let Some(building) = &mut self.logs[log].building else { return };
        building.touch(name.clone());
        let moved = unlisted.and_then(|pos| self.table.places(log).get(pos as usize));
        if let Some((moved, _)) = moved.and_then(|place| self.table.at(*place)) {
            building.touch(moved.clone());
        }
    }

    fn track_state(&mut self, name: &Name, before: State, after: State) {
        if before == after {
            return;
        }
        self.n_taken -= usize::from(before != State::Free);
        self.n_taken += usize::from(after != State::Free);
        if before == State::Orphan {
            self.orphans.swap_remove(name);
        }
        if after == State::Orphan {
            self.orphans.insert(name.clone(), ());
        }
    }

    fn track_pointer(&mut self, name: &Name, old: Option<NodeId>, new: Option<NodeId>) {
        if let Some(old) = old
            && !self
                .table
                .get(name)
                .is_some_and(|record| record.iter().any(|(_, entry)| entry.target() == Some(&old)))
            && let Some(names) = self.gone_to.get_mut(&old)
        {
            names.remove(name);
            if names.is_empty() {
                self.gone_to.remove(&old);
            }
        }
        if let Some(new) = new {
            self.gone_to.entry(new).or_default().insert(name.clone());
        }
    }

    fn track_own(&mut self, name: &Name, old: Option<Pid>, new: Option<Pid>) {
        if old == new {
            return;
        }
        if let Some(old) = old
            && let Some(names) = self.own_names.get_mut(&old)
        {
            names.remove(name);
            if names.is_empty() {
                self.own_names.swap_remove(&old);
            }
        }
        if let Some(new) = new {
            self.own_names.entry(new).or_default().insert(name.clone());
        }
    }

    fn tell(&mut self, name: &Name, before: Summary, after: Summary, kind: Option<Arc<str>>) {
        if before != after {
            self.events.push_back(Event::Changed {
                name: name.clone(),
                was: before.found(),
                now: after.found(),
                kind,
                token: after.token,
                state: after.state,
            });
        }
        if after.n_live > 1 {
            self.events.push_back(Event::Conflict { name: name.clone() });
        }
    }

    fn tell_joined(&mut self, log: LogId, group: Name, pid: Pid, meta: Bytes) {
        let of = &self.logs[log];
        if of.standing == Standing::Live {
            let node = of.node.clone();
            self.events.push_back(Event::Joined { group, pid, node, meta });
        }
    }

    fn tell_left(&mut self, log: LogId, group: Name, pid: Pid) {
        let of = &self.logs[log];
        if of.standing == Standing::Live {
            self.events.push_back(Event::Left { group, pid, node: of.node.clone() });
        }
    }

    /// Tells of every membership of a log that begins or ceases to count.
    fn tell_members(&mut self, log: LogId, now: Standing) {
        let of = &self.logs[log];
        for (serial, groups) in of.members.iter() {
            for (group, meta) in groups {
                let (group, node) = (group.clone(), of.node.clone());
                let pid = Pid::new(node.boot, serial);
                self.events.push_back(match now {
                    Standing::Live => Event::Joined { group, pid, node, meta: meta.clone() },
                    Standing::Closed | Standing::Unseen => Event::Left { group, pid, node },
                });
            }
        }
    }
}

/// What an entry is indexed by, besides its name.
#[derive(Default)]
struct Traits {
    is_there: bool,
    /// Its process.
    pid: Option<Pid>,
    /// Where it points.
    target: Option<NodeId>,
    /// Whether it is a tombstone or a pointer.
    remains: bool,
}

impl Traits {
    fn of(entry: Option<&Entry>, boot: Boot) -> Self {
        let there = Self { is_there: true, ..Self::default() };
        match entry {
            None => Self::default(),
            Some(Entry::Claim(claim)) => Self { pid: claim.pid(boot), ..there },
            Some(Entry::Gone(gone)) => {
                Self { target: Some(gone.to.clone()), remains: true, ..there }
            }
            Some(Entry::Stopped(_)) => Self { remains: true, ..there },
        }
    }
}
