//! A message is handled at most once, by processes whose nodes live.
//!
//! What a process had not handled goes with it when it moves. Where the target dies before it has
//! acknowledged the move, the source starts the process again, with the state and the messages
//! that it has kept: what the target had handled by then is handled again, and died with it.

use crate::world::host::SimNode;
use crate::world::news::News;
use crate::world::truth::{Hosts, Shared, lives};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use swarm_base::{Instant, Pid};
use swarm_sim::{Check, Violation};

#[derive(Debug)]
pub(crate) struct Messages {
    truth: Shared,
    handled: BTreeMap<u64, Pid>,
}

impl Messages {
    pub(crate) const fn new(truth: Shared) -> Self {
        Self { truth, handled: BTreeMap::new() }
    }
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
        hosts: &Hosts,
    ) -> Result<(), Violation> {
        let News::Counted { name, pid, message, .. } = event else { return Ok(()) };
        match self.handled.insert(*message, *pid) {
            Some(other) if lives(hosts, other.boot) && self.truth.borrow().split.is_none() => {
                let sentence = format!("{name} handled message {message} as {other} and as {pid}");
                Err(Violation::new(self.name(), now, sentence))
            }
            _ => Ok(()),
        }
    }

    fn judged(&self) -> u64 {
        self.handled.len() as u64
    }
}
