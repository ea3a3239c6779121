//! The clock of a node, which may run faster or slower than the world's.

use std::time::Duration;
use swarm_base::Instant;

/// A node's clock: it leaves the world's at `base`, and runs at its own rate from there.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    world_base: Instant,
    local_base: Instant,
    rate_permille: u32,
}

impl Clock {
    pub(super) const TRUE: Self =
        Self { world_base: Instant::START, local_base: Instant::START, rate_permille: 1_000 };

    /// The same clock, at another rate from `now` on.
    pub(super) fn at_rate(self, now: Instant, rate_permille: u32) -> Self {
        Self { world_base: now, local_base: self.local(now), rate_permille }
    }

    pub(super) fn local(self, world: Instant) -> Instant {
        let elapsed = world.since(self.world_base);
        match self.rate_permille {
            1_000 => self.local_base + elapsed,
            rate => self.local_base + elapsed.saturating_mul(rate) / 1_000,
        }
    }

    /// The first moment at which the clock shows at least `local`.
    pub(super) fn world(self, local: Instant) -> Instant {
        let elapsed = local.since(self.local_base);
        match self.rate_permille {
            1_000 => self.world_base + elapsed,
            rate => {
                let nanos = elapsed.as_nanos().saturating_mul(1_000).div_ceil(u128::from(rate));
                let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
                self.world_base + Duration::from_nanos(nanos)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use swarm_base::Rng;

    #[test]
    fn a_skewed_clock_shows_the_deadline_at_the_moment_it_is_due() {
        let mut rng = Rng::new(5);
        for _ in 0..10_000 {
            let now = Instant::after_start(rng.duration(Duration::ZERO..=Duration::from_secs(100)));
            let rate = 950 + rng.below(101) as u32;
            let clock = Clock::TRUE.at_rate(now, rate);
            let local = now + rng.duration(Duration::ZERO..=Duration::from_secs(100));
            let due = clock.world(local);
            assert!(clock.local(due) >= local, "rate {rate}: never early");
            assert!(clock.local(due - Duration::from_nanos(2)) <= local, "rate {rate}: nor late");
        }
    }

    #[test]
    fn a_clock_that_is_put_right_does_not_jump() {
        let at = |secs| Instant::after_start(Duration::from_secs(secs));
        let slow = Clock::TRUE.at_rate(at(10), 500);
        assert_eq!(slow.local(at(20)), at(15));
        let right = slow.at_rate(at(20), 1_000);
        assert_eq!((right.local(at(20)), right.local(at(25))), (at(15), at(20)));
    }
}
