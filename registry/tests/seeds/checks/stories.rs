//! What a node tells of a name or a group follows what it told before, and the tables that
//! readers see say the same (part of G1).

use crate::host::SimNode;
use crate::news::News;
use crate::truth::Hosts;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use swarm_base::{Instant, Name, NodeId, Pid};
use swarm_registry::{Bytes, Event};
use swarm_sim::{Check, Violation};

/// The tables of each life as its events make them.
#[derive(Default)]
pub(crate) struct Stories {
    told: BTreeMap<NodeId, Tables>,
    n_judged: u64,
}

#[derive(Default)]
struct Tables {
    names: BTreeMap<Name, Pid>,
    groups: BTreeMap<(Name, Pid), Bytes>,
}

impl Stories {
    pub(super) fn judge(&mut self, life: &NodeId, event: &Event) -> Result<(), String> {
        self.n_judged += 1;
        let Tables { names, groups } = self.told.entry(life.clone()).or_default();
        match event {
            Event::Changed { name, was, now, .. } => {
                let before = match now {
                    Some(pid) => names.insert(name.clone(), *pid),
                    None => names.remove(name),
                };
                let follows = before == *was;
                follows.then_some(()).ok_or_else(|| format!("{name} was {before:?}, not {was:?}"))
            }
            Event::Joined { group, pid, node, .. } if pid.boot != node.boot => {
                Err(format!("{pid} of {node:?} is in {group}"))
            }
            Event::Joined { group, pid, meta, .. } => {
                groups.insert((group.clone(), *pid), meta.clone());
                Ok(())
            }
            Event::Left { group, pid, .. } => {
                let before = groups.remove(&(group.clone(), *pid));
                before.map(drop).ok_or_else(|| format!("{pid} was not in {group}, which it left"))
            }
            Event::Conflict { .. }
            | Event::Applied { .. }
            | Event::RolledBack { .. }
            | Event::Slowed { .. } => Ok(()),
        }
    }

    fn differ(&self, host: &SimNode) -> Option<String> {
        let member = host.member();
        let told = self.told.get(member.me());
        let names: BTreeMap<Name, Pid> =
            member.names.names().map(|(name, found)| (name, found.pid)).collect();
        let n_names = member.names.count();
        let of_group = |(group, len): (Name, usize)| {
            let members = member.groups.members_with_meta(group.as_bytes());
            assert_eq!(members.len(), len, "a group has as many members as it lists");
            members.into_iter().map(move |(pid, meta)| ((group.clone(), pid), meta))
        };
        let groups: BTreeMap<_, _> = member.groups.groups().flat_map(of_group).collect();
        let none = Tables::default();
        let told = told.unwrap_or(&none);
        let is_same = names == told.names && groups == told.groups && n_names == names.len();
        (!is_same).then(|| format!("{:?} tells otherwise than its tables", member.me()))
    }
}

impl Check<SimNode> for Stories {
    fn name(&self) -> &'static str {
        "G1: what is told makes sense as a story"
    }

    fn observe(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        news: &News,
        hosts: &Hosts,
    ) -> Result<(), Violation> {
        let (News::Log(event), Some(host)) = (news, hosts.get(&addr)) else { return Ok(()) };
        self.judge(host.member().me(), event)
            .map_err(|sentence| Violation::new(self.name(), now, format!("{addr}: {sentence}")))
    }

    fn finish(&mut self, now: Instant, hosts: &Hosts) -> Result<(), Violation> {
        let differs = hosts.values().find_map(|host| self.differ(host));
        differs.map_or(Ok(()), |sentence| Err(Violation::new(self.name(), now, sentence)))
    }

    fn judged(&self) -> u64 {
        self.n_judged
    }
}
