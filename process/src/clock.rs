//! The one place of this crate that reads a clock.
#![expect(clippy::disallowed_methods, reason = "a shell: it turns the clock into an argument")]

use std::time::Duration;
use swarm_base::Instant;

/// A node's monotonic clock, counted from when it was started. Copies tell the same time.
#[derive(Clone, Copy, Debug)]
pub struct Clock(tokio::time::Instant);

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self(tokio::time::Instant::now())
    }

    /// The time since the start.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::after_start(self.0.elapsed())
    }

    /// The same moment on the runtime's clock, for its timers; at most 30 years after the start,
    /// which is as good as never.
    #[must_use]
    pub fn at(&self, instant: Instant) -> tokio::time::Instant {
        self.0 + instant.since_start().min(NEVER)
    }
}

/// The runtime's clock cannot tell every moment that a duration can.
const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_time_is_no_panic() {
        let clock = Clock::start();
        let never = clock.at(clock.now() + Duration::MAX);
        assert!(never > clock.at(clock.now() + Duration::from_secs(3600)));
    }
}
