//! Many seeds on all cores: what they showed together, and how fast.

#![expect(clippy::disallowed_methods, reason = "how many seeds a second is measured")]

use crate::bulk;
use crate::scenario::{Cluster, Kind, kind, plan};
use std::ops::{ControlFlow, Range};
use std::time::Instant;
use swarm_sim::{Failure, Report, Totals, seeds, sweep};

/// In the test command many more: `SWARM_SEEDS=20000 cargo test --release … -- --nocapture`.
#[test]
fn whatever_happens_the_properties_hold() {
    let totals = run(seeds(0..SEEDS), kind);
    if totals.seeds >= SEEDS_FOR_ALL {
        assert_eq!(totals.never_judged().collect::<Vec<_>>(), Vec::<&str>::new());
        assert_eq!(totals.struck.missing().collect::<Vec<_>>(), NEVER_STRUCK);
    }
}

#[test]
fn very_many_facts_arrive_whole() {
    let n_facts = bulk::n_facts();
    let totals = run(bulk::seeds(), |_| Kind::Bulk(n_facts));
    println!("{n_facts} facts in each of {} seeds", totals.seeds);
}

fn run(seeds: Range<u64>, kind: impl Fn(u64) -> Kind + Sync) -> Totals {
    let (mut totals, mut failed, start) = (Totals::default(), None, Instant::now());
    sweep(
        seeds,
        |seed| one(seed, kind(seed)),
        |seed, result| match result {
            Ok(report) => {
                totals.add(seed, &report);
                ControlFlow::Continue(())
            }
            Err(failure) => {
                if failed.as_deref().is_none_or(|known: &Failure| seed < known.seed) {
                    failed = Some(failure);
                }
                ControlFlow::Break(())
            }
        },
    );
    let took = start.elapsed().as_secs_f64();
    println!("{totals}\n{took:.1} s, {:.1} seeds a second", totals.seeds as f64 / took);
    if let Some(failure) = failed {
        let seed = failure.seed;
        let cluster = |seed| Cluster::new(seed, kind(seed));
        panic!("{}", plan(seed, kind(seed)).shrink(*failure, 40, cluster));
    }
    totals
}

/// One seed. Every so often it is run twice.
fn one(seed: u64, kind: Kind) -> Result<Report, Box<Failure>> {
    let plan = plan(seed, kind);
    let result = plan.run_seed(seed, &mut Cluster::new(seed, kind));
    if let Ok(report) = &result
        && seed.is_multiple_of(50)
    {
        let again = plan.run_seed(seed, &mut Cluster::new(seed, kind));
        let hash = again.map(|report| report.trace_hash).ok();
        assert_eq!(hash, Some(report.trace_hash), "seed {seed} does not give the same run twice");
    }
    result
}

const SEEDS: u64 = 60;

/// With fewer, chance alone leaves some without a case.
const SEEDS_FOR_ALL: u64 = 100;

/// Signs of life are there or not.
const NEVER_STRUCK: [&str; 1] = ["damage"];
