//! One seed from start to end: boot, chaos, heal, a bounded time to converge, the last checks.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use swarm_base::{Instant, Rng};

use crate::seed_run::SeedRun;
use crate::{Check, Failure, Faults, Host, Report, Schedule, Trouble, Violation, World};

/// What a run simulates: how nodes are made, what clients do, and when all is well.
pub trait Scenario {
    /// A node.
    type Host: Host;

    /// Makes the node that starts now.
    fn start(&mut self, birth: Birth<'_>) -> Self::Host;

    /// The checkers of one run.
    fn checks(&self) -> Vec<Box<dyn Check<Self::Host>>>;

    /// Does one thing that a client or an operator would. Called at random moments of the chaos.
    fn operate(&mut self, world: &mut World<Self::Host>, rng: &mut Rng) {
        let _ = (world, rng);
    }

    /// Whether all is well, as it must be a bounded time after boot and after the heal.
    ///
    /// # Errors
    ///
    /// What is missing, as a sentence for the report.
    fn converged(&mut self, world: &World<Self::Host>) -> Result<(), String>;
}

/// What a node knows when it starts.
#[derive(Debug)]
pub struct Birth<'a> {
    /// The world's clock, which the node's clock shows too.
    pub now: Instant,
    /// Where the node runs.
    pub addr: SocketAddr,
    /// Where nodes run in this world, this one included, whether they run now or not.
    pub addrs: &'a [SocketAddr],
    /// The number of this life, from 1.
    pub life: u64,
    /// The generator of this life.
    pub rng: Rng,
}

/// How a run goes. Times are the world's.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How to replay a seed: a command, with `{seed}` in the place of the seed, such as
    /// `SWARM_SEED={seed} cargo test -p my-crate chaos`; see [`seeds`](crate::seeds).
    pub replay: &'static str,
    /// How many nodes; drawn for each seed.
    pub nodes: RangeInclusive<usize>,
    /// The nodes start at random moments of this span.
    pub boot: Duration,
    /// How long the chaos lasts.
    pub chaos: Duration,
    /// How often chaos and heal follow each other.
    pub rounds: u32,
    /// How long after boot, and after each heal, all must be well at the latest.
    pub converge_max: Duration,
    /// How long all must stay well without a break. Not part of `converge_max`.
    pub stay: Duration,
    /// The mean time between operations.
    pub operation_gap: Duration,
    /// The mean time between troubles.
    pub trouble_gap: Duration,
    /// The longest trouble; shorter ones are as frequent.
    pub trouble_max: Duration,
    /// The longest pause.
    pub pause_max: Duration,
    /// How many nodes may be down at once.
    pub down_max: usize,
    /// What may befall nodes. Each class is on for half of the seeds.
    pub troubles: Vec<Trouble>,
    /// The network outside of the chaos. Its two timeouts hold in the chaos too.
    pub calm: Faults,
    /// The network in the chaos.
    pub weather: Weather,
    /// Whether nodes that are down start again when the world heals.
    pub revival: Revival,
    /// What stands in the trace of a failure.
    pub detail: Detail,
}

/// What stands in the trace of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Events and actions.
    Events,
    /// Every packet as well: for the replay of one seed, since it takes much longer.
    Packets,
}

/// How the network of the chaos is chosen.
#[derive(Clone, Debug)]
pub enum Weather {
    /// By [`Faults::draw`], for each chaos anew.
    Drawn,
    /// Always the same.
    Always(Box<Faults>),
}

/// Who starts again when the world heals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revival {
    /// Every node that is down.
    All,
    /// Each with a chance of one half.
    Drawn,
    /// Nobody.
    None,
}

impl Default for Plan {
    /// Three to eight nodes, 30 s of chaos, 15 s to converge, at most one node down, everything
    /// allowed.
    fn default() -> Self {
        Self {
            replay: "seed {seed}",
            nodes: 3..=8,
            boot: Duration::from_secs(2),
            chaos: Duration::from_secs(30),
            rounds: 1,
            converge_max: Duration::from_secs(15),
            stay: Duration::from_secs(1),
            operation_gap: Duration::from_millis(200),
            trouble_gap: Duration::from_secs(1),
            trouble_max: Duration::from_secs(10),
            pause_max: Duration::from_secs(10),
            down_max: 1,
            troubles: Trouble::ALL.to_vec(),
            calm: Faults::calm(),
            weather: Weather::Drawn,
            revival: Revival::Drawn,
            detail: Detail::Events,
        }
    }
}

impl Plan {
    /// Runs one seed. The same seed of the same plan gives the same run.
    ///
    /// # Errors
    ///
    /// A [`Failure`] where a property did not hold, all was not well in time, or a node panicked.
    pub fn run_seed<S: Scenario>(
        &self,
        seed: u64,
        scenario: &mut S,
    ) -> Result<Report, Box<Failure>> {
        self.run(seed, None, scenario)
    }

    /// Runs one seed with another schedule than its own, in every round.
    ///
    /// # Errors
    ///
    /// As [`run_seed`](Self::run_seed).
    pub fn run_schedule<S: Scenario>(
        &self,
        seed: u64,
        schedule: &Schedule,
        scenario: &mut S,
    ) -> Result<Report, Box<Failure>> {
        self.run(seed, Some(schedule), scenario)
    }

    fn run<S: Scenario>(
        &self,
        seed: u64,
        fixed: Option<&Schedule>,
        scenario: &mut S,
    ) -> Result<Report, Box<Failure>> {
        let mut run = SeedRun::new(self, seed, scenario);
        // A panic of a node is a finding like any other, and needs its replay line most.
        let verdict = catch_unwind(AssertUnwindSafe(|| run.drive(fixed)));
        let world = &run.world;
        let violation = match verdict {
            Ok(Ok(())) => return Ok(Report::new(world, run.converged_in)),
            Ok(Err(violation)) => violation,
            Err(panic) => {
                let mut violation =
                    Violation::new("world: no panic", world.now(), panic_text(&*panic));
                violation.last = world.last(usize::MAX).map(str::to_owned).collect();
                violation
            }
        };
        let replay = self.replay.replace("{seed}", &seed.to_string());
        let schedule = fixed.cloned().unwrap_or(run.schedule);
        Err(Box::new(Failure { seed, replay, violation, schedule }))
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a text").to_owned()
}
