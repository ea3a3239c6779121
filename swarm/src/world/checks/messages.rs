//! A message is handled at most once.

use crate::world::host::SimNode;
use crate::world::news::News;
use crate::world::truth::Hosts;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use swarm_base::{Instant, Pid};
use swarm_sim::{Check, Violation};

#[derive(Debug, Default)]
pub(crate) struct Messages {
    handled: BTreeMap<u64, Pid>,
}

impl Check<SimNode> for Messages {
    fn name(&self) -> &'static str {
        "a message is handled at most once"
    }

    fn observe(
        &mut self,
        now: Instant,
        _: SocketAddr,
        event: &News,
        _: &Hosts,
    ) -> Result<(), Violation> {
        let News::Counted { name, pid, message, .. } = event else { return Ok(()) };
        match self.handled.insert(*message, *pid) {
            Some(other) => {
                let sentence = format!("{name} handled message {message} as {other} and as {pid}");
                Err(Violation::new(self.name(), now, sentence))
            }
            None => Ok(()),
        }
    }

    fn judged(&self) -> u64 {
        self.handled.len() as u64
    }
}
