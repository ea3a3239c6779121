//! M5: a running node is alive to itself, and one whose boot is behind starts again above.

use super::Hosts;
use std::net::SocketAddr;
use swarm_base::Instant;
use swarm_sim::{Check, Violation};
use swarm_swim::{Event, State};

#[derive(Default)]
pub(crate) struct Selves {
    n_judged: u64,
}

impl Check<crate::node::Node> for Selves {
    fn name(&self) -> &'static str {
        "M5: a node is alive to itself"
    }

    fn observe(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        event: &Event,
        hosts: &Hosts,
    ) -> Result<(), Violation> {
        let Some(node) = hosts.get(&addr) else { return Ok(()) };
        let fault = match event {
            Event::Failed { node: of, .. } | Event::Suspected { node: of, .. } => of == node.id(),
            Event::BootBehind { remembered } => node.id().boot <= *remembered,
            Event::NameTaken { .. } => true,
            Event::Departed => !node.has_left(),
            _ => false,
        };
        match fault {
            true => Err(Violation::new(self.name(), now, format!("{addr} is told {event:?}"))),
            false => Ok(()),
        }
    }

    fn step(&mut self, now: Instant, addr: SocketAddr, hosts: &Hosts) -> Result<(), Violation> {
        let Some(node) = hosts.get(&addr) else { return Ok(()) };
        let expected = if node.has_left() { State::Left } else { State::Alive };
        if node.own().state != expected {
            let sentence = format!("{addr} holds itself to be {:?}", node.own());
            return Err(Violation::new(self.name(), now, sentence));
        }
        self.n_judged += 1;
        Ok(())
    }

    fn judged(&self) -> u64 {
        self.n_judged
    }
}
