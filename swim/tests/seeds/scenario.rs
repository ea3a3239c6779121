//! One seed: which faults, how long, and what the nodes are made from.

use crate::checks::{
    Accuracy, Completeness, Convergence, Load, Refutation, Selves, SmallGroups, Stories,
    disagreement,
};
use crate::node::{self, Node, Sealing};
use crate::sky::PAUSE_MAX;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use swarm_base::{Boot, NodeId, NodeName, Rng};
use swarm_sim::{Birth, Check, Faults, Plan, Scenario, Trouble, Weather, World};
use swarm_swim::{Checked, Config, Metadata};

/// What a seed is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Every fault, as bad as it gets. Everybody is a seed: who comes back when no seed runs finds
    /// nobody, and nobody looks for who has left.
    Storm,
    /// The same with two seeds, of which one always runs. Nobody leaves.
    Seeded,
    /// Deaths and restarts, while up to one datagram in ten is lost.
    Deaths,
    /// A long time with little loss, short pauses and a slow node.
    Years,
}

pub(crate) struct Membership {
    sealing: Sealing,
    config: Checked,
    kind: Kind,
    /// Whether clocks step between the lives of a node.
    clocks_step: bool,
    clocks: Rng,
    /// How long each observer of each death took to notice it.
    pub(crate) detections: Rc<RefCell<Vec<Duration>>>,
}

impl Membership {
    pub(crate) fn new(seed: u64) -> Self {
        let kind = kind(seed);
        // One in four is sealed, one in four of those with the real cipher.
        let sealing = match (seed / 4 % 4, seed / 16 % 4) {
            (0, 0) => Sealing::Real,
            (0, _) => Sealing::Null,
            _ => Sealing::Open,
        };
        let mut rng = Rng::new(seed);
        let config = match kind {
            Kind::Storm | Kind::Seeded => storm_config(&mut rng),
            Kind::Deaths | Kind::Years => Config::lan(),
        };
        Self {
            sealing,
            config: config.check().expect("within bounds"),
            kind,
            clocks_step: rng.chance(500),
            clocks: rng,
            detections: Rc::default(),
        }
    }
}

const fn kind(seed: u64) -> Kind {
    match seed % 4 {
        0 => Kind::Storm,
        1 => Kind::Seeded,
        2 => Kind::Deaths,
        _ => Kind::Years,
    }
}

/// Half the periods of a local network, so that more happens in the same time.
fn storm_config(rng: &mut Rng) -> Config {
    Config {
        probe_interval: Duration::from_millis(500),
        probe_timeout: Duration::from_millis(200),
        probe_timeout_min: Duration::from_millis(50),
        suspicion_max_mult: [1, 2, 6][rng.below(3) as usize],
        leave_timeout: Duration::from_secs(1),
        ..Config::lan()
    }
}

/// How the run of `seed` goes.
pub(crate) fn plan(seed: u64) -> Plan {
    let mut rng = Rng::new(seed ^ 0x706c_616e);
    let base = Plan { replay: REPLAY, converge_max: Duration::from_secs(30), ..Plan::default() };
    match kind(seed) {
        kind @ (Kind::Storm | Kind::Seeded) => Plan {
            nodes: 2..=9,
            down_max: if kind == Kind::Storm { 3 } else { 1 },
            troubles: Trouble::ALL
                .into_iter()
                .filter(|trouble| *trouble != Trouble::Break)
                .collect(),
            ..base
        },
        Kind::Deaths => Plan {
            nodes: 8..=8,
            chaos: Duration::from_secs(120),
            operation_gap: Duration::from_secs(5),
            trouble_gap: Duration::from_secs(10),
            trouble_max: Duration::from_secs(60),
            troubles: vec![Trouble::Crash],
            weather: Weather::Always(Box::new(bearable(&mut rng, 100))),
            ..base
        },
        Kind::Years => Plan {
            nodes: 2..=10,
            chaos: Duration::from_secs(300 + rng.below(2_100)),
            operation_gap: Duration::from_secs(60),
            trouble_gap: Duration::from_secs(20),
            trouble_max: Duration::from_secs(20),
            pause_max: PAUSE_MAX,
            troubles: vec![Trouble::Pause, Trouble::Slow, Trouble::Crash],
            weather: Weather::Always(Box::new(bearable(&mut rng, 50))),
            ..base
        },
    }
}

