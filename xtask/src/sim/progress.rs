//! How far a long computation is, on stderr.

#![expect(clippy::disallowed_methods, reason = "a person waits for it: real time is measured")]

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Says now and then how far it is.
pub(super) struct Progress {
    what: &'static str,
    all: u64,
    done: u64,
    started: Instant,
    shown: Duration,
    is_terminal: bool,
}

impl Progress {
    pub(super) fn new(what: &'static str, all: u64) -> Self {
        Self {
            what,
            all,
            done: 0,
            started: Instant::now(),
            shown: Duration::ZERO,
            is_terminal: std::io::stderr().is_terminal(),
        }
    }

    /// One more is done.
    pub(super) fn step(&mut self) {
        self.done += 1;
        let took = self.took();
        let gap = Duration::from_millis(if self.is_terminal { 200 } else { 5_000 });
        if took < self.shown + gap {
            return;
        }
        self.shown = took;
        let rate = self.done as f64 / took.as_secs_f64();
        let line = format!("{} of {} {}, {rate:.1} a second", self.done, self.all, self.what);
        let mut err = std::io::stderr().lock();
        // Nobody is worse off when a line of progress cannot be shown.
        let _ = match self.is_terminal {
            true => write!(err, "\r{line}   "),
            false => writeln!(err, "{line}"),
        };
        let _ = err.flush();
    }

    /// Since the start.
    pub(super) fn took(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_terminal && self.shown > Duration::ZERO {
            eprintln!();
        }
    }
}
