//! The copies of all logs, and the names and groups that they make.
//!
//! Applying a fact is a pure step from one state to the next: the same facts in the order of
//! their log give the same state on every node, however they arrived.

use crate::claim::{CLAIM_GROUPS_LEN_MAX, CLAIM_GROUPS_MAX};
use crate::log::{LogId, Logs, OWN, Standing};
use crate::record::{Entry, Gone, Record, Summary};
use crate::{Bytes, Claim, Event, Fact, State, Why};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use swarm_base::{Index, Name, NodeId, Pid};

/// The most kinds whose text is shared between claims.
const KINDS_MAX: usize = 4_096;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Replica {
    pub(crate) logs: Logs,
    pub(crate) names: Index<Name, Record>,
    /// The names that pointers give to a node.
    gone_to: BTreeMap<NodeId, BTreeSet<Name>>,
    /// The names that resolve to [`State::Orphan`].
    pub(crate) orphans: Index<Name, ()>,
    /// How many names are not [`State::Free`].
    pub(crate) n_taken: usize,
    /// The names of each process of this node.
    pub(crate) own_names: Index<Pid, Vec<Name>>,
    /// The names for which this node's log has a tombstone or a pointer.
    pub(crate) own_remains: BTreeSet<Name>,
    kinds: BTreeSet<Arc<str>>,
    /// The names that another node's pointer gives to this one, which has no entry for them.
    pub(crate) unclaimed: BTreeSet<Name>,
    /// The highest epoch of what was let go of here while another node may still hold it.
    pub(crate) forgotten: u64,
    pub(crate) events: VecDeque<Event>,
}

/// When changes are told.
enum Tell<'a> {
    /// At each fact.
    Now,
    /// At the end, with what each name was at first.
    Later(&'a mut Index<Name, Summary>),
}

impl Replica {
    pub(crate) fn entry(&self, log: LogId, name: &Name) -> Option<&Entry> {
        self.names.get(name)?.of(log)
    }

    /// Applies one fact of `log`.
    pub(crate) fn apply(&mut self, log: LogId, fact: Fact) {
        self.apply_telling(log, fact, &mut Tell::Now);
    }

    /// Changes whether a log counts.
    pub(crate) fn set_standing(&mut self, log: LogId, standing: Standing) {
        let was = self.logs[log].standing;
        if was == standing {
            return;
        }
        let of = &self.logs[log];
        // Pointers to the node change their meaning too. Indices stay as they are meanwhile.
        let pointed = self.gone_to.get(&of.node).into_iter().flatten();
        let pointed = pointed.filter(|name| !of.names.contains_key(*name));
        let affected = of.names.keys().chain(pointed);
        let before: Vec<(usize, Summary)> = affected
            .filter_map(|name| {
                let (idx, _, record) = self.names.get_full(name)?;
                Some((idx, record.summary(&self.logs)))
            })
            .collect();
        self.logs[log].standing = standing;
        for (idx, before) in before {
            let Some((name, record)) = self.names.get_index(idx) else { continue };
            let after = record.summary(&self.logs);
            let (name, kind) = (name.clone(), record.kind(&after));
            self.track_state(&name, before.state, after.state);
            self.tell(&name, before, after, kind);
        }
        match (was, standing) {
            (Standing::Live, _) => self.tell_members(log, standing),
            (_, Standing::Live) => self.tell_members(log, standing),
            _ => {}
        }
    }

    /// Replaces the whole state of `log` by the one that `facts` make.
    pub(crate) fn replace(&mut self, log: LogId, facts: impl IntoIterator<Item = Fact>) {
        let mut before = Index::default();
        let names: Vec<Name> = self.logs[log].names.keys().cloned().collect();
        for name in &names {
            self.remember(name, &mut before);
        }
        for name in &names {
            self.put(log, name, None);
        }
        let members = std::mem::take(&mut self.logs[log].members);
        for fact in facts {
            self.apply_telling(log, fact, &mut Tell::Later(&mut before));
        }
        self.tell_all(before);
        if self.logs[log].standing == Standing::Live {
            self.tell_difference(log, &members);
        }
    }

    /// Forgets a log.
    pub(crate) fn remove(&mut self, log: LogId) {
        self.replace(log, []);
        self.logs.remove(log);
    }

