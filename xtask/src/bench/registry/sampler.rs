//! Lookups that are timed one by one, a few at a time, beside whatever else goes on.

use crate::bench::figures::Watch;
use crate::bench::load::shuffled;
use crate::bench::protocol::Reply;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use swarm::Swarm;

/// A thread that looks names up until it is told to end.
pub(super) struct Sampler {
    done: Arc<AtomicBool>,
    thread: JoinHandle<Histogram>,
}

/// Some lookups, and then a rest: a fifth of a processor or less.
const AT_A_TIME: usize = 1_000;
const REST: Duration = Duration::from_millis(2);

impl Sampler {
    pub(super) fn begin(swarm: Swarm, prefix: &str, count: u64) -> Self {
        let (names, done) = (shuffled(prefix, count), Arc::new(AtomicBool::new(false)));
        let end = done.clone();
        let thread = thread::spawn(move || {
            let mut histogram = Histogram(vec![0; BUCKETS]);
            for names in names.chunks(AT_A_TIME).cycle() {
                if end.load(Ordering::Acquire) {
                    break;
                }
                for name in names {
                    let asked = Watch::start();
                    black_box(swarm.whereis(name));
                    histogram.add(asked.nanos());
                }
                thread::sleep(REST);
            }
            histogram
        });
        Self { done, thread }
    }

    pub(super) fn end(self) -> Result<Reply, String> {
        self.done.store(true, Ordering::Release);
        let histogram = self.thread.join().map_err(|_| "the lookups failed")?;
        let us = |permille| histogram.percentile(permille) as f64 / 1e3;
        Ok(Reply::Rate { per_second: 0.0, p50_us: us(500), p99_us: us(990) })
    }
}

/// How many lookups took how long. The last bucket is for all that took longer.
struct Histogram(Vec<u64>);

const BUCKETS: usize = 100_000;
const BUCKET_NS: u64 = 10;

impl Histogram {
    fn add(&mut self, nanos: u64) {
        let at = usize::try_from(nanos / BUCKET_NS).unwrap_or(BUCKETS).min(BUCKETS - 1);
        self.0[at] += 1;
    }

    /// The nanoseconds below which `permille` of a thousand lie; 0 of nothing.
    fn percentile(&self, permille: u64) -> u64 {
        let wanted = self.0.iter().sum::<u64>() * permille / 1_000;
        let mut seen = 0;
        for (at, n) in self.0.iter().enumerate() {
            seen += n;
            if seen > wanted {
                return at as u64 * BUCKET_NS;
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_that_of_the_values() {
        let mut histogram = Histogram(vec![0; BUCKETS]);
        assert_eq!(histogram.percentile(990), 0);
        (0..1_000).for_each(|n| histogram.add(n * 10));
        assert_eq!((histogram.percentile(500), histogram.percentile(990)), (5_000, 9_900));
        histogram.add(u64::MAX);
        assert_eq!(histogram.percentile(999), 9_990);
    }
}
