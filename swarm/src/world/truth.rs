//! What is really so in a world: which processes run, what clients were told, what excuses what.
//!
//! Checkers compare the nodes with this. It is kept by a checker of its own, [`Witness`], which
//! sees every event before the others do.

use super::checks::{Seated, Waiting};
use super::host::{End, SimNode};
use super::news::{Asked, Change, News};
use super::standing::Standing;
use crate::Event as Public;
use crate::node::Outcome;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::rc::Rc;
use swarm_base::{Boot, Instant, Name, Pid};
use swarm_registry::{Resolution, State};
use swarm_sim::{Action, Check, Violation};

/// The nodes of a world.
pub(crate) type Hosts = BTreeMap<SocketAddr, SimNode>;

/// What is really so, shared by clients and checkers.
pub(crate) type Shared = Rc<RefCell<Truth>>;

/// What is really so.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    pub(crate) names: BTreeMap<Name, Book>,
    /// The processes of names that run, or are frozen, and where.
    pub(crate) instances: BTreeMap<Name, BTreeMap<Pid, SocketAddr>>,
    /// Whether a process is in a group, by the name that it has.
    pub(crate) memberships: BTreeMap<(Name, Name), Membership>,
    /// Since when two nodes may own one name: a live node was held dead, or nodes went on without
    /// agreement.
    pub(crate) split: Option<(Instant, String)>,
    /// How many nodes must stand together for names to run, where they run under a quorum.
    pub(crate) want: Option<usize>,
    pub(crate) standing: Standing,
    pub(crate) waiting: Waiting,
    pub(crate) seated: Seated,
    asks: BTreeMap<(SocketAddr, u64), Ask>,
    /// Memberships that questions of unknown outcome changed, or several at once.
    vague: BTreeSet<(Name, Name)>,
}

#[derive(Debug)]
struct Ask {
    what: Asked,
    /// Whether the cluster was split at some moment of it.
    in_split: bool,
}

/// What clients know of a name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    pub(crate) status: Status,
    /// A question that changes it is under way.
    pub(crate) is_busy: bool,
    /// An attempt may still take effect: it is left alone until the world has healed.
    pub(crate) is_blocked: bool,
    /// The nodes that know of the status. Once all of them are dead, so may the status be.
    pub(crate) known_by: BTreeSet<SocketAddr>,
    /// What each node saw last.
    saw: BTreeMap<SocketAddr, State>,
}

/// Whether a name is registered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Status {
    /// Never registered, or stopped.
    #[default]
    Free,
    Taken,
    /// Registered for a process that does not move.
    Fixed,
    /// An answer did not come, or the cluster was split.
    Unknown,
    /// Taken from its process, which lives on: it is used no more, and nothing is judged of it.
    Retired,
}

/// Whether a process is in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Membership {
    /// As the node knows whose caller asked.
    In(SocketAddr),
    /// The same, and that node is dead by now.
    InSince,
    Out,
    Unknown,
}

impl Truth {
    /// Whether a name may be changed by a client: so its outcome is known.
    pub(crate) fn may_change(&self, name: &Name) -> bool {
        self.names
            .get(name)
            .is_none_or(|book| !book.is_busy && !book.is_blocked && book.status != Status::Retired)
    }

    pub(crate) fn status(&self, name: &Name) -> Status {
        self.names.get(name).map_or(Status::Free, |book| book.status)
    }

    /// The processes of `name`.
    pub(crate) fn instances(&self, name: &Name) -> impl Iterator<Item = (&Pid, &SocketAddr)> {
        self.instances.get(name).into_iter().flatten()
    }

    /// A process ends by itself, and its name with it.
    pub(crate) fn lose_track(&mut self, name: &Name) {
        let book = self.names.entry(name.clone()).or_default();
        if book.status != Status::Retired {
            book.status = Status::Unknown;
            book.is_blocked = true;
        }
        self.leave_all(name);
    }

    /// All is well: what clients could not know is what all nodes say.
    pub(crate) fn reset(&mut self, hosts: &Hosts) {
        self.split = None;
        self.vague.clear();
        let Some(host) = hosts.values().find(|host| !host.is_gone()) else { return };
        let all: BTreeSet<_> = hosts.keys().copied().collect();
        for (name, book) in &mut self.names {
            if book.status == Status::Unknown && !book.is_busy {
                book.status = match host.node().registry().resolve(name) {
                    Resolution::Held { .. } => Status::Taken,
                    Resolution::Free => Status::Free,
                    // Nobody may run it at present.
                    Resolution::Orphan { .. } | Resolution::Pending { .. } => Status::Unknown,
                };
            }
            book.is_blocked = false;
            book.known_by = all.clone();
        }
        for ((name, group), membership) in &mut self.memberships {
            if *membership == Membership::Unknown {
                // A name that nobody may run at present keeps its groups.
                let Some(pid) = host.names().whereis(name.as_bytes()) else { continue };
                let is_in = is_member(host, group, pid);
                *membership = if is_in { Membership::InSince } else { Membership::Out };
            }
        }
    }

