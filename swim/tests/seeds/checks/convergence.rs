//! M6, convergence: when nothing is wrong any more, all hold the same.

use super::Hosts;
use std::collections::BTreeMap;
use swarm_base::Instant;
use swarm_sim::{Check, Violation};
use swarm_swim::{Member, State};

/// At the end of every run each node holds exactly those who run, alive, with what they say of
/// themselves. That it comes so far within a bounded time is asked of the run itself.
#[derive(Default)]
pub(crate) struct Convergence {
    n_judged: u64,
}

impl Check<crate::node::Node> for Convergence {
    fn name(&self) -> &'static str {
        "M6: all views become equal"
    }

    fn finish(&mut self, now: Instant, hosts: &Hosts) -> Result<(), Violation> {
        self.n_judged += hosts.len() as u64;
        match disagreement(hosts) {
            None => Ok(()),
            Some(sentence) => Err(Violation::new(self.name(), now, sentence)),
        }
    }

    fn judged(&self) -> u64 {
        self.n_judged
    }
}

/// Who holds something else than the truth.
pub(crate) fn disagreement(hosts: &Hosts) -> Option<String> {
    let running = || hosts.iter().filter(|(_, node)| !node.has_left());
    // First what costs little: this is asked often.
    let (_, first) = running().next()?;
    let n_running = running().count();
    let differs = running().find(|(_, n)| n.digest() != first.digest() || n.n_live() != n_running);
    if let Some((addr, node)) = differs {
        return Some(format!("{addr} holds {:#?}, and {n_running} run", node.live()));
    }
    let truth: BTreeMap<_, &Member> = running().map(|(_, node)| (node.id(), node.own())).collect();
    let other = running().find(|(_, node)| node.live() != truth);
    if let Some((addr, node)) = other {
        return Some(format!("{addr} holds {:#?}, the truth is {truth:#?}", node.live()));
    }
    let suspect = truth.values().find(|member| member.state != State::Alive);
    suspect.map(|member| format!("{member:?} is not alive to itself"))
}
