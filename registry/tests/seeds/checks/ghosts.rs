//! G4, no ghost: who ended has no name any more, soon and for ever.

use super::ends::{Ends, is_ghost};
use crate::host::SimNode;
use crate::member::Member;
use crate::news::News;
use crate::scenario::Kind;
use crate::truth::{Hosts, Shared};
use std::net::SocketAddr;
use swarm_base::{Instant, Pid};
use swarm_registry::Event;
use swarm_sim::{Check, Violation};

pub(crate) struct Ghosts {
    truth: Shared,
    ends: Ends,
    n_judged: u64,
}

impl Ghosts {
    pub(crate) fn new(truth: Shared, kind: Kind) -> Self {
        Self { truth, ends: Ends::new(kind), n_judged: 0 }
    }
}

impl Check<SimNode> for Ghosts {
    fn name(&self) -> &'static str {
        "G4: no name of the dead"
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
        let News::Log(Event::Changed { name, was, now: Some(pid), .. }) = news else {
            return Ok(());
        };
        // Otherwise it is not shown anew: its node may just be about to be told dead.
        if *was == Some(*pid) {
            return Ok(());
        }
        self.n_judged += 1;
        self.ends.may_show(member, *pid).map_err(|sentence| {
            Violation::new(self.name(), now, format!("{addr} {sentence}, as {name}"))
        })
    }

    fn step(&mut self, now: Instant, addr: SocketAddr, hosts: &Hosts) -> Result<(), Violation> {
        if let Some(host) = hosts.get(&addr) {
            self.ends.step(host.member());
        }
        let is_shown =
            |member: &Member, pid: Pid| member.names.names().any(|(_, found)| found.pid == pid);
        match self.ends.late(now, hosts, is_shown) {
            None => Ok(()),
            Some((addr, pid)) => {
                let sentence = format!("{addr} had a name for {pid} a second after its end");
                Err(Violation::new(self.name(), now, sentence))
            }
        }
    }

    fn finish(&mut self, now: Instant, hosts: &Hosts) -> Result<(), Violation> {
        let truth = self.truth.borrow();
        for (addr, host) in hosts {
            let mut shown = host.member().names.names();
            if let Some((name, found)) = shown.find(|(_, found)| is_ghost(&truth, found.pid)) {
                let sentence = format!("{addr} says {} of {name}, which is no more", found.pid);
                return Err(Violation::new(self.name(), now, sentence));
            }
        }
        Ok(())
    }

    fn judged(&self) -> u64 {
        self.n_judged + self.ends.n_due()
    }
}
