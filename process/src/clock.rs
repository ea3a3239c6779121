//! The one place of this crate that reads a clock.
#![expect(clippy::disallowed_methods, reason = "a shell: it turns the clock into an argument")]

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

    /// The same moment on the runtime's clock, for its timers.
    #[must_use]
    pub fn at(&self, instant: Instant) -> tokio::time::Instant {
        self.0 + instant.since_start()
    }
}
