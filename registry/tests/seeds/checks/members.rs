//! P1, members: in the end a group has those who live and joined it last, on every node.

use crate::host::SimNode;
use crate::truth::{Hosts, Shared, Truth};
use std::collections::BTreeMap;
use swarm_base::{Instant, Name, Pid};
use swarm_registry::Bytes;
use swarm_sim::{Check, Violation};

pub(crate) struct Members {
    truth: Shared,
    n_judged: u64,
}

impl Members {
    pub(crate) const fn new(truth: Shared) -> Self {
        Self { truth, n_judged: 0 }
    }
}

impl Check<SimNode> for Members {
    fn name(&self) -> &'static str {
        "P1: members are who joined last"
    }

    fn finish(&mut self, now: Instant, hosts: &Hosts) -> Result<(), Violation> {
        let truth = self.truth.borrow();
        self.n_judged += truth.joined.len() as u64;
        let lack = lack(&truth, hosts);
        lack.map_or(Ok(()), |sentence| Err(Violation::new(self.name(), now, sentence)))
    }

    fn judged(&self) -> u64 {
        self.n_judged
    }
}

pub(super) fn lack(truth: &Truth, hosts: &Hosts) -> Option<String> {
    let mut right: BTreeMap<Name, Vec<(Pid, Bytes)>> = BTreeMap::new();
    let live = truth.joined.iter().filter(|(pid, _)| truth.is_alive(**pid));
    for (pid, groups) in live {
        for (group, meta) in groups {
            right.entry(group.clone()).or_default().push((*pid, meta.clone()));
        }
    }
    hosts.iter().find_map(|(addr, host)| {
        let groups = &host.member().groups;
        let listed = groups.groups();
        let listed = listed.map(|(group, _)| {
            let members = groups.members_with_meta(group.as_bytes());
            (group, members)
        });
        let listed: BTreeMap<Name, Vec<(Pid, Bytes)>> = listed.collect();
        (listed != right).then(|| format!("{addr} has {listed:?} in groups, and {right:?} joined"))
    })
}
