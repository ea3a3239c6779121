//! Many seeds on all cores: what they showed together, and how fast.

#![expect(clippy::disallowed_methods, reason = "how many seeds a second is measured")]

use crate::scenario::{Membership, plan};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};
use swarm_sim::{Failure, Report, Totals, seeds, sweep};

/// In the test command 20,000: `SWARM_SEEDS=20000 cargo test --release … -- --nocapture`.
#[test]
fn whatever_happens_the_properties_hold() {
    let (seeds, start) = (seeds(0..160), Instant::now());
    let n_seeds = seeds.end - seeds.start;
    let (mut totals, mut detections, mut failed) = (Totals::default(), Vec::new(), None);
    sweep(seeds, one, |seed, (result, mut noticed)| match result {
        Ok(report) => {
            totals.add(seed, &report);
            detections.append(&mut noticed);
            ControlFlow::Continue(())
        }
        Err(failure) => {
            if failed.as_deref().is_none_or(|known: &Failure| seed < known.seed) {
                failed = Some(failure);
            }
            ControlFlow::Break(())
        }
    });
    let took = start.elapsed().as_secs_f64();
    println!("{totals}\n{took:.1} s, {:.0} seeds a second", totals.seeds as f64 / took);
    if let Some(failure) = failed {
        let seed = failure.seed;
        panic!("{}", plan(seed).shrink(*failure, 40, Membership::new));
    }
    if n_seeds >= SEEDS_FOR_ALL {
        assert_eq!(totals.never_judged().collect::<Vec<_>>(), Vec::<&str>::new());
        let missing: Vec<_> = totals.struck.missing().collect();
        assert_eq!(missing, NEVER_STRUCK, "datagrams know no sessions");
        judge_detections(detections);
    }
}

/// One seed, and how long its deaths took to be noticed. Every so often a seed is run twice.
fn one(seed: u64) -> (Result<Report, Box<Failure>>, Vec<Duration>) {
    let mut scenario = Membership::new(seed);
    let result = plan(seed).run_seed(seed, &mut scenario);
    if let Ok(report) = &result
        && seed.is_multiple_of(50)
    {
        let again = plan(seed).run_seed(seed, &mut Membership::new(seed));
        let hash = again.map(|report| report.trace_hash).ok();
        assert_eq!(hash, Some(report.trace_hash), "seed {seed} does not give the same run twice");
    }
    let noticed = scenario.detections.take();
    (result, noticed)
}

/// M1, eight nodes: half of all are noticed within 6 s, all but one in a thousand within 12 s.
fn judge_detections(mut detections: Vec<Duration>) {
    detections.sort_unstable();
    let at = |permille: usize| detections[(detections.len() - 1) * permille / 1_000];
    println!(
        "M1: {} deaths noticed; half within {:?}, 99.9 % within {:?}, all within {:?}",
        detections.len(),
        at(500),
        at(999),
        at(1_000)
    );
    assert!(at(500) <= Duration::from_secs(6) && at(999) <= Duration::from_secs(12));
}

/// With fewer, chance alone leaves some without a case.
const SEEDS_FOR_ALL: u64 = 150;

const NEVER_STRUCK: [&str; 5] =
    ["session break", "idle timeout", "dial failed", "half open", "tail lost"];