/// A network that loses up to `loss_max` in a thousand, and is never late by much.
fn bearable(rng: &mut Rng, loss_max: u64) -> Faults {
    let mut strength = |max: u64| if rng.chance(500) { rng.below(max + 1) as u32 } else { 0 };
    let (loss_permille, duplicate_permille) = (strength(loss_max), strength(200));
    let (reorder_permille, damage_permille) = (strength(200), strength(10));
    let delay_max = Duration::from_micros(1_000 + 40 * u64::from(strength(1_000)));
    Faults {
        delay: Duration::from_micros(100)..=delay_max,
        loss_permille,
        duplicate_permille,
        duplicate_late_max: Duration::from_millis(500),
        reorder_permille,
        reorder_max: Duration::from_millis(40),
        damage_permille,
        ..Faults::calm()
    }
}

const REPLAY: &str = "SWARM_SEED={seed} cargo test -p swarm-swim --test seeds";

impl Scenario for Membership {
    type Host = Node;

    fn start(&mut self, birth: Birth<'_>) -> Node {
        let idx = birth.addrs.iter().position(|addr| *addr == birth.addr).unwrap_or_default();
        let name = NodeName::new(format!("n{idx}")).expect("a name");
        let (now, mut rng) = (birth.now, birth.rng);
        let step = match self.clocks_step {
            true => CLOCK_STEPS[self.clocks.below(CLOCK_STEPS.len() as u64) as usize],
            false => 0,
        };
        let now_ms = now.since_start().as_millis() as u64 + birth.life;
        let boot = Boot { millis: EPOCH_MS + now_ms + step, random: rng.next_u64() };
        let n_seeds = if self.kind == Kind::Storm { birth.addrs.len() } else { 2 };
        let birth = node::Birth {
            id: NodeId::new(name, boot),
            address: birth.addr,
            seeds: birth.addrs.iter().copied().take(n_seeds).collect(),
            config: self.config,
            sealing: self.sealing,
            rng,
        };
        Node::new(now, birth)
    }

    fn checks(&self) -> Vec<Box<dyn Check<Node>>> {
        vec![
            Box::new(Completeness::new(Rc::clone(&self.detections))),
            Box::new(Accuracy::default()),
            Box::new(Refutation::default()),
            Box::new(Stories::default()),
            Box::new(Selves::default()),
            Box::new(Convergence::default()),
            Box::new(Load::default()),
            Box::new(SmallGroups::default()),
        ]
    }

    fn operate(&mut self, world: &mut World<Node>, rng: &mut Rng) {
        let addrs: Vec<SocketAddr> = world.hosts().keys().copied().collect();
        let Some(addr) = rng.index(addrs.len()).map(|idx| addrs[idx]) else { return };
        if world.host(addr).has_left() {
            // Its program ends a while after its goodbye.
            return world.stop(addr);
        }
        match rng.below(100) {
            0 if addrs.len() > 2 && self.kind == Kind::Storm => {
                world.try_with(addr, |node, now| node.leave(now));
            }
            1..10 => {
                let metadata = Metadata::new(rng.next_u64().to_be_bytes()).expect("short");
                world.try_with(addr, |node, now| node.set_metadata(now, metadata));
            }
            _ => {}
        }
    }

    fn converged(&mut self, world: &World<Node>) -> Result<(), String> {
        disagreement(world.hosts()).map_or(Ok(()), Err)
    }
}

const EPOCH_MS: u64 = 1_700_000_000_000;

const HOUR_MS: u64 = 3_600_000;

/// From a day behind to a day ahead.
const CLOCK_STEPS: [u64; 5] = [0, 23 * HOUR_MS, 24 * HOUR_MS, 25 * HOUR_MS, 48 * HOUR_MS];
