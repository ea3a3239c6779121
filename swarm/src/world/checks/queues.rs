//! Queues are bounded at every moment, and empty in the end.

use super::present;
use crate::world::host::SimNode;
use crate::world::truth::Hosts;
use std::net::SocketAddr;
use swarm_base::Instant;
use swarm_sim::{Check, Violation};

pub(super) const NAME: &str = "queues are bounded, and empty in the end";

#[derive(Debug, Default)]
pub(crate) struct Queues {
    steps: u64,
    judged: u64,
}

/// Far more than the callers of a world have under way at once, and far less than a leak makes.
const ASKS_MAX: usize = 400;
/// Workers that start at once: those of every name, on a node that is alone.
const STARTS_MAX: usize = 400;
/// As the moves' settings say.
const MOVES_MAX: usize = 32;
const STANDBYS_MAX: usize = 256;
/// What a node wants at once: its shell takes all of it after every input.
const OUTPUTS_MAX: usize = 0;
/// Queues change slowly: they are looked at after so many inputs.
const EVERY: u64 = 16;

impl Check<SimNode> for Queues {
    fn name(&self) -> &'static str {
        NAME
    }

    fn step(&mut self, now: Instant, _: SocketAddr, hosts: &Hosts) -> Result<(), Violation> {
        self.steps += 1;
        if !self.steps.is_multiple_of(EVERY) {
            return Ok(());
        }
        for (addr, host) in present(hosts) {
            self.judged += 1;
            let gauges = host.gauges();
            let bounds = [
                ("questions", gauges.asks, ASKS_MAX),
                ("starts", gauges.starts, STARTS_MAX),
                ("moves", gauges.moves, MOVES_MAX),
                ("standbys", gauges.standbys, STANDBYS_MAX),
                ("outputs", gauges.outputs, OUTPUTS_MAX),
            ];
            if let Some((what, len, max)) = bounds.into_iter().find(|(_, len, max)| len > max) {
                let sentence = format!("{addr} has {len} {what}, and {max} at most are right");
                return Err(Violation::new(self.name(), now, sentence));
            }
        }
        Ok(())
    }

    fn finish(&mut self, now: Instant, hosts: &Hosts) -> Result<(), Violation> {
        lack(hosts).map_or(Ok(()), |lack| Err(Violation::new(self.name(), now, lack)))
    }

    fn judged(&self) -> u64 {
        self.judged
    }
}

pub(super) fn lack(hosts: &Hosts) -> Option<String> {
    present(hosts).find_map(|(addr, host)| {
        let gauges = host.gauges();
        let busy = gauges.asks + gauges.starts + gauges.moves + gauges.standbys + gauges.conflicts;
        let is_quiet = busy == 0 && host.waiting() == 0 && host.processes().is_idle();
        (!is_quiet).then(|| {
            let (waiting, busy) = (host.waiting(), host.processes().busy());
            format!("{addr} is not quiet: {waiting} callers, {gauges:?}, {busy:?}")
        })
    })
}
