//! What a run prints: one line for each scenario, and all there is to know of one that fails.

use super::scenarios::Scenario;
use super::stage::Stage;
use crate::{Failure, output};
use serde_json::{Map, Value, json};
use std::fmt;
use std::time::Duration;

/// What a scenario measured, in the order in which it is told.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Figures(Vec<Figure>);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Figure {
    what: &'static str,
    value: f64,
    unit: &'static str,
}

impl Figures {
    pub(super) fn and(mut self, what: &'static str, value: f64, unit: &'static str) -> Self {
        assert!(self.0.iter().all(|figure| figure.what != what), "two figures are called {what}");
        self.0.push(Figure { what, value, unit });
        self
    }

    pub(super) fn and_time(self, what: &'static str, time: Duration) -> Self {
        self.and(what, time.as_secs_f64(), "s")
    }

    pub(super) fn and_count(self, what: &'static str, count: usize) -> Self {
        self.and(what, count as f64, "")
    }

    fn to_json(&self) -> Value {
        let pairs = self.0.iter().map(|Figure { what, value, unit }| {
            (what.to_string(), json!({ "value": value, "unit": unit }))
        });
        Value::Object(pairs.collect::<Map<_, _>>())
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, Figure { what, value, unit }) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            match *unit {
                "" => write!(f, "{comma}{what} {value}")?,
                "s" if *value < 0.1 => write!(f, "{comma}{what} {:.0} ms", value * 1000.0)?,
                "s" => write!(f, "{comma}{what} {value:.2} s")?,
                _ if *value < 1.0 => write!(f, "{comma}{what} {value:.2} {unit}")?,
                _ => write!(f, "{comma}{what} {value:.1} {unit}")?,
            }
        }
        Ok(())
    }
}

/// How one scenario went.
pub(super) struct Outcome {
    pub(super) scenario: Scenario,
    pub(super) n_nodes: usize,
    pub(super) took: Duration,
    pub(super) result: Result<Figures, Broken>,
}

/// Why a scenario failed.
pub(super) struct Broken {
    why: Failure,
    /// The last lines of each agent, by its name.
    last: Vec<(String, Vec<String>)>,
}

impl Broken {
    /// A failure on a stage, with what its agents said last.
    pub(super) fn new(why: Failure, stage: Option<&Stage>) -> Self {
        let agents = stage.map(Stage::agents).unwrap_or_default();
        let lines = |log: &super::agent::Log| log.last().map(String::from).collect();
        let last = agents.iter().map(|agent| (agent.name().to_owned(), lines(&agent.log())));
        let keepers = stage.into_iter().flat_map(Stage::keepers_last);
        Self { why, last: last.chain(keepers).collect() }
    }
}

impl Outcome {
    /// Prints it.
    pub(super) fn print(&self, style: Style, again: &str) -> Result<(), Failure> {
        match style {
            Style::Json => output::line(self.to_json(again)),
            Style::Text => output::line(self.to_text(again).trim_end()),
        }
    }

    fn to_text(&self, again: &str) -> String {
        let name = self.scenario.name();
        let took = self.took.as_secs_f64();
        match &self.result {
            Ok(figures) => {
                let figures = figures.to_string();
                format!("{name:<22} {:>3} nodes  {figures}  ({took:.1} s)", self.n_nodes)
            }
            Err(Broken { why, last }) => {
                let mut text = format!("{name:<22} FAILED: {why}\n");
                for (agent, lines) in last {
                    for line in lines {
                        text.push_str(&format!("    {agent} | {line}\n"));
                    }
                }
                text + &format!("    again: {again}\n")
            }
        }
    }

    fn to_json(&self, again: &str) -> Value {
        let mut object = json!({
            "scenario": self.scenario.name(),
            "nodes": self.n_nodes,
            "seconds": self.took.as_secs_f64(),
            "passed": self.result.is_ok(),
        });
        match &self.result {
            Ok(figures) => object["figures"] = figures.to_json(),
            Err(Broken { why, last }) => {
                object["failure"] = why.to_string().into();
                object["agents"] =
                    last.iter().map(|(agent, lines)| (agent.clone(), lines.clone())).collect();
                object["again"] = again.into();
            }
        }
        object
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Text,
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(result: Result<Figures, Broken>) -> Outcome {
        Outcome { scenario: Scenario::Kill, n_nodes: 5, took: Duration::from_millis(4100), result }
    }

    #[test]
    fn what_passed_is_a_line_with_its_figures() {
        let figures = Figures::default()
            .and_time("first", Duration::from_millis(310))
            .and_time("last", Duration::from_millis(9))
            .and_count("suspected", 2)
            .and("sent", 2.04, "packets/s");
        let outcome = outcome(Ok(figures));
        let expected = "kill                     5 nodes  first 0.31 s, last 9 ms, \
                        suspected 2, sent 2.0 packets/s  (4.1 s)";
        assert_eq!(outcome.to_text(""), expected);
        let object = outcome.to_json("");
        assert_eq!(object["figures"]["first"], json!({ "value": 0.31, "unit": "s" }));
        assert_eq!(object["passed"], true);
    }

    #[test]
    fn what_failed_tells_what_was_seen_and_how_to_see_it_again() {
        let why = Failure::new("expected a; saw b");
        let last = vec![("n1".to_owned(), vec!["a line".to_owned()])];
        let outcome = outcome(Err(Broken { why, last }));
        let expected = "kill                   FAILED: expected a; saw b\n    \
                        n1 | a line\n    again: this\n";
        assert_eq!(outcome.to_text("this"), expected);
        assert_eq!(outcome.to_json("this")["agents"], json!({ "n1": ["a line"] }));
    }
}
