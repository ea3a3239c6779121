//! M7, bounded load: no input makes a storm, and a group at rest is as quiet as the formula says.

use super::Hosts;
use crate::node::Node;
use crate::sky::Sky;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Boot, Instant};
use swarm_sim::{Action, Check, Violation};
use swarm_swim::Event;

/// One packet makes a node send four at most, one timeout a bounded number, whatever the size of
/// the group. While nothing happens and nothing is lost, all together send at most a tenth more
/// than two packets per node and period, what looks for the dead, and what compares tables.
#[derive(Default)]
pub(crate) struct Load {
    sky: Sky,
    last: BTreeMap<SocketAddr, Sent>,
    quiet_since: Instant,
    /// What had been sent when the present quiet was measured first.
    window: Option<(Instant, u64)>,
    n_judged: u64,
    n_windows: u64,
}

#[derive(Clone, Copy)]
struct Sent {
    boot: Boot,
    packets_in: u64,
    packets_out: u64,
}

impl Load {
    fn judge_quiet(&mut self, now: Instant, hosts: &Hosts) -> Result<(), Violation> {
        let is_off = !self.sky.is_exact()
            || self.sky.clear_since(now).is_none()
            || hosts.values().any(|node| node.has_left() || node.n_live() != hosts.len());
        if is_off || now.since(self.quiet_since) < SETTLED {
            self.window = None;
            return Ok(());
        }
        let sent = hosts.values().map(|node| node.counters().packets_out).sum();
        let (since, before) = *self.window.get_or_insert((now, sent));
        if now.since(since) < WINDOW {
            return Ok(());
        }
        self.window = None;
        self.n_windows += 1;
        let most =
            hosts.values().map(|node| rest(node, hosts, now.since(since))).sum::<f64>() * 1.1;
        match (sent - before) as f64 > most {
            true => {
                let n = hosts.len();
                let sentence = format!("{n} nodes at rest send {} of {most}", sent - before);
                Err(Violation::new(self.name(), now, sentence))
            }
            false => Ok(()),
        }
    }
}

/// What a node at rest sends in `span`.
fn rest(node: &Node, hosts: &Hosts, span: Duration) -> f64 {
    let config = node.config();
    let per = |interval: Duration| span.as_secs_f64() / interval.as_secs_f64();
    let probes = 2.0 * (per(config.probe_interval) + 1.0);
    let syncs = 2.0 * (per(config.sync_interval) + 1.0);
    let dead = if node.remembers_dead() { per(config.dead_retry_interval) + 1.0 } else { 0.0 };
    let lost_seeds = node.seeds().iter().filter(|seed| !hosts.contains_key(seed)).count();
    probes + syncs + dead + lost_seeds as f64 * (per(config.seed_retry_max) + 1.0)
}

impl Check<Node> for Load {
    fn name(&self) -> &'static str {
        "M7: the load is bounded"
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
        let Some(node) = hosts.get(&addr) else { return Ok(()) };
        let counters = node.counters();
        let (packets_in, packets_out) = (counters.packets_in, counters.packets_out);
        let is = Sent { boot: node.id().boot, packets_in, packets_out };
        let was = self.last.insert(addr, is).filter(|was| was.boot == is.boot);
        if let Some(was) = was {
            let most = match is.packets_in - was.packets_in {
                0 => node.config().gossip_fanout as u64 + PER_TIMEOUT_MAX,
                n => n * PER_PACKET_MAX,
            };
            let sent = is.packets_out - was.packets_out;
            if sent > most {
                let sentence = format!("{addr} sends {sent} packets at once, {most} at most");
                return Err(Violation::new(self.name(), now, sentence));
            }
            self.n_judged += 1;
        }
        // Often enough for a window of ten seconds, and not with every packet.
        if self.n_judged.is_multiple_of(16) { self.judge_quiet(now, hosts) } else { Ok(()) }
    }

    fn judged(&self) -> u64 {
        // Each alone shows little.
        if self.n_windows == 0 { 0 } else { self.n_judged }
    }
}

/// As many pages as one question may cause.
const PER_PACKET_MAX: u64 = 4;

/// A ping, a second one and three through others; three accusations, a goodbye's eight.
const PER_TIMEOUT_MAX: u64 = 16;

/// Until news has been told.
const SETTLED: Duration = Duration::from_secs(10);

const WINDOW: Duration = Duration::from_secs(10);
