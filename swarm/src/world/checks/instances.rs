//! At most one process for each name, while no live node was held dead and all agree; and in the
//! end exactly the one that every view says.

use super::present;
use super::survival::is_served;
use crate::world::host::SimNode;
use crate::world::news::News;
use crate::world::processes::{Phase, Stub};
use crate::world::truth::{Hosts, Shared, Status, Truth};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use swarm_base::{Instant, Name, Pid};
use swarm_registry::{At, Resolution};
use swarm_sim::{Check, Violation};

pub(super) const EXACTLY_ONE: &str = "the process that all views say, and no other";

#[derive(Debug)]
pub(crate) struct AtMostOne {
    truth: Shared,
    judged: u64,
}

impl AtMostOne {
    pub(crate) const fn new(truth: Shared) -> Self {
        Self { truth, judged: 0 }
    }
}

impl Check<SimNode> for AtMostOne {
    fn name(&self) -> &'static str {
        "at most one process of a name"
    }

    fn observe(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        event: &News,
        _: &Hosts,
    ) -> Result<(), Violation> {
        let News::Began { name, pid, how, .. } = event else { return Ok(()) };
        let truth = self.truth.borrow();
        let is_excused = truth.split.is_some() && truth.want.is_none();
        if is_excused || truth.status(name) == Status::Retired {
            return Ok(());
        }
        self.judged += 1;
        match truth.instances(name).find(|(other, _)| *other != pid) {
            Some((other, at)) => {
                let sentence =
                    format!("{name} began as {pid} at {addr} ({how:?}) beside {other} at {at}");
                Err(Violation::new(self.name(), now, sentence))
            }
            None => Ok(()),
        }
    }

    fn judged(&self) -> u64 {
        self.judged
    }
}

#[derive(Debug)]
pub(crate) struct ExactlyOne {
    truth: Shared,
    judged: u64,
}

impl ExactlyOne {
    pub(crate) const fn new(truth: Shared) -> Self {
        Self { truth, judged: 0 }
    }
}

impl Check<SimNode> for ExactlyOne {
    fn name(&self) -> &'static str {
        EXACTLY_ONE
    }

    fn finish(&mut self, now: Instant, hosts: &Hosts) -> Result<(), Violation> {
        let truth = self.truth.borrow();
        self.judged += truth.names.len() as u64;
        lack(&truth, hosts).map_or(Ok(()), |lack| Err(Violation::new(self.name(), now, lack)))
    }

    fn judged(&self) -> u64 {
        self.judged
    }
}

pub(super) fn lack(truth: &Truth, hosts: &Hosts) -> Option<String> {
    let (_, host) = present(hosts).next()?;
    for (name, book) in &truth.names {
        let said = host.names().whereis(name.as_bytes());
        if book.status == Status::Retired {
            continue;
        }
        if book.status == Status::Fixed {
            // It lives on without its name, where another one won.
            if said.is_some_and(|pid| !runs(hosts, pid)) {
                return Some(format!("all say {said:?} of {name}, which is no more"));
            }
            continue;
        }
        let running = running(hosts, name);
        let unsettled =
            present(hosts).find(|(_, host)| !match host.node().registry().resolve(name) {
                Resolution::Free => true,
                Resolution::Held { claim, .. } => matches!(claim.at, At::Running(_)),
                Resolution::Orphan { .. } => !is_served(hosts, name),
                Resolution::Pending { .. } => false,
            });
        if let Some((addr, host)) = unsettled {
            let says = host.node().registry().resolve(name);
            return Some(format!("{name} is not settled: {addr} says {says:?}"));
        }
        if running != said.into_iter().collect() {
            return Some(format!("all say {said:?} of {name}, and {running:?} run"));
        }
    }
    None
}

/// The processes of `name`, as they really are.
pub(super) fn running(hosts: &Hosts, name: &Name) -> BTreeSet<Pid> {
    let pids = |host: &SimNode| {
        let boot = host.id().boot;
        let runs = |stub: &Stub| matches!(stub.phase, Phase::Running | Phase::Frozen);
        let stubs = host.processes().iter();
        let stubs = stubs.filter(|(_, stub)| stub.name.as_ref() == Some(name) && runs(stub));
        stubs.map(|(serial, _)| Pid::new(boot, serial)).collect::<Vec<_>>()
    };
    hosts.values().flat_map(pids).collect()
}

fn runs(hosts: &Hosts, pid: Pid) -> bool {
    hosts.values().any(|host| {
        host.id().boot == pid.boot
            && host.processes().iter().any(|(serial, _)| serial == pid.serial)
    })
}
