//! P4, moves: a process is in its groups, with its metadata, wherever it goes on.

use crate::host::SimNode;
use crate::member::Member;
use crate::news::{End, How, News};
use crate::truth::{Hosts, Shared, Truth};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use swarm_base::{Instant, Name, Pid};
use swarm_registry::Bytes;
use swarm_sim::{Check, Violation};

pub(crate) struct Moves {
    truth: Shared,
    n_judged: u64,
}

impl Moves {
    pub(crate) const fn new(truth: Shared) -> Self {
        Self { truth, n_judged: 0 }
    }
}

impl Check<SimNode> for Moves {
    fn name(&self) -> &'static str {
        "P4: groups survive a move"
    }

    fn observe(
        &mut self,
        now: Instant,
        _: SocketAddr,
        news: &News,
        hosts: &Hosts,
    ) -> Result<(), Violation> {
        let News::Ended { name, pid, why: End::Moved, .. } = news else { return Ok(()) };
        let truth = self.truth.borrow();
        let after = truth.processes.iter().find(|(_, process)| process.how == How::Moved(*pid));
        let Some((after, _)) = after else {
            let sentence = format!("{name} was moved away as {pid}, and is nowhere");
            return Err(Violation::new(self.name(), now, sentence));
        };
        self.n_judged += truth.joined.get(pid).map_or(0, |groups| groups.len() as u64);
        let lack = lack(&truth, hosts, *pid, *after);
        lack.map_or(Ok(()), |sentence| Err(Violation::new(self.name(), now, sentence)))
    }

    fn judged(&self) -> u64 {
        self.n_judged
    }
}

/// How the groups of a process differ from those that it had elsewhere.
fn lack(truth: &Truth, hosts: &Hosts, before: Pid, after: Pid) -> Option<String> {
    let members = hosts.values().map(SimNode::member);
    let member: &Member = members.into_iter().find(|member| member.me().boot == after.boot)?;
    let had = truth.joined.get(&before).cloned().unwrap_or_default();
    let has: BTreeMap<Name, Bytes> = member.registry.memberships(member.me(), after).collect();
    (had != has).then(|| format!("{before} had {had:?}, and is {after} with {has:?}"))
}
