//! G5, session order: who is told that a name is registered finds it, here and at its owner.

use crate::host::SimNode;
use crate::member::Member;
use crate::news::{Answer, Grant, News};
use crate::truth::{Hosts, Shared};
use std::net::SocketAddr;
use swarm_base::Instant;
use swarm_sim::{Check, Violation};

pub(crate) struct Grants {
    truth: Shared,
    n_judged: u64,
}

impl Grants {
    pub(crate) const fn new(truth: Shared) -> Self {
        Self { truth, n_judged: 0 }
    }

    /// Whether `member` says of a name what its grant says, or knows of a later claim.
    fn is_seen(member: &Member, grant: &Grant) -> bool {
        member.names.whereis(grant.name.as_bytes()) == Some(grant.pid)
            || member.registry.highest(&grant.name) > Some(grant.token)
    }
}

impl Check<SimNode> for Grants {
    fn name(&self) -> &'static str {
        "G5: what was granted is found"
    }

    fn observe(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        news: &News,
        hosts: &Hosts,
    ) -> Result<(), Violation> {
        let News::Answered { answer: Answer::Registered(grant), .. } = news else { return Ok(()) };
        // What happened to the process since may be known here too.
        if !self.truth.borrow().is_alive(grant.pid) {
            return Ok(());
        }
        let holds_alive = |member: &Member| member.agreement.ring().contains(&grant.log);
        let callers = hosts.get(&addr).map(SimNode::member).filter(|member| holds_alive(member));
        let owners = hosts.values().map(SimNode::member);
        let owners = owners.filter(|member| *member.me() == grant.log);
        for member in callers.into_iter().chain(owners) {
            self.n_judged += 1;
            if !Self::is_seen(member, grant) {
                let sentence = format!("{addr} was told {grant:?}, and {:?} differs", member.me());
                return Err(Violation::new(self.name(), now, sentence));
            }
        }
        Ok(())
    }

    fn judged(&self) -> u64 {
        self.n_judged
    }
}
