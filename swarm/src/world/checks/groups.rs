//! The members of a group are the live processes that joined it last, on every node.

use super::{instances, present};
use crate::world::host::SimNode;
use crate::world::truth::{Hosts, Membership, Shared, Status, Truth, is_member};
use std::collections::BTreeSet;
use swarm_base::{Instant, Name, Pid};
use swarm_sim::{Check, Violation};

pub(super) const NAME: &str = "the members of a group are its live joiners";

#[derive(Debug)]
pub(crate) struct Groups {
    truth: Shared,
    judged: u64,
}

impl Groups {
    pub(crate) const fn new(truth: Shared) -> Self {
        Self { truth, judged: 0 }
    }
}

impl Check<SimNode> for Groups {
    fn name(&self) -> &'static str {
        NAME
    }

    fn finish(&mut self, now: Instant, hosts: &Hosts) -> Result<(), Violation> {
        let truth = self.truth.borrow();
        let known = truth.memberships.values().filter(|is| **is != Membership::Unknown);
        self.judged += known.count() as u64;
        lack(&truth, hosts).map_or(Ok(()), |lack| Err(Violation::new(self.name(), now, lack)))
    }

    fn judged(&self) -> u64 {
        self.judged
    }
}

pub(super) fn lack(truth: &Truth, hosts: &Hosts) -> Option<String> {
    let alive = alive(hosts);
    for (addr, host) in present(hosts) {
        for (group, _) in host.groups().iter() {
            let mut members = host.groups().members(group.as_bytes());
            if let Some((dead, _)) = members.find(|(pid, _)| !alive.contains(pid)) {
                return Some(format!("{addr} has {dead} in {group}, which is no more"));
            }
        }
        let wrong = truth.memberships.iter().find_map(|((name, group), membership)| {
            wrong(truth, hosts, host, name, group, *membership)
        });
        if let Some(wrong) = wrong {
            return Some(format!("{addr}: {wrong}"));
        }
    }
    None
}

fn wrong(
    truth: &Truth,
    hosts: &Hosts,
    host: &SimNode,
    name: &Name,
    group: &Name,
    membership: Membership,
) -> Option<String> {
    let joined = match membership {
        Membership::Unknown => return None,
        Membership::In(_) | Membership::InSince => true,
        Membership::Out => false,
    };
    let is_judged = truth.status(name) == Status::Taken;
    let pid = instances::running(hosts, name).into_iter().next().filter(|_| is_judged)?;
    let is_in = is_member(host, group, pid);
    let verb = if joined { "joined" } else { "left" };
    (is_in != joined).then(|| format!("{name}, {pid}, {verb} {group}, and it says otherwise"))
}

fn alive(hosts: &Hosts) -> BTreeSet<Pid> {
    let pids = |host: &SimNode| {
        let boot = host.id().boot;
        host.processes().iter().map(move |(serial, _)| Pid::new(boot, serial)).collect::<Vec<_>>()
    };
    hosts.values().flat_map(pids).collect()
}
