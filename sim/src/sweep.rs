//! Many worlds at once: one on each core.

use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

/// Runs `job` for each of `seeds` on all cores, and hands `take` what each gave, as it comes.
///
/// Seeds begin in order, and none begins after `take` has broken off; those that have begun are
/// still taken. So the lowest seed that makes `take` break off is known in the end, on whatever
/// machine.
pub fn sweep<T: Send>(
    seeds: Range<u64>,
    job: impl Fn(u64) -> T + Sync,
    mut take: impl FnMut(u64, T) -> ControlFlow<()>,
) {
    let (next, is_over) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let n_workers = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (sender, done) = mpsc::sync_channel(n_workers * 4);
    thread::scope(|scope| {
        for _ in 0..n_workers {
            let (sender, job, next, is_over) = (sender.clone(), &job, &next, &is_over);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || sender.send((seed, job(seed))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for (seed, result) in done {
            if take(seed, result).is_break() {
                is_over.store(true, Ordering::Relaxed);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_seed_is_run_once() {
        let mut taken = BTreeMap::new();
        sweep(
            5..105,
            |seed| seed * 2,
            |seed, result| {
                assert_eq!(taken.insert(seed, result), None);
                ControlFlow::Continue(())
            },
        );
        assert!(taken.into_iter().eq((5..105).map(|seed| (seed, seed * 2))));
    }

    #[test]
    fn all_below_the_one_that_breaks_off_are_taken_and_not_all_above() {
        let mut taken = Vec::new();
        sweep(
            0..1_000_000,
            |seed| seed,
            |seed, _| {
                taken.push(seed);
                if seed == 70 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        );
        taken.sort_unstable();
        assert!(taken.len() < 500_000 && taken[..71].iter().copied().eq(0..71));
    }
}
