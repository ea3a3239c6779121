//! What is said of a run at its end.

use super::seeds::{Failed, Outcome};
use crate::Failure;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// What a run showed, and whether that is enough.
#[derive(Debug)]
pub(super) struct Summary {
    outcome: Outcome,
    must: Must,
}

/// What must have happened for a run to show what it seems to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Must {
    Nothing,
    /// Every checker must have judged.
    Judge,
    /// And every fault must have struck.
    StrikeAndJudge,
}

impl Summary {
    pub(super) const fn new(outcome: Outcome, must: Must) -> Self {
        Self { outcome, must }
    }

    /// What should have happened and never did: then the run shows less than it seems to.
    fn missing(&self) -> Vec<String> {
        let totals = &self.outcome.totals;
        let faults = totals.struck.missing().map(|name| format!("fault {name} never struck"));
        let checks = totals.never_judged().map(|name| format!("checker {name:?} never judged"));
        match self.must {
            Must::Nothing => Vec::new(),
            Must::Judge => checks.collect(),
            Must::StrikeAndJudge => faults.chain(checks).collect(),
        }
    }

    pub(super) fn verdict(&self) -> Result<(), Failure> {
        match &self.outcome.failure {
            Some(Failed::Seed(failure)) => Err(Failure::new(format!(
                "seed {}: {:?} does not hold; replay: {}",
                failure.seed, failure.violation.property, failure.replay
            ))),
            Some(Failed::Replay { seed, .. }) => {
                Err(Failure::new(format!("seed {seed} does not give the same trace twice")))
            }
            None if !self.missing().is_empty() => Err(Failure::new(self.missing().join(", "))),
            None => Ok(()),
        }
    }

    fn rate(&self) -> f64 {
        let runs = self.outcome.totals.seeds + self.outcome.replayed;
        runs as f64 / self.outcome.took.as_secs_f64().max(1e-9)
    }

    pub(super) fn to_text(&self) -> String {
        let Outcome { totals, took, replayed, failure } = &self.outcome;
        let mut text = String::new();
        match failure {
            Some(Failed::Seed(failure)) => {
                let _ = writeln!(text, "{failure}");
                let _ = writeln!(text, "its faults:\n{}", failure.schedule);
            }
            Some(Failed::Replay { seed, hashes: (one, two) }) => {
                let _ = writeln!(text, "seed {seed} gives the traces {one:016x} and {two:016x}");
            }
            None => (),
        }
        let (longest, of) = totals.converged_in_max;
        let _ = writeln!(
            text,
            "{} seeds held, {replayed} of them twice with the same trace",
            totals.seeds
        );
        let _ = writeln!(
            text,
            "{:.1} s, {:.1} seeds a second; {} inputs, {:.1} simulated hours",
            took.as_secs_f64(),
            self.rate(),
            totals.steps,
            totals.simulated.as_secs_f64() / 3_600.0
        );
        let longest = longest.as_secs_f64();
        let _ =
            writeln!(text, "all was well {longest:.1} s after a heal at the latest (seed {of})");
        let _ = writeln!(text, "\nstruck");
        for (name, count) in totals.struck.iter() {
            let _ = writeln!(text, "{count:>12}  {name}");
        }
        let _ = writeln!(text, "\njudged");
        for (name, count) in &totals.judged {
            let _ = writeln!(text, "{count:>12}  {name}");
        }
        for missing in self.missing() {
            let _ = writeln!(text, "{missing}");
        }
        text
    }

    pub(super) fn to_json(&self) -> String {
        let Outcome { totals, took, replayed, failure } = &self.outcome;
        let struck: Map<_, _> =
            totals.struck.iter().map(|(name, count)| (name.to_owned(), json!(count))).collect();
        let failure = failure.as_ref().map_or(Value::Null, |failed| match failed {
            Failed::Seed(failure) => json!({
                "seed": failure.seed,
                "replay": failure.replay,
                "property": failure.violation.property,
                "at": failure.violation.at.to_string(),
                "sentence": failure.violation.sentence,
                "last": failure.violation.last,
            }),
            Failed::Replay { seed, .. } => json!({
                "seed": seed,
                "replay": format!("cargo xtask sim --seed {seed}"),
                "property": "the same seed gives the same trace",
            }),
        });
        json!({
            "passed": self.verdict().is_ok(),
            "seeds": totals.seeds,
            "replayed": replayed,
            "seconds": took.as_secs_f64(),
            "seeds_per_second": self.rate(),
            "inputs": totals.steps,
            "simulated_seconds": totals.simulated.as_secs_f64(),
            "converged_in_max_seconds": totals.converged_in_max.0.as_secs_f64(),
            "struck": struck,
            "judged": totals.judged,
            "missing": self.missing(),
            "failure": failure,
        })
        .to_string()
    }
}
