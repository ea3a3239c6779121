//! How long a member's answers take (RFC 6298 §2).

use crate::Config;
use std::time::Duration;

/// The smoothed round trip to one member and its variation, in units of 64 µs, up to 4 s; the
/// variation is 0 before the first measurement. Small, because every member has one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rtt {
    smoothed: u16,
    variation: u16,
}

impl Rtt {
    /// One more measurement, of a ping that was sent once (Karn's rule).
    pub(crate) fn measure(&mut self, rtt: Duration) {
        let rtt = (rtt.as_micros() / UNIT_US).min(u128::from(u16::MAX)) as u32;
        let (smoothed, variation) = (u32::from(self.smoothed), u32::from(self.variation));
        let (smoothed, variation) = match variation {
            0 => (rtt, rtt / 2),
            _ => ((7 * smoothed + rtt) / 8, (3 * variation + smoothed.abs_diff(rtt)) / 4),
        };
        *self = Self { smoothed: smoothed as u16, variation: variation.max(1) as u16 };
    }

    /// How long a direct ping may take.
    pub(crate) fn timeout(self, config: &Config) -> Duration {
        if self.variation == 0 {
            return config.probe_timeout;
        }
        let measured = units(u32::from(self.smoothed) + 4 * u32::from(self.variation));
        measured.clamp(config.probe_timeout_min, config.probe_timeout)
    }

    /// How long pings through others may take: two round trips one after the other, and one to
    /// spare.
    pub(crate) fn relayed_timeout(self, config: &Config) -> Duration {
        (self.timeout(config) * 3).min(config.probe_timeout)
    }

    /// The smoothed round trip, once there is one.
    pub(crate) fn smoothed(self) -> Option<Duration> {
        (self.variation > 0).then(|| units(u32::from(self.smoothed)))
    }
}

fn units(n: u32) -> Duration {
    Duration::from_micros(u64::from(n) * UNIT_US as u64)
}

const UNIT_US: u128 = 64;

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
        assert_eq!(rtt.relayed_timeout(&config), 3 * config.probe_timeout_min);
        (0..50).for_each(|_| rtt.measure(ms(200)));
        assert!(rtt.timeout(&config) > ms(200) && rtt.timeout(&config) < ms(300));
        assert_eq!(rtt.relayed_timeout(&config), config.probe_timeout);
        rtt.measure(Duration::MAX);
        assert_eq!(rtt.timeout(&config), config.probe_timeout);
    }
}
