//! M3, refutation: the accused alone raises its incarnation, and answers at once.

use super::Hosts;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use swarm_base::{Boot, Instant};
use swarm_sim::{Check, Violation};
use swarm_swim::Event;

/// Nobody holds an incarnation that its owner has not reached, an owner's only grows, and an
/// accusation that is heard is answered in the same step, alive and above it.
#[derive(Default)]
pub(crate) struct Refutation {
    own: BTreeMap<SocketAddr, Own>,
    /// The highest incarnation of each life.
    reached: BTreeMap<(SocketAddr, Boot), u64>,
    n_judged: u64,
}

#[derive(Clone, Copy, Default)]
struct Own {
    boot: Boot,
    incarnation: u64,
    refutations: u64,
    packets_out: u64,
}

impl Check<crate::node::Node> for Refutation {
    fn name(&self) -> &'static str {
        "M3: the accused refutes, and nobody else"
    }

    fn observe(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        event: &Event,
        hosts: &Hosts,
    ) -> Result<(), Violation> {
        let id = match event {
            Event::Joined(member) | Event::Updated(member) => &member.id,
            Event::Suspected { node, .. } | Event::Refuted { node } => node,
            _ => return Ok(()),
        };
        let Some(held) = hosts.get(&addr).and_then(|observer| observer.member(id)) else {
            return Ok(());
        };
        let reached = self.reached.get(&(held.address, id.boot)).copied().unwrap_or(0);
        let owner = hosts.get(&held.address).filter(|owner| owner.id() == id);
        let reached = owner.map_or(reached, |owner| owner.own().incarnation.max(reached));
        self.n_judged += 1;
        if held.incarnation > reached {
            let sentence = format!("{addr} holds {held:?}, which has only reached {reached}");
            return Err(Violation::new(self.name(), now, sentence));
        }
        Ok(())
    }

    fn step(&mut self, now: Instant, addr: SocketAddr, hosts: &Hosts) -> Result<(), Violation> {
        let Some(node) = hosts.get(&addr) else { return Ok(()) };
        let (counters, own) = (node.counters(), node.own());
        let is = Own {
            boot: node.id().boot,
            incarnation: own.incarnation,
            refutations: counters.refutations,
            packets_out: counters.packets_out,
        };
        let Some(was) = self.own.insert(addr, is).filter(|was| was.boot == is.boot) else {
            self.reached.insert((addr, is.boot), is.incarnation);
            return Ok(());
        };
        if is.incarnation != was.incarnation {
            self.reached.insert((addr, is.boot), is.incarnation);
        }
        let fault = if is.incarnation < was.incarnation {
            "has lowered its incarnation"
        } else if is.refutations == was.refutations {
            return Ok(());
        } else if is.incarnation == was.incarnation {
            "has refuted and kept its incarnation"
        } else if is.packets_out == was.packets_out {
            "has refuted and told nobody"
        } else {
            self.n_judged += 1;
            return Ok(());
        };
        Err(Violation::new(self.name(), now, format!("{addr} {fault}")))
    }

    fn judged(&self) -> u64 {
        self.n_judged
    }
}
