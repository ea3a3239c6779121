//! One seed from start to end: boot, chaos, heal, a bounded time to converge, the last checks.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use swarm_base::{Instant, Rng};

use crate::{
    Action, Check, Failure, Faults, Host, Report, Schedule, Trouble, Violation, World, addr,
};

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
    /// How to replay a seed: a command, with `{seed}` in the place of the seed.
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
        let mut run = Run::new(self, seed, scenario);
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

/// A run on its way.
struct Run<'a, S: Scenario> {
    plan: &'a Plan,
    scenario: &'a mut S,
    world: World<S::Host>,
    addrs: Vec<SocketAddr>,
    rng: Rng,
    operations: Rng,
    schedule: Schedule,
    converged_in: Duration,
}

impl<'a, S: Scenario> Run<'a, S> {
    fn new(plan: &'a Plan, seed: u64, scenario: &'a mut S) -> Self {
        let mut world = World::new(seed, plan.calm.clone());
        for check in scenario.checks() {
            world.check_boxed(check);
        }
        let mut rng = world.fork_rng();
        let operations = world.fork_rng();
        let span = plan.nodes.end().saturating_sub(*plan.nodes.start()) as u64;
        let n_nodes = plan.nodes.start() + rng.below(span + 1) as usize;
        let addrs = (1..=n_nodes).map(|n| addr(u16::try_from(n).unwrap_or(u16::MAX))).collect();
        let schedule = Schedule::default();
        let converged_in = Duration::ZERO;
        Self { plan, scenario, world, addrs, rng, operations, schedule, converged_in }
    }

    fn drive(&mut self, fixed: Option<&Schedule>) -> Result<(), Violation> {
        self.boot()?;
        for _ in 0..self.plan.rounds.max(1) {
            // Drawn in any case: what comes after does not shift.
            let drawn = Schedule::draw(&mut self.rng, self.plan, &self.addrs);
            self.schedule = fixed.cloned().unwrap_or(drawn);
            self.chaos()?;
            self.heal()?;
        }
        self.world.finish()
    }

    fn boot(&mut self) -> Result<(), Violation> {
        let mut starts: Vec<_> = self
            .addrs
            .iter()
            .map(|addr| (self.rng.duration(Duration::ZERO..=self.plan.boot), *addr))
            .collect();
        starts.sort_unstable();
        for (after, addr) in starts {
            self.world.run_until(Instant::START + after)?;
            self.start(addr);
        }
        self.converge("convergence after boot").map(drop)
    }

    fn chaos(&mut self) -> Result<(), Violation> {
        let Faults { idle_timeout, dial_timeout, .. } = self.plan.calm;
        let drawn = Faults { idle_timeout, dial_timeout, ..Faults::draw(&mut self.rng) };
        let faults = match &self.plan.weather {
            Weather::Drawn => drawn,
            Weather::Always(faults) => (**faults).clone(),
        };
        self.world.set_faults(faults);
        let start = self.world.now();
        let end = start + self.plan.chaos;
        let mut entries = self.schedule.entries().to_vec().into_iter().peekable();
        let mut operation_at = self.next_operation(start);
        loop {
            let entry_at = entries.peek().map_or(end, |(after, _)| start + *after);
            self.world.run_until(end.min(operation_at).min(entry_at))?;
            if end <= self.world.now() {
                return Ok(());
            }
            if entry_at <= operation_at {
                let Some((_, action)) = entries.next() else { continue };
                self.act(start, action);
            } else {
                // A generator for each: what one operation draws does not shift the next.
                let mut rng = self.operations.fork();
                self.scenario.operate(&mut self.world, &mut rng);
                operation_at = self.next_operation(operation_at);
            }
        }
    }

    fn next_operation(&mut self, last: Instant) -> Instant {
        let gap = self.operations.duration(Duration::ZERO..=self.plan.operation_gap * 2);
        last + gap.max(OPERATION_GAP_MIN)
    }

    fn act(&mut self, start: Instant, action: Action) {
        match action {
            Action::Start(addr) if !self.world.is_running(addr) => self.start(addr),
            Action::Start(_) => (),
            Action::Flap { a, b, period, until } => {
                self.world.flap(a, b, period, start + until.since_start());
            }
            action => self.world.act(action),
        }
    }

    fn heal(&mut self) -> Result<(), Violation> {
        self.world.heal();
        self.world.set_faults(self.plan.calm.clone());
        for addr in self.addrs.clone() {
            let is_lucky = self.rng.chance(500);
            let is_back = match self.plan.revival {
                Revival::All => true,
                Revival::Drawn => is_lucky,
                Revival::None => false,
            };
            if is_back && !self.world.is_running(addr) {
                self.start(addr);
            }
        }
        let took = self.converge("convergence after the heal")?;
        self.converged_in = self.converged_in.max(took);
        Ok(())
    }

    fn start(&mut self, addr: SocketAddr) {
        let birth = Birth {
            now: self.world.now(),
            addr,
            addrs: &self.addrs,
            life: self.world.lives(addr) + 1,
            rng: self.world.rng(addr),
        };
        let host = self.scenario.start(birth);
        self.world.insert(addr, host);
    }

    /// Runs until all is well and stays so. Tells how long it took without the staying.
    fn converge(&mut self, property: &'static str) -> Result<Duration, Violation> {
        let start = self.world.now();
        let mut well_since = None;
        loop {
            let now = self.world.now();
            match self.scenario.converged(&self.world) {
                Ok(()) => {
                    let since = *well_since.get_or_insert(now);
                    if self.plan.stay <= now.since(since) {
                        return Ok(since.since(start));
                    }
                }
                Err(lack) => {
                    well_since = None;
                    if self.plan.converge_max <= now.since(start) {
                        let limit = self.plan.converge_max;
                        let sentence = format!("{lack} ({limit:?} have passed)");
                        self.world.report(Violation::new(property, now, sentence));
                    }
                }
            }
            self.world.run_for(CONVERGED_EVERY)?;
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a text").to_owned()
}

/// How often it is asked whether all is well.
const CONVERGED_EVERY: Duration = Duration::from_millis(20);
const OPERATION_GAP_MIN: Duration = Duration::from_micros(100);
