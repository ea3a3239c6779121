//! A node that is cut off from the quorum stops what was placed on it, within a lease and a grace
//! (reliability Q1).
//!
//! Cut off is who has not been together with enough others within a lease, as the world knows it:
//! both run, and reach each other both ways. What the node itself believes is no excuse; that it
//! was held up is one, for as long.

use crate::world::host::SimNode;
use crate::world::news::News;
use crate::world::truth::{Hosts, Shared, Status};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use swarm_base::Instant;
use swarm_sim::{Action, Check, Violation};

pub(crate) const NAME: &str = "below the quorum nothing runs for long";

#[derive(Debug)]
pub(crate) struct Below {
    truth: Shared,
    config: swarm_handoff::Config,
    /// The nodes that are cut off, or will be if nothing changes.
    cut: BTreeMap<SocketAddr, Cut>,
    judged: u64,
}

#[derive(Debug)]
struct Cut {
    /// When the last lease ends that others can have granted.
    from: Instant,
    /// Whether something ran there, and what came of it is still to be judged.
    had_any: bool,
}

impl Below {
    pub(crate) fn new(truth: Shared) -> Self {
        Self { truth, config: swarm_handoff::Config::default(), cut: BTreeMap::new(), judged: 0 }
    }

    /// Who stands with whom may have changed.
    fn look(&mut self) {
        let truth = self.truth.borrow();
        let Some(want) = truth.want else { return };
        let (standing, lease) = (&truth.standing, self.config.quorum_lease);
        let mut before = std::mem::take(&mut self.cut);
        let cut = |addr: SocketAddr| {
            let from = standing.held_until(addr, want, lease)?;
            let here = || truth.instances.values().flatten().any(|(_, at)| *at == addr);
            let had_any = before.remove(&addr).map_or_else(here, |cut| cut.had_any);
            Some((addr, Cut { from, had_any }))
        };
        self.cut = standing.running().filter_map(cut).collect();
    }
}

impl Check<SimNode> for Below {
    fn name(&self) -> &'static str {
        NAME
    }

    fn observe(
        &mut self,
        _: Instant,
        _: SocketAddr,
        event: &News,
        _: &Hosts,
    ) -> Result<(), Violation> {
        if *event == News::Gone {
            self.look();
        }
        Ok(())
    }

    fn act(&mut self, _: Instant, _: &Action) {
        self.look();
    }

    fn reach(&mut self, _: Instant, _: &dyn Fn(SocketAddr, SocketAddr) -> bool) {
        self.look();
    }

    fn step(&mut self, now: Instant, _: SocketAddr, _: &Hosts) -> Result<(), Violation> {
        let truth = self.truth.borrow();
        let (ask, grace) = (self.config.quorum_ask, self.config.quorum_grace);
        for (addr, cut) in &mut self.cut {
            let awake = truth.standing.paused_until(*addr).unwrap_or(Instant::START);
            if now <= (cut.from + ask + grace).max(awake + grace) {
                continue;
            }
            // A process that has lost its name goes on without one.
            let placed =
                truth.instances.iter().filter(|(name, _)| truth.status(name) != Status::Retired);
            let mut here =
                placed.flat_map(|(name, pids)| pids.iter().map(move |(pid, at)| (name, pid, at)));
            if let Some((name, pid, _)) = here.find(|(_, _, at)| *at == addr) {
                let sentence = format!(
                    "{addr} runs {name} as {pid}, and has been cut off from the quorum since {}",
                    cut.from
                );
                return Err(Violation::new(NAME, now, sentence));
            }
            self.judged += u64::from(std::mem::take(&mut cut.had_any));
        }
        Ok(())
    }

    fn judged(&self) -> u64 {
        self.judged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::checks::history::{History, ms};
    use std::time::Duration;
    use swarm_sim::addr;

    /// Of three nodes the third has a process, and is cut off at 10 s.
    fn cut_off() -> History<Below> {
        let mut history = History::new(2, Below::new);
        history.start(3);
        history.registered(3, "x");
        history.at(ms(10_000));
        history.divide(&[&[1, 2], &[3]]);
        history
    }

    #[test]
    fn who_stops_in_time_is_right() {
        let mut history = cut_off();
        history.at(ms(12_200));
        history.ends(3, "x");
        history.at(ms(30_000));
        assert_eq!((history.verdict(), history.check.judged()), (None, 1));
    }

    #[test]
    fn a_process_that_goes_on_without_a_quorum_is_noticed() {
        let mut history = cut_off();
        history.at(ms(12_240));
        assert_eq!(history.verdict(), None, "not yet");
        history.at(ms(12_260));
        assert_eq!(history.verdict(), Some(NAME));
    }

    #[test]
    fn a_cut_that_is_short_stops_nothing() {
        let mut history = cut_off();
        history.at(ms(12_000));
        history.divide(&[]);
        history.at(ms(14_000));
        history.divide(&[&[1, 2], &[3]]);
        history.at(ms(16_000));
        assert_eq!(history.verdict(), None);
        history.at(ms(16_300));
        assert_eq!(history.verdict(), Some(NAME));
    }

    #[test]
    fn a_node_that_is_held_up_has_a_grace_from_then() {
        let mut history = cut_off();
        history.act(&Action::Pause(addr(3), Duration::from_secs(5)));
        history.at(ms(15_400));
        assert_eq!(history.verdict(), None);
        history.at(ms(15_600));
        assert_eq!(history.verdict(), Some(NAME));
    }
}
