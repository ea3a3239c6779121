//! One seed: a cluster from its first node to the end.

use super::Defect;
use super::checks;
use super::clients::Clients;
use super::host::SimNode;
use super::make::{Make, Sealing};
use super::temper::Temper;
use super::truth::{Shared, Truth};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use swarm_base::{Instant, Rng};
use swarm_sim::{Birth, Check, Detail, Failure, Plan, Report, Revival, Scenario, Trouble, World};

/// What is simulated, beside the seed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// How many nodes; drawn for each seed.
    pub nodes: std::ops::RangeInclusive<usize>,
    /// How long each of the two times of chaos lasts.
    pub chaos: Duration,
    /// What stands in the trace of a failure.
    pub detail: Detail,
    /// A bug on purpose.
    pub defect: Option<Defect>,
    /// Whether names are placed under a quorum: in most worlds of more than half of the nodes, in
    /// some of fewer, with fewer seats than nodes. Then no split excuses a second process. Nodes are
    /// not held up, nor are their clocks wrong.
    pub quorum: bool,
}

impl Default for Options {
    fn default() -> Self {
        let (chaos, detail) = (Duration::from_secs(20), Detail::Events);
        Self { nodes: 3..=8, chaos, detail, defect: None, quorum: false }
    }
}

/// Runs one seed.
///
/// # Errors
///
/// A [`Failure`] where a property did not hold or a node panicked.
pub fn run_seed(seed: u64, options: &Options) -> Result<Report, Box<Failure>> {
    plan(options).run_seed(seed, &mut Cluster::new(seed, options))
}

fn plan(options: &Options) -> Plan {
    let beyond_promise =
        |trouble: &Trouble| matches!(trouble, Trouble::Pause | Trouble::Slow | Trouble::Skew);
    let troubles = Trouble::ALL.into_iter();
    let troubles = troubles.filter(|trouble| !options.quorum || !beyond_promise(trouble));
    Plan {
        replay: match options.quorum {
            true => "cargo xtask sim --quorum --seed {seed}",
            false => "cargo xtask sim --seed {seed}",
        },
        troubles: troubles.collect(),
        // In the end more than half must be there.
        revival: if options.quorum { Revival::All } else { Plan::default().revival },
        nodes: options.nodes.clone(),
        chaos: options.chaos,
        rounds: 2,
        converge_max: CONVERGE_MAX,
        stay: WELL_FOR + Duration::from_secs(1),
        operation_gap: Duration::from_millis(60),
        trouble_gap: Duration::from_millis(1_500),
        detail: options.detail,
        ..Plan::default()
    }
}

/// After this long a cluster whose network is healed must be as it should. Above all what it waits
/// for: dead nodes are tried every 5 s, facts are compared every 10 s, a target that has refused is
/// tried again after up to 9 s.
const CONVERGE_MAX: Duration = Duration::from_secs(60);

/// So long must all be well before what nodes say counts as settled: logs of dead nodes are let go
/// of about a second after the last node has heard of them, and what was sent before a path broke
/// arrives as long as its session lives, 3 s.
const WELL_FOR: Duration = Duration::from_secs(4);

/// A cluster under chaos.
#[derive(Debug)]
struct Cluster {
    truth: Shared,
    clients: Clients,
    temper: Temper,
    sealing: Sealing,
    defect: Option<Defect>,
    quorum: bool,
    /// Whether there are more nodes than seats, where there are four or more.
    short: bool,
    /// Since when all has been well.
    well_since: Option<Instant>,
}

impl Cluster {
    fn new(seed: u64, options: &Options) -> Self {
        let quorum = options.quorum;
        let truth = Rc::new(RefCell::new(Truth::default()));
        // Another stream than any of the world's.
        let mut rng = Rng::new(seed ^ 0x636c_7573_7465_7221);
        let temper = Temper::draw(&mut rng);
        let sealing = if rng.chance(100) { Sealing::Real } else { Sealing::Checksum };
        let short = rng.chance(300);
        let defect = options.defect;
        let clients = Clients::new(truth.clone());
        Self { truth, clients, temper, sealing, defect, quorum, short, well_since: None }
    }
}

impl Scenario for Cluster {
    type Host = SimNode;

    fn start(&mut self, birth: Birth<'_>) -> SimNode {
        let half = birth.addrs.len() / 2;
        let want = self.quorum.then_some(if self.short { half.max(2) } else { half + 1 });
        self.truth.borrow_mut().want = want;
        SimNode::new(Make {
            now: birth.now,
            addr: birth.addr,
            seeds: birth.addrs.to_vec(),
            life: birth.life,
            rng: birth.rng,
            sealing: self.sealing,
            temper: self.temper.clone(),
            defect: self.defect,
            quorum: want,
        })
    }

    fn checks(&self) -> Vec<Box<dyn Check<SimNode>>> {
        let mut all = checks::all(&self.truth);
        all.extend(match self.quorum {
            true => checks::under_quorum(&self.truth),
            false => checks::without_quorum(&self.truth),
        });
        all
    }

    fn operate(&mut self, world: &mut World<SimNode>, rng: &mut Rng) {
        self.well_since = None;
        self.clients.act(world, rng);
    }

    fn converged(&mut self, world: &World<SimNode>) -> Result<(), String> {
        let lack = checks::lack(&self.truth.borrow(), world.hosts());
        if let Some(lack) = lack {
            self.well_since = None;
            return Err(lack);
        }
        let since = *self.well_since.get_or_insert(world.now());
        if since + WELL_FOR <= world.now() {
            self.truth.borrow_mut().reset(world.hosts());
        }
        Ok(())
    }
}