    /// The facts that make the state of `log`.
    pub(crate) fn state_of(&self, log: LogId) -> impl Iterator<Item = Fact> {
        let of = &self.logs[log];
        let named = of.names.keys().flat_map(move |name| match self.entry(log, name) {
            Some(Entry::Claim(claim)) => [Some(Fact::Named(claim.clone())), None],
            Some(Entry::Gone(gone)) => [
                Some(Fact::Named(gone.claim.clone())),
                Some(Fact::Ended {
                    name: name.clone(),
                    token: gone.claim.token,
                    why: Why::GoneTo { log: gone.to.clone(), token: gone.token },
                }),
            ],
            Some(Entry::Stopped(token)) => {
                let (name, token) = (name.clone(), *token);
                [Some(Fact::Ended { name, token, why: Why::Stopped }), None]
            }
            None => [None, None],
        });
        let joined = of.members.iter().flat_map(|(pid, groups)| {
            groups.iter().map(|(group, meta)| Fact::Joined {
                group: group.clone(),
                pid: *pid,
                meta: meta.clone(),
            })
        });
        named.flatten().chain(joined)
    }

    fn apply_telling(&mut self, log: LogId, fact: Fact, tell: &mut Tell<'_>) {
        match fact {
            Fact::Named(mut claim) => {
                self.share_kind(&mut claim);
                let name = claim.name.clone();
                self.set(log, &name, Some(Entry::Claim(claim)), tell);
            }
            Fact::Ended { name, token, why } => {
                if let Some(entry) = self.after_end(log, &name, token, why) {
                    self.set(log, &name, entry, tell);
                }
            }
            Fact::Joined { group, pid, meta } => {
                let to = &mut self.logs[log];
                to.members.entry(pid).or_default().insert(group.clone(), meta.clone());
                if to.standing == Standing::Live && matches!(tell, Tell::Now) {
                    let node = to.node.clone();
                    self.events.push_back(Event::Joined { group, pid, node, meta });
                }
            }
            Fact::Left { group, pid } => {
                let to = &mut self.logs[log];
                let Some(groups) = to.members.get_mut(&pid) else { return };
                if groups.remove(&group).is_none() {
                    return;
                }
                if groups.is_empty() {
                    to.members.swap_remove(&pid);
                }
                self.tell_left(log, group, pid, tell);
            }
            Fact::Exited { pid } => {
                let groups = self.logs[log].members.swap_remove(&pid).unwrap_or_default();
                for group in groups.into_keys() {
                    self.tell_left(log, group, pid, tell);
                }
            }
        }
    }

    /// What an end makes of the entry. `None`: nothing changes.
    #[expect(clippy::option_option, reason = "no change, or a change to an entry or to none")]
    fn after_end(
        &self,
        log: LogId,
        name: &Name,
        token: swarm_base::Token,
        why: Why,
    ) -> Option<Option<Entry>> {
        let entry = self.entry(log, name);
        if entry.is_some_and(|entry| entry.token() > token) {
            return None;
        }
        match (why, entry) {
            (Why::Stopped, _) => Some(Some(Entry::Stopped(token))),
            (Why::Settled, entry) => entry.map(|_| None),
            (Why::GoneTo { log: to, token }, Some(Entry::Claim(claim))) => {
                let mut claim = claim.clone();
                // A restart joins the groups again, and the process is about to leave them.
                if let (true, Some(pid)) = (claim.groups.is_empty(), claim.pid()) {
                    claim.groups = self.groups_of(log, pid);
                }
                Some(Some(Entry::Gone(Box::new(Gone { claim, to, token }))))
            }
            (Why::GoneTo { .. }, _) => None,
        }
    }

    /// The groups of a process with their metadata, as many as a claim carries.
    pub(crate) fn groups_of(&self, log: LogId, pid: Pid) -> Vec<(Name, Bytes)> {
        let groups = self.logs[log].members.get(&pid).into_iter().flatten();
        let mut groups: Vec<_> = groups.map(|(g, meta)| (g.clone(), meta.clone())).collect();
        trim(&mut groups);
        groups
    }

    fn set(&mut self, log: LogId, name: &Name, entry: Option<Entry>, tell: &mut Tell<'_>) {
        let (before, after, kind) = self.put(log, name, entry);
        match tell {
            Tell::Now => self.tell(name, before, after, kind),
            Tell::Later(first) => drop(first.entry(name.clone()).or_insert(before)),
        }
    }

