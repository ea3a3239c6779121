//! M8: in the smallest groups everybody is probed all the time.

use super::Hosts;
use crate::sky::Sky;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use swarm_base::Instant;
use swarm_sim::{Action, Check, Violation};
use swarm_swim::Event;

/// Of two or three nodes each pings each other one every 2 (N − 1) periods, and one for where in
/// its period it is, as long as nothing happens and nothing is lost (memberlist#350 left some
/// out).
#[derive(Default)]
pub(crate) struct SmallGroups {
    sky: Sky,
    /// Since when nothing happens.
    quiet_since: Instant,
    judged_at: Instant,
    pinged: BTreeMap<(SocketAddr, SocketAddr), Instant>,
    n_judged: u64,
}

impl Check<crate::node::Node> for SmallGroups {
    fn name(&self) -> &'static str {
        "M8: in small groups everybody is probed"
    }

    fn act(&mut self, now: Instant, action: &Action) {
        self.sky.act(now, action);
        self.quiet_since = now;
        if let Action::Pause(_, span) = action {
            self.quiet_since = now + *span;
        }
    }

    fn observe(
        &mut self,
        now: Instant,
        _: SocketAddr,
        _: &Event,
        _: &Hosts,
    ) -> Result<(), Violation> {
        self.quiet_since = self.quiet_since.max(now);
        Ok(())
    }

    fn step(&mut self, now: Instant, addr: SocketAddr, hosts: &Hosts) -> Result<(), Violation> {
        let n = hosts.len();
        let is_off = !(2..=3).contains(&n) || !self.sky.is_exact();
        let Some(node) = hosts.get(&addr).filter(|node| node.is_open() && !is_off) else {
            return Ok(());
        };
        let is_whole = hosts.values().all(|node| node.n_live() == n && !node.has_left());
        if self.sky.clear_since(now).is_none() || !is_whole {
            self.quiet_since = now;
            return Ok(());
        }
        for (to, at) in &node.pinged {
            self.pinged.insert((addr, *to), *at);
        }
        let interval = node.config().probe_interval;
        if node.health().score() > 0 {
            // The period that has begun stays as long as its health has made it.
            self.quiet_since = now + interval * node.health().score();
        }
        let most = interval * (2 * (n as u32 - 1) + 1);
        if now.since(self.quiet_since.max(self.judged_at)) <= most {
            return Ok(());
        }
        self.judged_at = now;
        for from in hosts.keys() {
            for to in hosts.keys().filter(|to| *to != from) {
                let last = self.pinged.get(&(*from, *to)).copied().unwrap_or_default();
                if now.since(last) > most {
                    let sentence = format!("{from} has pinged {to} at {last} for the last time");
                    return Err(Violation::new(self.name(), now, sentence));
                }
                self.n_judged += 1;
            }
        }
        Ok(())
    }

    fn judged(&self) -> u64 {
        self.n_judged
    }
}
