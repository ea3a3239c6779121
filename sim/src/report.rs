//! What a run showed: of one seed, of one that failed, of many.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use crate::{Host, Plan, Scenario, Schedule, Struck, Violation, World};

/// What one seed that held showed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The hash of all that happened; the same for every run of the seed.
    pub trace_hash: u64,
    /// Inputs that the nodes handled.
    pub steps: u64,
    /// How long the run took on the world's clock.
    pub simulated: Duration,
    /// How long after the heal all was well; the longest, where there were several.
    pub converged_in: Duration,
    /// How often each fault struck.
    pub struck: Struck,
    /// How often each checker judged.
    pub judged: BTreeMap<&'static str, u64>,
}

impl Report {
    pub(crate) fn new<H: Host>(world: &World<H>, converged_in: Duration) -> Self {
        let mut judged = BTreeMap::new();
        for (name, count) in world.judged() {
            *judged.entry(name).or_default() += count;
        }
        Self {
            trace_hash: world.trace_hash(),
            steps: world.steps(),
            simulated: world.now().since_start(),
            converged_in,
            struck: world.struck().clone(),
            judged,
        }
    }
}

/// A seed that did not hold.
///
/// Displays as the line that replays it, the property, and the last events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// The command that replays it.
    pub replay: String,
    /// What did not hold.
    pub violation: Violation,
    /// The troubles of the chaos in which it happened, or would have.
    pub schedule: Schedule,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "replay: {}\n{}", self.replay, self.violation)
    }
}

impl std::error::Error for Failure {}

/// What many seeds showed together.
///
/// Displays as a table of faults and checkers, with a remark on those that never came about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// How many seeds held.
    pub seeds: u64,
    /// Inputs that the nodes handled.
    pub steps: u64,
    /// Time on the worlds' clocks.
    pub simulated: Duration,
    /// The longest time after a heal until all was well, and whose it was.
    pub converged_in_max: (Duration, u64),
    /// How often each fault struck.
    pub struck: Struck,
    /// How often each checker judged.
    pub judged: BTreeMap<&'static str, u64>,
}

impl Totals {
    /// Adds what a seed showed.
    pub fn add(&mut self, seed: u64, report: &Report) {
        self.seeds += 1;
        self.steps += report.steps;
        self.simulated += report.simulated;
        self.converged_in_max = self.converged_in_max.max((report.converged_in, seed));
        self.struck.merge(&report.struck);
        for (name, count) in &report.judged {
            *self.judged.entry(name).or_default() += count;
        }
    }

    /// Adds what other seeds showed.
    pub fn merge(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.simulated += other.simulated;
        self.converged_in_max = self.converged_in_max.max(other.converged_in_max);
        self.struck.merge(&other.struck);
        for (name, count) in &other.judged {
            *self.judged.entry(name).or_default() += count;
        }
    }

    /// The checkers that never judged: they showed nothing.
    pub fn never_judged(&self) -> impl Iterator<Item = &'static str> {
        self.judged.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name)
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.simulated.as_secs_f64() / 3_600.0;
        writeln!(f, "{} seeds, {} inputs, {hours:.2} simulated hours", self.seeds, self.steps)?;
        let (longest, seed) = self.converged_in_max;
        writeln!(f, "converged within {:.3} s (seed {seed})", longest.as_secs_f64())?;
        write!(f, "struck: {}", self.struck)?;
        for (name, count) in &self.judged {
            let remark = if *count == 0 { ": never" } else { "" };
            write!(f, "\njudged {name} {count}{remark}")?;
        }
        Ok(())
    }
}

impl Plan {
    /// Runs many seeds, each with a scenario of its own, up to the first that fails.
    ///
    /// # Errors
    ///
    /// The [`Failure`] of that seed.
    pub fn run_seeds<S: Scenario>(
        &self,
        seeds: Range<u64>,
        mut scenario: impl FnMut(u64) -> S,
    ) -> Result<Totals, Box<Failure>> {
        let mut totals = Totals::default();
        for seed in seeds {
            let report = self.run_seed(seed, &mut scenario(seed))?;
            totals.add(seed, &report);
        }
        Ok(totals)
    }

    /// Cuts the schedule of a failure down to the troubles that it needs, by leaving out ever
    /// smaller parts (delta debugging, Zeller and Hildebrandt 2002). Runs the seed `runs_max`
    /// times at most, and keeps what fails for the same property. With several rounds the
    /// shorter schedule holds in each.
    pub fn shrink<S: Scenario>(
        &self,
        failure: Failure,
        runs_max: u32,
        mut scenario: impl FnMut(u64) -> S,
    ) -> Failure {
        let mut best = failure;
        let mut part = best.schedule.entries().len().div_ceil(2);
        let mut start = 0;
        for _ in 0..runs_max {
            let len = best.schedule.entries().len();
            if len == 0 {
                break;
            }
            if len <= start {
                if part == 1 {
                    break;
                }
                (part, start) = (part.div_ceil(2), 0);
            }
            let shorter = best.schedule.without(start..(start + part).min(len));
            match self.run_schedule(best.seed, &shorter, &mut scenario(best.seed)) {
                Err(failure) if failure.violation.property == best.violation.property => {
                    best = *failure;
                }
                _ => start += part,
            }
        }
        best
    }
}
