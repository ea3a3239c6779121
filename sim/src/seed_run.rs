//! The phases of one run.

use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Instant, Rng};

use crate::{
    Action, Birth, Detail, Faults, Plan, Revival, Scenario, Schedule, Violation, Weather, World,
    addr,
};

/// A run on its way.
pub(crate) struct SeedRun<'a, S: Scenario> {
    plan: &'a Plan,
    scenario: &'a mut S,
    pub(crate) world: World<S::Host>,
    addrs: Vec<SocketAddr>,
    rng: Rng,
    operations: Rng,
    pub(crate) schedule: Schedule,
    pub(crate) converged_in: Duration,
}

impl<'a, S: Scenario> SeedRun<'a, S> {
    pub(crate) fn new(plan: &'a Plan, seed: u64, scenario: &'a mut S) -> Self {
        let mut world = World::new(seed, plan.calm.clone());
        if plan.detail == Detail::Packets {
            world.trace_packets();
        }
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

    pub(crate) fn drive(&mut self, fixed: Option<&Schedule>) -> Result<(), Violation> {
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

/// How often it is asked whether all is well.
const CONVERGED_EVERY: Duration = Duration::from_millis(20);
const OPERATION_GAP_MIN: Duration = Duration::from_micros(100);
