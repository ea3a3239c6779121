//! Every question is answered within its time.

use crate::world::host::SimNode;
use crate::world::news::News;
use crate::world::truth::Hosts;
use std::net::SocketAddr;
use swarm_base::Instant;
use swarm_sim::{Check, Violation};

#[derive(Debug, Default)]
pub(crate) struct Answers {
    judged: u64,
}

impl Check<SimNode> for Answers {
    fn name(&self) -> &'static str {
        "every question is answered in its time"
    }

    fn observe(
        &mut self,
        _: Instant,
        _: SocketAddr,
        event: &News,
        _: &Hosts,
    ) -> Result<(), Violation> {
        self.judged += u64::from(matches!(event, News::Answered { .. }));
        Ok(())
    }

    fn step(&mut self, now: Instant, _: SocketAddr, hosts: &Hosts) -> Result<(), Violation> {
        let late = hosts.iter().find_map(|(addr, host)| Some((addr, host.late()?)));
        late.map_or(Ok(()), |(addr, late)| {
            Err(Violation::new(self.name(), now, format!("{addr}: {late}")))
        })
    }

    fn judged(&self) -> u64 {
        self.judged
    }
}