    /// The one place where an entry changes. Returns what the name was and is, and the kind of
    /// the claim that counts now.
    fn put(&mut self, log: LogId, name: &Name, entry: Option<Entry>) -> Change {
        let new = Traits::of(entry.as_ref());
        let record = self.names.entry(name.clone()).or_default();
        let before = record.summary(&self.logs);
        let before_it = record.put(log, entry);
        if let (Some(gone), false) = (&before_it, new.is_there)
            && (self.logs[log].standing == Standing::Closed || !matches!(gone, Entry::Claim(_)))
        {
            self.forgotten = self.forgotten.max(gone.token().epoch);
        }
        let old = Traits::of(before_it.as_ref());
        let after = record.summary(&self.logs);
        let kind = record.kind(&after);
        if record.is_empty() {
            self.names.swap_remove(name);
        }
        match (old.is_there, new.is_there) {
            (false, true) => drop(self.logs[log].names.insert(name.clone(), ())),
            (true, false) => drop(self.logs[log].names.swap_remove(name)),
            _ => {}
        }
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
        (before, after, kind)
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
                .names
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
            names.retain(|other| other != name);
            if names.is_empty() {
                self.own_names.swap_remove(&old);
            }
        }
        if let Some(new) = new {
            self.own_names.entry(new).or_default().push(name.clone());
        }
    }

    fn summary(&self, name: &Name) -> Summary {
        self.names.get(name).map_or(Summary::FREE, |record| record.summary(&self.logs))
    }

    fn remember(&self, name: &Name, before: &mut Index<Name, Summary>) {
        if !before.contains_key(name) {
            before.insert(name.clone(), self.summary(name));
        }
    }

    fn share_kind(&mut self, claim: &mut Claim) {
        let Some(spec) = &mut claim.spec else { return };
        match self.kinds.get(&spec.kind) {
            Some(kind) => spec.kind = kind.clone(),
            None if self.kinds.len() < KINDS_MAX => drop(self.kinds.insert(spec.kind.clone())),
            None => {}
        }
    }

    fn tell_all(&mut self, before: Index<Name, Summary>) {
        for (name, before) in before {
            let (after, kind) = match self.names.get(&name) {
                Some(record) => {
                    let after = record.summary(&self.logs);
                    (after, record.kind(&after))
                }
                None => (Summary::FREE, None),
            };
            self.tell(&name, before, after, kind);
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

    fn tell_left(&mut self, log: LogId, group: Name, pid: Pid, tell: &Tell<'_>) {
        let of = &self.logs[log];
        if of.standing == Standing::Live && matches!(tell, Tell::Now) {
            self.events.push_back(Event::Left { group, pid, node: of.node.clone() });
        }
    }

    /// Tells of every membership of a log that begins or ceases to count.
    fn tell_members(&mut self, log: LogId, now: Standing) {
        let of = &self.logs[log];
        for (pid, groups) in &of.members {
            for (group, meta) in groups {
                let (group, pid, node) = (group.clone(), *pid, of.node.clone());
                self.events.push_back(match now {
                    Standing::Live => Event::Joined { group, pid, node, meta: meta.clone() },
                    Standing::Closed | Standing::Unseen => Event::Left { group, pid, node },
                });
            }
        }
    }

    /// Tells how the memberships of a log differ from what they were.
    fn tell_difference(&mut self, log: LogId, before: &Members) {
        let of = &self.logs[log];
        let flat = |members| {
            Members::iter(members).flat_map(|(pid, groups)| {
                groups.iter().map(move |(group, meta)| (*pid, group, meta))
            })
        };
        let meta_in = |members: &Members, pid, group| {
            members.get(&pid).and_then(|groups: &BTreeMap<Name, Bytes>| groups.get(group)).cloned()
        };
        for (pid, group, _) in flat(before) {
            if meta_in(&of.members, pid, group).is_none() {
                let (group, node) = (group.clone(), of.node.clone());
                self.events.push_back(Event::Left { group, pid, node });
            }
        }
        for (pid, group, meta) in flat(&of.members) {
            if meta_in(before, pid, group).as_ref() != Some(meta) {
                let (group, node, meta) = (group.clone(), of.node.clone(), meta.clone());
                self.events.push_back(Event::Joined { group, pid, node, meta });
            }
        }
    }
}

/// The groups of processes.
pub(crate) type Members = Index<Pid, BTreeMap<Name, Bytes>>;

/// What a name was and is, and the kind of the claim that counts now.
type Change = (Summary, Summary, Option<Arc<str>>);

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
    fn of(entry: Option<&Entry>) -> Self {
        let there = Self { is_there: true, ..Self::default() };
        match entry {
            None => Self::default(),
            Some(Entry::Claim(claim)) => Self { pid: claim.pid(), ..there },
            Some(Entry::Gone(gone)) => {
                Self { target: Some(gone.to.clone()), remains: true, ..there }
            }
            Some(Entry::Stopped(_)) => Self { remains: true, ..there },
        }
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
