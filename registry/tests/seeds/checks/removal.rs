//! G6, causality: whoever has read that a claim was stopped never shows that claim again, and of
//! a free name nothing is left in the end.

use super::reading::Reading;
use crate::host::SimNode;
use crate::member::Member;
use crate::news::{End, News};
use crate::truth::{Hosts, Shared, Truth};
use std::net::SocketAddr;
use swarm_base::{Instant, Name, Pid};
use swarm_registry::{Event, Resolution};
use swarm_sim::{Check, Violation};

pub(crate) struct Removal {
    truth: Shared,
    /// Of those who were stopped.
    reading: Reading,
    n_judged: u64,
}

impl Removal {
    pub(crate) fn new(truth: Shared) -> Self {
        Self { truth, reading: Reading::default(), n_judged: 0 }
    }

    /// `member` shows the claim of a process, or would start the name from it.
    fn shows(&mut self, member: &Member, name: &Name, pid: Pid) -> Result<(), String> {
        self.n_judged += 1;
        match self.reading.has_read(member, pid) {
            true => Err(format!("shows {name} as {pid}, of whose stop it has read")),
            false => Ok(()),
        }
    }
}

impl Check<SimNode> for Removal {
    fn name(&self) -> &'static str {
        "G6: what was removed does not come back"
    }

    fn observe(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        news: &News,
        hosts: &Hosts,
    ) -> Result<(), Violation> {
        let Some(member) = hosts.get(&addr).map(SimNode::member) else { return Ok(()) };
        self.reading.observe(member, news);
        let (name, pid) = match news {
            News::Ended { pid, position, why: End::Stopped, .. } => {
                self.reading.written(member.me(), *position, *pid);
                return Ok(());
            }
            News::Log(Event::Changed { name, now: Some(pid), .. }) => (name, *pid),
            News::Log(Event::Changed { name, .. }) => match member.registry.resolve(name) {
                Resolution::Orphan { claim, .. } => match claim.pid() {
                    Some(pid) => (name, pid),
                    None => return Ok(()),
                },
                _ => return Ok(()),
            },
            _ => return Ok(()),
        };
        self.shows(member, name, pid)
            .map_err(|sentence| Violation::new(self.name(), now, format!("{addr} {sentence}")))
    }

    fn step(&mut self, _: Instant, addr: SocketAddr, hosts: &Hosts) -> Result<(), Violation> {
        if let Some(host) = hosts.get(&addr) {
            self.reading.step(host.member());
        }
        Ok(())
    }

    fn finish(&mut self, now: Instant, hosts: &Hosts) -> Result<(), Violation> {
        let lack = lack(&self.truth.borrow(), hosts);
        lack.map_or(Ok(()), |sentence| Err(Violation::new(self.name(), now, sentence)))
    }

    fn judged(&self) -> u64 {
        self.n_judged
    }
}

/// Tombstones and pointers are let go of once nothing is left that they keep down.
pub(super) fn lack(truth: &Truth, hosts: &Hosts) -> Option<String> {
    let mut free = truth.names.iter().filter(|name| truth.running(name).next().is_none());
    free.find_map(|name| {
        let left = hosts
            .iter()
            .find_map(|(addr, host)| Some((addr, host.member().registry.highest(name)?)));
        left.map(|(addr, token)| format!("{addr} keeps {token:?} of {name}, which is free"))
    })
}
