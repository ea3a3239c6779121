//! Views converge: in the end every node lists the same members, which are those that run, has
//! agreed with all of them on the ring, and says the same of every name and group.

use super::present;
use crate::world::host::SimNode;
use crate::world::truth::Hosts;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use swarm_base::{Instant, Name, NodeId, Pid};
use swarm_sim::{Check, Violation};

pub(super) const NAME: &str = "views converge";

#[derive(Debug, Default)]
pub(crate) struct Views {
    judged: u64,
}

impl Check<SimNode> for Views {
    fn name(&self) -> &'static str {
        NAME
    }

    fn finish(&mut self, now: Instant, hosts: &Hosts) -> Result<(), Violation> {
        self.judged += present(hosts).map(|(_, host)| 1 + names(host).len() as u64).sum::<u64>();
        lack(hosts).map_or(Ok(()), |lack| Err(Violation::new(self.name(), now, lack)))
    }

    fn judged(&self) -> u64 {
        self.judged
    }
}

pub(super) fn lack(hosts: &Hosts) -> Option<String> {
    let running: BTreeSet<&NodeId> = present(hosts).map(|(_, host)| host.id()).collect();
    for (addr, host) in present(hosts) {
        let members = members(host);
        if members != running {
            return Some(format!("{addr} lists {members:?}, and {running:?} run"));
        }
        let gauges = host.gauges();
        if gauges.disagreeing > 0 {
            return Some(format!("{addr} waits for {} to agree", gauges.disagreeing));
        }
    }
    let mut all = present(hosts);
    let first = all.next()?;
    all.find_map(|other| differ(first, other))
}

/// In what two nodes differ.
fn differ(one: (&SocketAddr, &SimNode), two: (&SocketAddr, &SimNode)) -> Option<String> {
    let (ones, twos) = (names(one.1), names(two.1));
    let mut known = ones.keys().chain(twos.keys());
    if let Some(name) = known.find(|name| ones.get(*name) != twos.get(*name)) {
        let (has, other) = (ones.get(name), twos.get(name));
        return Some(format!("{} says {has:?} of {name}, {} says {other:?}", one.0, two.0));
    }
    let (ones, twos) = (groups(one.1), groups(two.1));
    let mut known = ones.keys().chain(twos.keys());
    let group = known.find(|group| ones.get(*group) != twos.get(*group))?;
    let (has, other) = (ones.get(group), twos.get(group));
    Some(format!("{} has {has:?} in {group}, {} has {other:?}", one.0, two.0))
}

pub(super) fn names(host: &SimNode) -> BTreeMap<Name, Pid> {
    host.names().names().map(|(name, found)| (name, found.pid)).collect()
}

fn groups(host: &SimNode) -> BTreeMap<Name, BTreeSet<Pid>> {
    let members = |group: &Name| -> BTreeSet<Pid> {
        host.groups().members(group.as_bytes()).map(|(pid, _)| pid).collect()
    };
    host.groups().iter().map(|(group, _)| (group.clone(), members(group))).collect()
}

fn members(host: &SimNode) -> BTreeSet<&NodeId> {
    let live = host.node().swim().members().filter(|member| member.is_live());
    live.map(|member| &member.id).chain([host.id()]).collect()
}
