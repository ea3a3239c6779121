//! Whether a process that ended runs again.

use crate::ExitReason;
use std::collections::VecDeque;
use std::time::Duration;
use swarm_base::Instant;

/// Which ends a worker is restarted after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Restart {
    /// Every end, also when it stopped by itself.
    Permanent,
    /// An abnormal end: a panic, a kill, a start that failed.
    #[default]
    Transient,
    /// None.
    Temporary,
}

/// How many restarts within which time are too many: a worker that needs more is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Intensity {
    /// So many restarts are made. 0: the first end is the last.
    pub restarts: u32,
    /// Within this time.
    pub within: Duration,
}

impl Default for Intensity {
    fn default() -> Self {
        Self { restarts: 3, within: Duration::from_secs(5) }
    }
}

/// The restarts of one worker.
#[derive(Clone, Debug)]
pub struct Supervision {
    restart: Restart,
    intensity: Intensity,
    /// When it was restarted within the last `intensity.within`.
    restarts: VecDeque<Instant>,
}

/// What becomes of a worker that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// Start it again after this time.
    Restart {
        /// Grows with each restart of the last while.
        after: Duration,
    },
    /// Its policy wants no restart: it has done its work.
    Done,
    /// It has ended too often.
    GiveUp,
}

impl Supervision {
    /// A worker that was never restarted.
    #[must_use]
    pub const fn new(restart: Restart, intensity: Intensity) -> Self {
        Self { restart, intensity, restarts: VecDeque::new() }
    }

    /// Decides, and counts a restart as made at `now` plus its delay.
    pub fn handle_exit(&mut self, now: Instant, reason: &ExitReason) -> Decision {
        let wanted = match (self.restart, reason) {
            // It runs elsewhere, or never took over: not an end of the worker.
            (_, ExitReason::Moved | ExitReason::Discarded) | (Restart::Temporary, _) => false,
            (Restart::Permanent, _) => true,
            (Restart::Transient, reason) => reason.is_abnormal(),
        };
        if !wanted {
            return Decision::Done;
        }
        while self.restarts.front().is_some_and(|at| now.since(*at) > self.intensity.within) {
            self.restarts.pop_front();
        }
        let made = u32::try_from(self.restarts.len()).unwrap_or(u32::MAX);
        if made >= self.intensity.restarts {
            return Decision::GiveUp;
        }
        let after = backoff(made);
        self.restarts.push_back(now + after);
        Decision::Restart { after }
    }
}

/// At once the first time; then long enough for a passing cause to pass.
fn backoff(made: u32) -> Duration {
    match made {
        0 => Duration::ZERO,
        _ => (FIRST * 2u32.pow((made - 1).min(10))).min(LONGEST),
    }
}

const FIRST: Duration = Duration::from_millis(50);

/// A killed worker is back within a second (and three restarts fit well into five).
const LONGEST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::after_start(Duration::from_millis(ms))
    }

    fn panicked() -> ExitReason {
        ExitReason::Panicked { message: "boom".into() }
    }

    fn check(restart: Restart, reason: ExitReason, restarted: bool) {
        let decision = Supervision::new(restart, Intensity::default()).handle_exit(at(0), &reason);
        let want = match restarted {
            true => Decision::Restart { after: Duration::ZERO },
            false => Decision::Done,
        };
        assert_eq!(decision, want, "{restart:?} after {reason}");
    }

    #[test]
    fn the_policy_and_the_reason_decide() {
        check(Restart::Permanent, ExitReason::Stopped, true);
        check(Restart::Permanent, panicked(), true);
        check(Restart::Permanent, ExitReason::Moved, false);
        check(Restart::Permanent, ExitReason::Discarded, false);
        check(Restart::Transient, ExitReason::Stopped, false);
        check(Restart::Transient, panicked(), true);
        check(Restart::Transient, ExitReason::Killed, true);
        check(Restart::Transient, ExitReason::StartFailed { message: "no".into() }, true);
        check(Restart::Transient, ExitReason::Overloaded, true);
        check(Restart::Temporary, panicked(), false);
        check(Restart::Temporary, ExitReason::Stopped, false);
    }

    #[test]
    fn a_worker_that_ends_too_often_is_given_up() {
        let mut worker = Supervision::new(Restart::Transient, Intensity::default());
        let delays = [0, 50, 100];
        for (ended, delay) in [0, 10, 100].into_iter().zip(delays) {
            let after = Duration::from_millis(delay);
            let decision = worker.handle_exit(at(ended), &panicked());
            assert_eq!(decision, Decision::Restart { after });
        }
        assert_eq!(worker.handle_exit(at(300), &panicked()), Decision::GiveUp);
    }

    #[test]
    fn restarts_of_long_ago_do_not_count() {
        let mut worker = Supervision::new(Restart::Transient, Intensity::default());
        for ended in [0, 6_000, 12_000, 18_000, 24_000] {
            let decision = worker.handle_exit(at(ended), &panicked());
            assert_eq!(decision, Decision::Restart { after: Duration::ZERO });
        }
    }

    #[test]
    fn no_delay_is_longer_than_a_second() {
        let eager = Intensity { restarts: 100, within: Duration::from_secs(3600) };
        let mut worker = Supervision::new(Restart::Permanent, eager);
        for _ in 0..100 {
            let decision = worker.handle_exit(at(0), &panicked());
            assert!(matches!(decision, Decision::Restart { after } if after <= LONGEST));
        }
        assert_eq!(worker.handle_exit(at(0), &panicked()), Decision::GiveUp);
    }
}