    fn divide(&mut self, now: Instant, why: String) {
        // A stop holds on its side of a partition: whoever has not heard of it starts the name,
        // and what is remembered of a stop goes with the last log that it outranks, also where
        // the writer of that log is only held dead.
        for book in self.names.values_mut().filter(|book| book.status == Status::Free) {
            book.status = Status::Unknown;
            book.is_blocked = true;
        }
        for ask in self.asks.values_mut() {
            ask.in_split = true;
        }
        for membership in self.memberships.values_mut() {
            *membership = Membership::Unknown;
        }
        self.split.get_or_insert((now, why));
    }

    fn asked(&mut self, addr: SocketAddr, id: u64, what: &Asked) {
        if let Some(name) = what.changes() {
            let book = self.names.entry(name.clone()).or_default();
            book.is_busy = true;
            match what {
                Asked::Unregister(_) => book.status = Status::Retired,
                Asked::RegisterPid(..) => book.status = Status::Fixed,
                _ => (),
            }
        }
        if let Asked::Join(name, group) | Asked::Leave(name, group) = what {
            // Until it is answered, either may be so.
            let key = (name.clone(), group.clone());
            if self.asks.values().any(|ask| ask.what.membership() == Some((name, group))) {
                self.vague.insert(key.clone());
            }
            self.memberships.insert(key, Membership::Unknown);
        }
        let ask = Ask { what: what.clone(), in_split: self.split.is_some() };
        self.asks.insert((addr, id), ask);
    }

    fn answered(&mut self, addr: SocketAddr, id: u64, outcome: &Outcome) {
        let Some(Ask { what, in_split }) = self.asks.remove(&(addr, id)) else { return };
        if let Asked::Join(name, group) | Asked::Leave(name, group) = &what {
            let key = (name.clone(), group.clone());
            if *outcome != Outcome::Done || in_split || self.split.is_some() {
                self.vague.insert(key);
            } else if !self.vague.contains(&key) {
                let joined = matches!(what, Asked::Join(..));
                let membership = if joined { Membership::In(addr) } else { Membership::Out };
                self.memberships.insert(key, membership);
            }
        }
        let Some(name) = what.changes() else { return };
        let book = self.names.entry(name.clone()).or_default();
        book.is_busy = false;
        if book.status == Status::Retired {
            return;
        }
        let status = match (&what, outcome) {
            (Asked::RegisterPid(..), _) => Status::Fixed,
            // Its process may have ended by itself before the answer came.
            (Asked::Register(_), Outcome::Registered) if !book.is_blocked => Status::Taken,
            // Another node may have stopped it, and this one not know yet.
            (Asked::Register(_), Outcome::Already(..)) if book.status != Status::Free => {
                book.status
            }
            (Asked::Stop(_), Outcome::Done) if !in_split => Status::Free,
            _ => Status::Unknown,
        };
        book.is_blocked = status == Status::Unknown;
        book.status = status;
        let is_free = status == Status::Free;
        let saw = book.saw.iter().filter(|(_, state)| (**state == State::Free) == is_free);
        book.known_by = saw.map(|(node, _)| *node).chain([addr]).collect();
        if is_free || matches!(outcome, Outcome::Registered) {
            self.leave_all(name);
        }
    }

    /// The name is another process's than before, and in no group.
    fn leave_all(&mut self, name: &Name) {
        self.memberships.retain(|(of, _), _| of != name);
        // What is still to be answered may have been about the one before.
        let about = self.asks.values().filter_map(|ask| ask.what.membership());
        let about = about.filter(|(of, _)| *of == name);
        self.vague.extend(about.map(|(of, group)| (of.clone(), group.clone())));
    }

    fn saw(&mut self, addr: SocketAddr, name: &Name, state: State) {
        let Some(book) = self.names.get_mut(name) else { return };
        book.saw.insert(addr, state);
        // A node that reads up goes through what was.
        if (state == State::Free) == (book.status == Status::Free) {
            book.known_by.insert(addr);
        } else {
            book.known_by.remove(&addr);
        }
    }

    /// A node is no more, and with it what only it knew.
    fn died(&mut self, addr: SocketAddr) {
        for ((name, _), membership) in &mut self.memberships {
            let is_here = self.instances.get(name).into_iter().flatten().any(|(_, at)| *at == addr);
            match *membership {
                Membership::In(asker) if asker == addr && is_here => {
                    *membership = Membership::Unknown;
                }
                Membership::In(asker) if asker == addr => *membership = Membership::InSince,
                Membership::InSince | Membership::Out if is_here => {
                    *membership = Membership::Unknown;
                }
                _ => (),
            }
        }
        for instances in self.instances.values_mut() {
            instances.retain(|_, at| *at != addr);
        }
        let theirs: Vec<_> = self.asks.keys().filter(|(of, _)| *of == addr).copied().collect();
        for key in theirs {
            let Some(name) = self.asks.remove(&key).and_then(|ask| ask.what.changes().cloned())
            else {
                continue;
            };
            let book = self.names.entry(name).or_default();
            book.is_busy = false;
            book.is_blocked = true;
            if !matches!(book.status, Status::Retired | Status::Fixed) {
                book.status = Status::Unknown;
            }
        }
        self.forgets(addr);
    }

