//! A name that waited for the quorum runs again when the quorum is back: none is forgotten
//! (reliability Q5).

use super::present;
use super::survival::nobody_serves;
use crate::Event as Public;
use crate::world::host::SimNode;
use crate::world::news::News;
use crate::world::truth::{Hosts, Shared, Status, Truth};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use swarm_base::{Instant, Name};
use swarm_registry::{At, Resolution};
use swarm_sim::{Action, Check, Violation};

pub(crate) const NAME: &str = "what waited for the quorum runs again";

/// The names that wait for the quorum, and where.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// The nodes that have said that there are too few of them, and for which scope.
    below: BTreeSet<(SocketAddr, Option<String>)>,
    names: BTreeMap<Name, SocketAddr>,
    /// How many have waited and run again.
    over: u64,
}

impl Waiting {
    /// Whether a node has said that there are too few nodes.
    pub(crate) fn is_below(&self, addr: SocketAddr) -> bool {
        self.below.iter().any(|(of, _)| *of == addr)
    }

    pub(crate) fn observe(&mut self, addr: SocketAddr, event: &News) {
        match event {
            News::Public(Public::QuorumLost { scope, .. }) => {
                self.below.insert((addr, scope.clone()));
            }
            News::Public(Public::QuorumRegained { scope }) => {
                self.below.remove(&(addr, scope.clone()));
            }
            News::Ended { name: Some(name), .. }
                if self.below.contains(&(addr, name.scope().map(str::to_owned))) =>
            {
                self.names.insert(name.clone(), addr);
            }
            News::Began { name, .. } => {
                self.over += u64::from(self.names.remove(name).is_some());
            }
            _ => (),
        }
    }

    pub(crate) fn act(&mut self, action: &Action) {
        if let Action::Start(addr) | Action::Crash(addr) | Action::Stop(addr) = action {
            self.below.retain(|(of, _)| of != addr);
        }
    }
}

#[derive(Debug)]
pub(crate) struct Waited {
    truth: Shared,
}

impl Waited {
    pub(crate) const fn new(truth: Shared) -> Self {
        Self { truth }
    }
}

impl Check<SimNode> for Waited {
    fn name(&self) -> &'static str {
        NAME
    }

    fn finish(&mut self, now: Instant, hosts: &Hosts) -> Result<(), Violation> {
        let lack = lack(&self.truth.borrow(), hosts);
        lack.map_or(Ok(()), |lack| Err(Violation::new(NAME, now, lack)))
    }

    fn judged(&self) -> u64 {
        self.truth.borrow().waiting.over
    }
}

pub(super) fn lack(truth: &Truth, hosts: &Hosts) -> Option<String> {
    // Where clients cannot know whether it is registered, the nodes do.
    let is_due = |name: &Name| {
        let book = truth.names.get(name);
        book.filter(|book| !book.is_busy).is_some_and(|book| match book.status {
            Status::Taken => !book.is_blocked,
            Status::Unknown => waits(hosts, name),
            Status::Free | Status::Fixed | Status::Retired => false,
        })
    };
    let due = truth.waiting.names.iter().filter(|(name, _)| is_due(name));
    let may_run = |name: &Name| !nobody_serves(present(hosts).map(|(_, host)| host), name);
    let (name, addr) = due.into_iter().find(|(name, _)| may_run(name))?;
    Some(format!("{name} waited for the quorum at {addr}, and has not run since"))
}

/// Whether the nodes keep the name, without a process.
fn waits(hosts: &Hosts, name: &Name) -> bool {
    let is_waiting = |host: &SimNode| {
        let found = host.node().registry().resolve(name);
        matches!(found, Resolution::Held { claim, .. } if claim.at == At::Waiting)
    };
    present(hosts).any(|(_, host)| is_waiting(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::checks::history::{History, ms};

    /// A node has a process, and loses the quorum for a while.
    fn waited() -> History<Waited> {
        let mut history = History::new(2, Waited::new);
        history.start(3);
        history.registered(3, "x");
        history.at(ms(10_000));
        history.loses_quorum(3);
        history.at(ms(11_000));
        history.ends(3, "x");
        history.at(ms(20_000));
        history.regains_quorum(3);
        history
    }

    #[test]
    fn a_name_that_runs_again_is_right() {
        let mut history = waited();
        history.at(ms(25_000));
        history.begins(1, "x");
        history.finish();
        assert_eq!((history.verdict(), history.check.judged()), (None, 1));
    }

    #[test]
    fn a_name_that_is_forgotten_is_noticed() {
        let mut history = waited();
        history.at(ms(60_000));
        history.finish();
        assert_eq!(history.verdict(), Some(NAME));
    }

    #[test]
    fn a_name_that_was_stopped_while_it_waited_need_not_run() {
        let mut history = waited();
        history.stopped(3, "x");
        history.finish();
        assert_eq!(history.verdict(), None);
    }
}
