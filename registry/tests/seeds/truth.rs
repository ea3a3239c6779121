//! What really is: which lives run, which processes, and what they did last.

use crate::host::SimNode;
use crate::news::{End, How, News};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::rc::Rc;
use swarm_base::{Instant, Name, NodeId, Pid};
use swarm_registry::{Bytes, Event};
use swarm_sim::{Action, Check, Violation};

pub(crate) type Hosts = BTreeMap<SocketAddr, SimNode>;

pub(crate) type Shared = Rc<RefCell<Truth>>;

#[derive(Default)]
pub(crate) struct Truth {
    /// The life that runs at each address.
    lives: BTreeMap<SocketAddr, NodeId>,
    pub(crate) processes: BTreeMap<Pid, Process>,
    /// Those of each name that run.
    running: BTreeMap<Name, BTreeSet<Pid>>,
    /// Every name that anybody ever claimed.
    pub(crate) names: BTreeSet<Name>,
    /// The groups of each process, as it said last.
    pub(crate) joined: BTreeMap<Pid, BTreeMap<Name, Bytes>>,
    /// Since when nothing is wrong with the network.
    pub(crate) calm_since: Option<Instant>,
}

pub(crate) struct Process {
    pub(crate) name: Name,
    pub(crate) how: How,
    pub(crate) ended: Option<(Instant, End)>,
}

impl Truth {
    pub(crate) fn runs(&self, life: &NodeId) -> bool {
        self.lives.values().any(|other| other == life)
    }

    pub(crate) fn started(&mut self, addr: SocketAddr, life: NodeId) {
        self.lives.insert(addr, life);
    }

    pub(crate) fn is_alive(&self, pid: Pid) -> bool {
        self.processes.get(&pid).is_some_and(|process| process.ended.is_none())
    }

    /// The processes of `name` that run.
    pub(crate) fn running(&self, name: &Name) -> impl Iterator<Item = Pid> {
        self.running.get(name).into_iter().flatten().copied()
    }

    pub(crate) fn observe(&mut self, now: Instant, news: &News) {
        match news {
            News::Began { name, pid, how } => {
                let process = Process { name: name.clone(), how: *how, ended: None };
                self.processes.insert(*pid, process);
                self.running.entry(name.clone()).or_default().insert(*pid);
            }
            News::Ended { pid, why, .. } => self.end(now, *pid, *why),
            News::Joined { group, pid, meta } => {
                self.joined.entry(*pid).or_default().insert(group.clone(), meta.clone());
            }
            News::Left { group, pid } => {
                if let Some(groups) = self.joined.get_mut(pid) {
                    groups.remove(group);
                }
            }
            News::Log(Event::Changed { name, .. }) if !self.names.contains(name) => {
                self.names.insert(name.clone());
            }
            _ => {}
        }
    }

    pub(crate) fn act(&mut self, now: Instant, action: &Action) {
        match action {
            Action::Crash(addr) | Action::Stop(addr) => {
                let Some(life) = self.lives.remove(addr) else { return };
                let of_it = Pid::new(life.boot, 0)..=Pid::new(life.boot, u64::MAX);
                let pids: Vec<Pid> = self.processes.range(of_it).map(|(pid, _)| *pid).collect();
                pids.into_iter().for_each(|pid| self.end(now, pid, End::Node));
            }
            Action::Heal => self.calm_since = Some(now),
            // It comes with every heal.
            Action::Network(faults) if self.calm_since.is_some() => {
                if **faults != swarm_sim::Faults::calm() {
                    self.calm_since = None;
                }
            }
            Action::Start(_) => {}
            _ => self.calm_since = None,
        }
    }

    fn end(&mut self, now: Instant, pid: Pid, why: End) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        process.ended.get_or_insert((now, why));
        if let Some(running) = self.running.get_mut(&process.name) {
            running.remove(&pid);
        }
    }
}

/// Keeps the truth. It comes before the checkers, which ask it.
pub(crate) struct Witness(pub(crate) Shared);

impl Check<SimNode> for Witness {
    fn name(&self) -> &'static str {
        "events seen"
    }

    fn observe(
        &mut self,
        now: Instant,
        _: SocketAddr,
        news: &News,
        _: &Hosts,
    ) -> Result<(), Violation> {
        self.0.borrow_mut().observe(now, news);
        Ok(())
    }

    fn act(&mut self, now: Instant, action: &Action) {
        self.0.borrow_mut().act(now, action);
    }

    fn judged(&self) -> u64 {
        self.0.borrow().processes.len() as u64
    }
}
