//! M1, completeness: who dies is noticed by everybody, soon.

use super::Hosts;
use crate::sky::Sky;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use swarm_base::{Instant, NodeId};
use swarm_sim::{Action, Check, Violation};
use swarm_swim::{Config, Event};

/// Every node that runs when another dies, in a bearable network, holds it dead within two rounds
/// of probing and the longest suspicion.
#[derive(Default)]
pub(crate) struct Completeness {
    sky: Sky,
    /// Who runs, and since when.
    running: BTreeMap<SocketAddr, (NodeId, Instant)>,
    dead: Vec<(NodeId, Instant)>,
    /// How long each observer took.
    detections: Rc<RefCell<Vec<Duration>>>,
    n_judged: u64,
}

impl Completeness {
    pub(crate) fn new(detections: Rc<RefCell<Vec<Duration>>>) -> Self {
        Self { detections, ..Self::default() }
    }

    fn judge(&mut self, now: Instant, hosts: &Hosts) -> Result<(), Violation> {
        let Some(clear_since) = self.sky.clear_since(now) else { return Ok(()) };
        let due = self.dead.iter().position(|(_, died)| {
            let most = hosts.values().map(|node| bound(node.config(), node.n_live() + 1)).max();
            now.since((*died).max(clear_since)) > most.unwrap_or_default()
        });
        let Some((dead, died)) = due.map(|idx| self.dead.swap_remove(idx)) else { return Ok(()) };
        for (addr, node) in hosts {
            let is_old = self.running.get(addr).is_some_and(|(_, since)| *since <= died);
            if is_old && !node.has_left() && node.holds_live(&dead) {
                let sentence = format!("{addr} holds {dead:?} live, which died at {died}");
                return Err(Violation::new(self.name(), now, sentence));
            }
            self.n_judged += u64::from(is_old);
        }
        Ok(())
    }
}

/// How long it may take.
fn bound(config: &Config, n: usize) -> Duration {
    let rounds = config.probe_interval * (2 * n as u32 + 4);
    rounds + config.probe_interval * config.suspicion_mult * config.suspicion_max_mult * 2
}

impl Check<crate::node::Node> for Completeness {
    fn name(&self) -> &'static str {
        "M1: the dead are noticed"
    }

    fn act(&mut self, now: Instant, action: &Action) {
        self.sky.act(now, action);
        if let Action::Crash(addr) | Action::Stop(addr) = action
            && let Some((id, _)) = self.running.remove(addr)
        {
            self.dead.push((id, now));
        }
    }

    fn observe(
        &mut self,
        now: Instant,
        _: SocketAddr,
        event: &Event,
        _: &Hosts,
    ) -> Result<(), Violation> {
        if let Event::Failed { node, .. } = event
            && let Some((_, died)) = self.dead.iter().find(|(dead, _)| dead == node)
            && self.sky.clear_since(now).is_some()
        {
            self.detections.borrow_mut().push(now.since(*died));
        }
        Ok(())
    }

    fn step(&mut self, now: Instant, addr: SocketAddr, hosts: &Hosts) -> Result<(), Violation> {
        let Some(node) = hosts.get(&addr) else { return Ok(()) };
        let known = self.running.get(&addr).map(|(id, _)| id.boot);
        if known != Some(node.id().boot) {
            self.running.insert(addr, (node.id().clone(), now));
        }
        if self.dead.is_empty() { Ok(()) } else { self.judge(now, hosts) }
    }

    fn judged(&self) -> u64 {
        self.n_judged
    }
}
