//! This node's own health (Lifeguard, Local Health Aware Probe): who fails to hear from others
//! should first doubt itself.

use crate::Config;
use std::time::Duration;

/// How well this node itself does, as its probes tell: 0 is well, each point stretches its probe
/// interval and its timeouts once more. Falls by one with every answered probe; rises when helpers
/// do not even say that they tried, when nobody could be asked to help, and when this node has to
/// refute that it is dead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Health {
    score: u32,
}

impl Health {
    /// 0 is well; at most [`health_mult_max`](Config::health_mult_max) − 1.
    #[must_use]
    pub const fn score(self) -> u32 {
        self.score
    }

    pub(crate) fn improve(&mut self) {
        self.score = self.score.saturating_sub(1);
    }

    pub(crate) fn worsen(&mut self, by: u32, config: &Config) {
        self.score = (self.score + by).min(config.health_mult_max - 1);
    }

    /// A duration as this node should count it.
    pub(crate) fn stretched(self, duration: Duration) -> Duration {
        duration * (self.score + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stretches_within_its_bounds_and_recovers() {
        let (mut health, config) = (Health::default(), Config::lan());
        let second = Duration::from_secs(1);
        health.worsen(100, &config);
        assert_eq!(health.stretched(second), second * config.health_mult_max);
        for _ in 0..20 {
            health.improve();
        }
        assert_eq!(health.stretched(second), second);
        health.worsen(3, &Config { health_mult_max: 1, ..config });
        assert_eq!(health.score(), 0);
    }
}
