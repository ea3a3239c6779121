//! What the person at the terminal sees, and what `--json` writes.

#![expect(clippy::disallowed_methods, reason = "a person waits for it: real time is shown")]

use super::figures::Figure;
use crate::{Failure, output};
use serde::Serialize;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Lines go to stdout; with `--json` to stderr, as stdout is for the figures alone.
pub(crate) struct Screen {
    begin: Instant,
    style: Style,
    is_terminal: bool,
    progressed: Option<Instant>,
    step: usize,
    checks: Vec<Check>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Text,
    Json,
}

/// A line that held.
#[derive(Debug, Serialize)]
struct Check {
    step: usize,
    /// When it was known, in seconds since the begin.
    at: f64,
    what: String,
    figures: Vec<Figure>,
}

/// Where progress cannot overwrite itself, it is a line, and not too often.
const PLAIN_EVERY: Duration = Duration::from_secs(1);

/// Often enough for an eye.
const TERMINAL_EVERY: Duration = Duration::from_millis(50);

impl Screen {
    pub(crate) fn new(style: Style) -> Self {
        Self {
            begin: Instant::now(),
            style,
            is_terminal: std::io::stderr().is_terminal(),
            progressed: None,
            step: 0,
            checks: Vec::new(),
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// What follows belongs to this step.
    pub(crate) fn begin_step(&mut self, step: usize) {
        self.step = step;
        self.progressed = Some(Instant::now());
    }

    /// How far the present step is.
    pub(crate) fn progress(&mut self, text: &str) {
        let every = if self.is_terminal { TERMINAL_EVERY } else { PLAIN_EVERY };
        if self.progressed.is_some_and(|last| last.elapsed() < every) {
            return;
        }
        self.progressed = Some(Instant::now());
        let at = self.elapsed().as_secs_f64();
        let line = format!("{at:>6.1}s    {text}");
        let mut err = std::io::stderr();
        // A terminal that is gone cannot be told so.
        let _ = match self.is_terminal {
            true => write!(err, "\r\x1b[K{line}").and_then(|()| err.flush()),
            false => writeln!(err, "{line}"),
        };
    }

    /// A line that claims nothing.
    pub(crate) fn say(&mut self, text: &str) {
        self.write("  ", text);
    }

    /// A line that held, with what was measured.
    pub(crate) fn holds(&mut self, what: String, figures: Vec<Figure>) {
        let mark = format!("✓ {} ", self.step);
        self.write(&mark, &what);
        let at = self.elapsed().as_secs_f64();
        self.checks.push(Check { step: self.step, at, what, figures });
    }

    /// The line that did not hold.
    pub(crate) fn fails(&mut self, why: &str) {
        let mark = format!("✗ {} ", self.step);
        self.write(&mark, why);
    }

    /// With `--json`, everything on one line.
    ///
    /// # Errors
    ///
    /// Says why stdout does not take it.
    pub(crate) fn close(&self, failure: Option<&str>) -> Result<(), Failure> {
        if self.style == Style::Json {
            let report = serde_json::json!({
                "passed": failure.is_none(),
                "failure": failure,
                "seconds": self.elapsed().as_secs_f64(),
                "checks": self.checks,
            });
            output::line(report)?;
        }
        Ok(())
    }

    fn write(&self, mark: &str, text: &str) {
        if self.is_terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
        let line = format!("{:>6.1}s  {mark}{text}", self.elapsed().as_secs_f64());
        // Whoever looks at the lines is not who waits for the exit status.
        let _ = match self.style {
            Style::Text => output::line(line).is_ok(),
            Style::Json => writeln!(std::io::stderr(), "{line}").is_ok(),
        };
    }
}
