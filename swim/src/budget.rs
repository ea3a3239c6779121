//! How many packets one sender may have opened: one member gone mad should not keep the others
//! busy.

use swarm_base::Instant;

/// A token bucket: 1,000 packets a second, and bursts of 2,000. A table of ten thousand members
/// comes in some 900 packets; all else of a healthy member stays below a hundred a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    n_left: u32,
    /// Up to when shares have been filled in.
    filled: Instant,
}

impl Budget {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { n_left: BURST, filled: now }
    }

    /// Takes one packet's share, if it is there.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let n_ms = now.since(self.filled).as_millis().min(u128::from(BURST)) as u32;
        if n_ms > 0 {
            self.n_left = (self.n_left + n_ms).min(BURST);
            self.filled = now;
        }
        let has_one = self.n_left > 0;
        self.n_left -= u32::from(has_one);
        has_one
    }
}

/// The most shares at once. One fills in each millisecond.
const BURST: u32 = 2_000;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_is_allowed_and_then_a_steady_rate() {
        let now = Instant::START;
        let mut budget = Budget::new(now);
        assert_eq!((0..5_000).filter(|_| budget.take(now)).count(), BURST as usize);
        let later = now + Duration::from_millis(500);
        assert_eq!((0..5_000).filter(|_| budget.take(later)).count(), 500);
    }
}
