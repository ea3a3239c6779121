//! How many facts one peer may send.

use std::time::Duration;
use swarm_base::Instant;

/// What a peer may still send at once: a second's worth, which grows back as time goes by (the
/// token bucket of RFC 2697, §3, with one colour).
#[derive(Debug)]
pub(crate) struct Quota {
    per_second: u64,
    left: u64,
    /// Up to when it has grown back.
    at: Instant,
}

impl Quota {
    pub(crate) const fn new(now: Instant, per_second: u64) -> Self {
        Self { per_second, left: per_second, at: now }
    }

    /// Takes `count` from it, or says after how long there is enough.
    pub(crate) fn take(&mut self, now: Instant, count: u64) -> Result<(), Duration> {
        let nanos = u64::try_from(now.since(self.at).as_nanos()).unwrap_or(u64::MAX);
        let grown = u128::from(nanos) * u128::from(self.per_second) / SECOND;
        if grown > 0 {
            // What is left of a fact counts the next time.
            let spent = grown * SECOND / u128::from(self.per_second);
            self.at += Duration::from_nanos(u64::try_from(spent).unwrap_or(u64::MAX));
            let left = u128::from(self.left) + grown;
            self.left = u64::try_from(left).unwrap_or(u64::MAX).min(self.per_second);
        }
        match self.left.checked_sub(count) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                let missing = u128::from(count - self.left) * SECOND;
                let nanos = missing.div_ceil(u128::from(self.per_second));
                Err(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
            }
        }
    }
}

/// Nanoseconds.
const SECOND: u128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seconds_worth_at_once_and_then_as_fast_as_it_grows_back() {
        let mut now = Instant::START;
        let mut quota = Quota::new(now, 1_000);
        assert_eq!(quota.take(now, 1_000), Ok(()));
        assert_eq!(quota.take(now, 1), Err(Duration::from_millis(1)));
        now += Duration::from_micros(500);
        assert_eq!(quota.take(now, 1), Err(Duration::from_millis(1)));
        now += Duration::from_micros(500);
        assert_eq!(quota.take(now, 1), Ok(()));
        now += Duration::from_secs(100);
        assert_eq!(
            quota.take(now, 1_001),
            Err(Duration::from_millis(1)),
            "never more than a second"
        );
        assert_eq!(quota.take(now, 1_000), Ok(()));
    }

    #[test]
    fn what_grew_back_in_part_is_not_lost() {
        let mut now = Instant::START;
        let mut quota = Quota::new(now, 1_000);
        assert_eq!(quota.take(now, 1_000), Ok(()));
        let mut taken = 0;
        for _ in 0..10_000 {
            now += Duration::from_micros(300);
            taken += u32::from(quota.take(now, 1).is_ok());
        }
        assert_eq!(taken, 3_000, "3 seconds");
    }
}
