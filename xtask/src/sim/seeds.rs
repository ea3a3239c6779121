//! Many seeds on all cores, up to the first that fails.

use super::progress::Progress;
use std::ops::{ControlFlow, Range};
use std::time::Duration;
use swarm::world::{Options, run_seed};
use swarm_sim::{Failure, Report, Totals, sweep};

/// What many seeds showed.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) totals: Totals,
    pub(super) took: Duration,
    /// How many seeds were run twice, and gave the same trace.
    pub(super) replayed: u64,
    pub(super) failure: Option<Failed>,
}

/// Why a run failed.
#[derive(Debug)]
pub(super) enum Failed {
    /// A property did not hold.
    Seed(Box<Failure>),
    /// The same seed gave another trace.
    Replay { seed: u64, hashes: (u64, u64) },
}

impl Failed {
    const fn seed(&self) -> u64 {
        match self {
            Self::Seed(failure) => failure.seed,
            Self::Replay { seed, .. } => *seed,
        }
    }
}

/// Every so many seeds, one is run twice.
const REPLAY_EVERY: u64 = 10;

/// One seed that is done.
struct Done {
    replayed: bool,
    result: Result<Report, Failed>,
}

pub(super) fn run(seeds: Range<u64>, options: &Options) -> Outcome {
    let mut outcome =
        Outcome { totals: Totals::default(), took: Duration::ZERO, replayed: 0, failure: None };
    let mut progress = Progress::new("seeds", seeds.end.saturating_sub(seeds.start));
    sweep(
        seeds,
        |seed| run_one(seed, options),
        |seed, done| {
            let failed = outcome.take(seed, done);
            progress.step();
            failed
        },
    );
    outcome.took = progress.took();
    outcome
}

fn run_one(seed: u64, options: &Options) -> Done {
    let first = run_seed(seed, options);
    let replayed = seed.is_multiple_of(REPLAY_EVERY);
    let result = match first {
        Ok(report) if replayed => match run_seed(seed, options) {
            Ok(again) if again.trace_hash == report.trace_hash => Ok(report),
            again => {
                let other = again.map_or(0, |again| again.trace_hash);
                Err(Failed::Replay { seed, hashes: (report.trace_hash, other) })
            }
        },
        Ok(report) => Ok(report),
        Err(failure) => Err(Failed::Seed(failure)),
    };
    Done { replayed, result }
}

impl Outcome {
    /// Breaks off where the seed failed: those above it are not worth the time.
    fn take(&mut self, seed: u64, done: Done) -> ControlFlow<()> {
        match done.result {
            Ok(report) => {
                self.totals.add(seed, &report);
                self.replayed += u64::from(done.replayed);
                ControlFlow::Continue(())
            }
            Err(failed) => {
                // The lowest seed: the same one on every machine.
                let known = self.failure.as_ref().map_or(u64::MAX, Failed::seed);
                if failed.seed() < known {
                    self.failure = Some(failed);
                }
                ControlFlow::Break(())
            }
        }
    }
}