    /// What only this node knew may be lost with it: it is dead, or says goodbye, after which
    /// nobody listens to it.
    fn forgets(&mut self, addr: SocketAddr) {
        for book in self.names.values_mut() {
            book.saw.remove(&addr);
            book.known_by.remove(&addr);
            if book.known_by.is_empty() && matches!(book.status, Status::Free | Status::Taken) {
                book.status = Status::Unknown;
            }
        }
    }
}

/// Keeps the [`Truth`]. It judges nothing.
#[derive(Debug)]
pub(crate) struct Witness {
    pub(crate) truth: Shared,
    pub(crate) seen: u64,
}

impl Check<SimNode> for Witness {
    fn name(&self) -> &'static str {
        "the witness"
    }

    fn observe(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        event: &News,
        hosts: &Hosts,
    ) -> Result<(), Violation> {
        self.seen += 1;
        let mut truth = self.truth.borrow_mut();
        truth.waiting.observe(addr, event);
        truth.seated.observe(addr, event);
        match event {
            News::Began { name, pid, .. } => {
                truth.instances.entry(name.clone()).or_default().insert(*pid, addr);
            }
            News::Taken { name, pid, .. } | News::Ended { name: Some(name), pid, .. } => {
                if let Some(instances) = truth.instances.get_mut(name) {
                    instances.remove(pid);
                }
            }
            News::Asked { id, what } => truth.asked(addr, *id, what),
            News::Answered { id, outcome } => truth.answered(addr, *id, outcome),
            News::Saw { name, state, .. } => truth.saw(addr, name, *state),
            // Also one on its way out: what it stops now holds on its side only.
            News::Peer { boot, change: Change::Dead, .. }
                if present(hosts).any(|(_, host)| host.id().boot == *boot) =>
            {
                truth.divide(now, format!("{addr} holds {boot} dead, which lives"));
            }
            // Those that were started at the same time may find each other first.
            News::Merged if misses_one(hosts, addr) => {
                truth.divide(now, format!("{addr} has not been told of all"));
            }
            News::Alone => truth.divide(now, format!("{addr} goes on alone")),
            News::Public(Public::AgreementOverdue { .. }) => {
                truth.divide(now, format!("{addr} goes on without agreement"));
            }
            News::Public(Public::NameLost { name, .. }) => {
                let book = truth.names.entry(name.clone()).or_default();
                if book.status != Status::Retired {
                    book.status = Status::Unknown;
                }
                truth.leave_all(name);
            }
            News::Gone => {
                truth.died(addr);
                truth.standing.gone(now, addr);
            }
            _ => (),
        }
        Ok(())
    }

    fn act(&mut self, now: Instant, action: &Action) {
        let mut truth = self.truth.borrow_mut();
        truth.standing.act(now, action);
        truth.waiting.act(action);
        truth.seated.act(action);
        if let Action::Crash(addr) | Action::Stop(addr) = action {
            truth.died(*addr);
        }
    }

    fn reach(&mut self, now: Instant, reaches: &dyn Fn(SocketAddr, SocketAddr) -> bool) {
        self.truth.borrow_mut().standing.reach(now, reaches);
    }

    fn judged(&self) -> u64 {
        self.seen
    }
}

/// The nodes that have not left.
pub(crate) fn present(hosts: &Hosts) -> impl Iterator<Item = (&SocketAddr, &SimNode)> {
    hosts.iter().filter(|(_, host)| !host.is_gone())
}

/// Whether the node at `addr` does not know of another that runs.
fn misses_one(hosts: &Hosts, addr: SocketAddr) -> bool {
    let Some(host) = hosts.get(&addr) else { return false };
    present(hosts)
        .any(|(other, there)| *other != addr && host.node().placing().member(there.id()).is_none())
}

/// Whether the node with this boot runs, and is not on its way out.
pub(crate) fn lives(hosts: &Hosts, boot: Boot) -> bool {
    hosts
        .values()
        .any(|host| host.id().boot == boot && matches!(host.end(), End::No | End::Draining { .. }))
}

/// Whether `host` sees `pid` in `group`.
pub(crate) fn is_member(host: &SimNode, group: &Name, pid: Pid) -> bool {
    host.groups().meta(group.as_bytes(), pid).is_some()
}
