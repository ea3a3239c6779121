//! G2, at most one owner: in the end one process for each name, which all views say.

use crate::host::SimNode;
use crate::news::{How, News};
use crate::scenario::Kind;
use crate::truth::{Hosts, Shared, Truth};
use std::net::SocketAddr;
use swarm_base::{Instant, Pid};
use swarm_registry::{At, Resolution};
use swarm_sim::{Check, Violation};

/// Where nobody who lives is taken for dead, a name never runs twice, not for a moment.
pub(crate) struct Owners {
    truth: Shared,
    kind: Kind,
    n_judged: u64,
}

impl Owners {
    pub(crate) const fn new(truth: Shared, kind: Kind) -> Self {
        Self { truth, kind, n_judged: 0 }
    }
}

impl Check<SimNode> for Owners {
    fn name(&self) -> &'static str {
        "G2: one owner at most"
    }

    fn observe(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        news: &News,
        _: &Hosts,
    ) -> Result<(), Violation> {
        let News::Began { name, pid, how } = news else { return Ok(()) };
        // Names by pid are nobody's to grant.
        if self.kind != Kind::Deaths || *how == How::ByPid {
            return Ok(());
        }
        self.n_judged += 1;
        let truth = self.truth.borrow();
        let mut others = truth.running(name).filter(|other| other != pid);
        match others.find(|other| *how != How::Moved(*other)) {
            None => Ok(()),
            Some(other) => {
                let sentence = format!("{name} began as {pid} at {addr} ({how:?}) beside {other}");
                Err(Violation::new(self.name(), now, sentence))
            }
        }
    }

    fn finish(&mut self, now: Instant, hosts: &Hosts) -> Result<(), Violation> {
        let truth = self.truth.borrow();
        self.n_judged += truth.names.len() as u64;
        let lack = lack(&truth, hosts);
        lack.map_or(Ok(()), |sentence| Err(Violation::new(self.name(), now, sentence)))
    }

    fn judged(&self) -> u64 {
        self.n_judged
    }
}

pub(super) fn lack(truth: &Truth, hosts: &Hosts) -> Option<String> {
    for name in &truth.names {
        let running: Vec<Pid> = truth.running(name).collect();
        if running.len() > 1 {
            return Some(format!("{name} runs as {running:?}"));
        }
        for (addr, host) in hosts {
            let member = host.member();
            let says = member.names.whereis(name.as_bytes());
            if says != running.first().copied() {
                return Some(format!("{addr} says {says:?} of {name}, and {running:?} runs"));
            }
            let is_settled = match member.registry.resolve(name) {
                Resolution::Free => running.is_empty(),
                Resolution::Held { claim, .. } => matches!(claim.at, At::Running(_)),
                Resolution::Orphan { .. } | Resolution::Pending { .. } => false,
            };
            if !is_settled {
                let resolved = member.registry.resolve(name);
                return Some(format!("{name} is not settled at {addr}: {resolved:?}"));
            }
        }
    }
    None
}
