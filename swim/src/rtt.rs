//! How long a member's answers take (RFC 6298 §2).

use crate::Config;
use std::time::Duration;

/// The smoothed round trip to one member and its variation, in microseconds; the variation is 0
/// before the first measurement.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rtt {
    smoothed_us: u32,
    variation_us: u32,
}

impl Rtt {
    /// One more measurement, of a ping that was sent once (Karn's rule).
    pub(crate) fn measure(&mut self, rtt: Duration) {
        // Bounded far below where the sums could overflow.
        let rtt_us = rtt.as_micros().min(100_000_000) as u32;
        if self.variation_us == 0 {
            *self = Self { smoothed_us: rtt_us, variation_us: (rtt_us / 2).max(1) };
            return;
        }
        let error_us = self.smoothed_us.abs_diff(rtt_us);
        self.variation_us = ((3 * self.variation_us + error_us) / 4).max(1);
        self.smoothed_us = (7 * self.smoothed_us + rtt_us) / 8;
    }

    /// How long a direct ping may take.
    pub(crate) fn timeout(self, config: &Config) -> Duration {
        if self.variation_us == 0 {
            return config.probe_timeout;
        }
        let measured_us = u64::from(self.smoothed_us) + 4 * u64::from(self.variation_us);
        Duration::from_micros(measured_us).clamp(config.probe_timeout_min, config.probe_timeout)
    }

    /// The smoothed round trip, once there is one.
    pub(crate) fn smoothed(self) -> Option<Duration> {
        (self.variation_us > 0).then(|| Duration::from_micros(u64::from(self.smoothed_us)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_follows_the_round_trips_within_its_bounds() {
        let (mut rtt, config) = (Rtt::default(), Config::lan());
        let ms = Duration::from_millis;
        assert_eq!(rtt.timeout(&config), config.probe_timeout);
        (0..50).for_each(|_| rtt.measure(ms(1)));
        assert_eq!(rtt.timeout(&config), config.probe_timeout_min);
        (0..50).for_each(|_| rtt.measure(ms(200)));
        assert!(rtt.timeout(&config) > ms(200) && rtt.timeout(&config) < ms(300));
        rtt.measure(Duration::MAX);
        assert_eq!(rtt.timeout(&config), config.probe_timeout);
    }
}
