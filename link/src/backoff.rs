//! How long to wait before the next attempt.

use crate::config::Checked;
use std::time::Duration;
use swarm_base::{Instant, Rng};

/// The waits between attempts to reach one peer.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Counts a failure and draws the wait after it: doubled with each failure, less up to half at
    /// random, so that the nodes of a cluster do not all dial a restarted one at the same moment.
    pub(crate) fn fail(&mut self, config: &Checked, rng: &mut Rng) -> Duration {
        let doubled = config.backoff_min.saturating_mul(1 << self.failures.min(16));
        let longest = doubled.min(config.backoff_max);
        self.failures += 1;
        rng.duration(longest / 2..=longest)
    }

    /// Counts the end of a session that was up from `since` to `now`. Only one that lasted counts
    /// as a success: else a peer that accepts and closes at once would be dialled 20 times a second.
    pub(crate) fn end(&mut self, config: &Checked, since: Instant, now: Instant) {
        if now.since(since) >= config.backoff_max {
            self.failures = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    #[test]
    fn waits_grow_to_the_longest_and_begin_anew_after_a_session_that_lasted() {
        let config = Config::default().check().expect("the defaults make sense");
        let (mut rng, mut backoff) = (Rng::new(1), Backoff::default());
        let ms = |wait: Duration| wait.as_millis();
        assert!((25..=50).contains(&ms(backoff.fail(&config, &mut rng))));
        assert!((50..=100).contains(&ms(backoff.fail(&config, &mut rng))));
        for _ in 0..100 {
            backoff.fail(&config, &mut rng);
        }
        assert!((2500..=5000).contains(&ms(backoff.fail(&config, &mut rng))));

        let second = Instant::START + Duration::from_secs(1);
        backoff.end(&config, Instant::START, second);
        assert!(ms(backoff.fail(&config, &mut rng)) >= 2500, "a second is not lasting");
        backoff.end(&config, Instant::START, second + config.backoff_max);
        assert!(ms(backoff.fail(&config, &mut rng)) <= 50);
    }
}
