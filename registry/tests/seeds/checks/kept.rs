//! G3, no lost registration: who was told that a name is its own finds it everywhere in the end.

use crate::host::SimNode;
use crate::news::{Answer, Grant, News};
use crate::truth::{Hosts, Shared};
use std::net::SocketAddr;
use swarm_base::Instant;
use swarm_sim::{Check, Violation};

pub(crate) struct Kept {
    truth: Shared,
    grants: Vec<Grant>,
    n_judged: u64,
}

impl Kept {
    pub(crate) const fn new(truth: Shared) -> Self {
        Self { truth, grants: Vec::new(), n_judged: 0 }
    }
}

impl Check<SimNode> for Kept {
    fn name(&self) -> &'static str {
        "G3: no registration is lost"
    }

    fn observe(
        &mut self,
        _: Instant,
        _: SocketAddr,
        news: &News,
        _: &Hosts,
    ) -> Result<(), Violation> {
        if let News::Answered { answer: Answer::Registered(grant), .. } = news {
            self.grants.push(grant.clone());
        }
        Ok(())
    }

    /// Its process neither ended, nor was stopped, moved or outdone: then it has the name.
    fn finish(&mut self, now: Instant, hosts: &Hosts) -> Result<(), Violation> {
        let truth = self.truth.borrow();
        for Grant { name, pid, .. } in self.grants.iter().filter(|of| truth.is_alive(of.pid)) {
            self.n_judged += 1;
            for (addr, host) in hosts {
                let says = host.member().names.whereis(name.as_bytes());
                if says != Some(*pid) {
                    let sentence = format!("{name} was registered as {pid}, {addr} says {says:?}");
                    return Err(Violation::new(self.name(), now, sentence));
                }
            }
        }
        Ok(())
    }

    fn judged(&self) -> u64 {
        self.n_judged
    }
}
