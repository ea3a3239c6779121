//! P2, exits: who ended is in no group any more, soon and for ever.

use super::ends::{Ends, is_ghost};
use crate::host::SimNode;
use crate::member::Member;
use crate::news::News;
use crate::scenario::Kind;
use crate::truth::{Hosts, Shared};
use std::net::SocketAddr;
use swarm_base::{Instant, Name, Pid};
use swarm_registry::Event;
use swarm_sim::{Check, Violation};

pub(crate) struct Exits {
    truth: Shared,
    ends: Ends,
    n_judged: u64,
}

impl Exits {
    pub(crate) fn new(truth: Shared, kind: Kind) -> Self {
        Self { truth, ends: Ends::new(kind), n_judged: 0 }
    }
}

impl Check<SimNode> for Exits {
    fn name(&self) -> &'static str {
        "P2: the dead are in no group"
    }

    fn observe(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        news: &News,
        hosts: &Hosts,
    ) -> Result<(), Violation> {
        let Some(member) = hosts.get(&addr).map(SimNode::member) else { return Ok(()) };
        self.ends.observe(now, member, news, hosts);
        let News::Log(Event::Joined { group, pid, .. }) = news else { return Ok(()) };
        self.n_judged += 1;
        self.ends.may_show(member, *pid).map_err(|sentence| {
            Violation::new(self.name(), now, format!("{addr} {sentence}, in {group}"))
        })
    }

    fn step(&mut self, now: Instant, addr: SocketAddr, hosts: &Hosts) -> Result<(), Violation> {
        if let Some(host) = hosts.get(&addr) {
            self.ends.step(host.member());
        }
        let is_member = |member: &Member, pid: Pid| group_with(member, |of| of == pid).is_some();
        match self.ends.late(now, hosts, is_member) {
            None => Ok(()),
            Some((addr, pid)) => {
                let sentence = format!("{addr} had {pid} in a group a second after its end");
                Err(Violation::new(self.name(), now, sentence))
            }
        }
    }

    fn finish(&mut self, now: Instant, hosts: &Hosts) -> Result<(), Violation> {
        let truth = self.truth.borrow();
        for (addr, host) in hosts {
            if let Some(group) = group_with(host.member(), |pid| is_ghost(&truth, pid)) {
                let sentence = format!("{addr} has somebody in {group} who is no more");
                return Err(Violation::new(self.name(), now, sentence));
            }
        }
        Ok(())
    }

    fn judged(&self) -> u64 {
        self.n_judged + self.ends.n_due()
    }
}

/// A group with such a member.
fn group_with(member: &Member, is_such: impl Fn(Pid) -> bool) -> Option<Name> {
    let groups = &member.groups;
    let has = |group: &Name| groups.members(group.as_bytes()).into_iter().any(&is_such);
    groups.groups().map(|(group, _)| group).find(has)
}
