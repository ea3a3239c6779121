//! What the experiments show together, as a table, a curve, and a verdict.

use super::grid::{CONFIGURATIONS, Grid, Run};
use super::run::{Counts, Detection};
use crate::Failure;
use crate::sim::chart::{Chart, Line, Scale};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// The sums of each configuration.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    counts: BTreeMap<usize, Counts>,
    /// False deaths by configuration and number of blocked members.
    by_blocked: BTreeMap<(usize, usize), u64>,
    detections: BTreeMap<usize, Vec<Detection>>,
}

/// What one run showed.
pub(super) enum Shown {
    Interval(Counts),
    Threshold(Vec<Detection>),
}

impl Outcome {
    pub(super) fn take(&mut self, run: &Run, shown: Shown) {
        match shown {
            Shown::Interval(counts) => {
                let sum = self.counts.entry(run.configuration).or_default();
                *sum = sum.plus(&counts);
                let blocked = self.by_blocked.entry((run.configuration, run.blocked)).or_default();
                *blocked += counts.false_deaths;
            }
            Shown::Threshold(mut detections) => {
                self.detections.entry(run.configuration).or_default().append(&mut detections);
            }
        }
    }

    pub(super) fn to_text(&self, grid: &Grid) -> String {
        let swim = self.sums(0);
        let mut text = format!(
            "{} members; C {:?}, D {:?} ms, I {:?} ms, {} repetitions\n\n",
            grid.n_members, grid.blocked, grid.for_ms, grid.free_ms, grid.repetitions
        );
        text.push_str(
            "| interval experiment | FP | of SWIM | FP⁻ | of SWIM | packets/s per member | B/s |\n\
             |---|---|---|---|---|---|---|\n",
        );
        for (idx, name) in CONFIGURATIONS.iter().enumerate() {
            let sums = self.sums(idx);
            let per_second = |n: u64| n as f64 / sums.member_seconds.max(1) as f64;
            let _ = writeln!(
                text,
                "| {name} | {} | {} | {} | {} | {:.1} | {:.0} |",
                sums.false_deaths,
                percent(sums.false_deaths, swim.false_deaths),
                sums.false_deaths_by_healthy,
                percent(sums.false_deaths_by_healthy, swim.false_deaths_by_healthy),
                per_second(sums.packets),
                per_second(sums.bytes),
            );
        }
        text.push_str(
            "\n| threshold experiment | deaths | first, median | 99 % | all, median | 99 % |\n\
             |---|---|---|---|---|---|\n",
        );
        for (idx, name) in CONFIGURATIONS.iter().enumerate() {
            let (first, all) = (self.firsts(idx), self.lasts(idx));
            let _ = writeln!(
                text,
                "| {name} | {} | {:.2} s | {:.2} s | {:.2} s | {:.2} s |",
                first.len(),
                quantile(&first, 500),
                quantile(&first, 990),
                quantile(&all, 500),
                quantile(&all, 990)
            );
        }
        text
    }

    /// False deaths by how many members are blocked.
    pub(super) fn chart(&self) -> Chart {
        let line = |(idx, name): (usize, &&'static str)| {
            let own = self.by_blocked.iter().filter(|((of, _), _)| *of == idx);
            let points = own.map(|((_, blocked), n)| (*blocked as f64, *n as f64)).collect();
            Line { name, points }
        };
        Chart {
            title: "Lifeguard: deaths declared of members that were never blocked",
            x_label: "members of 128 that are blocked now and then (C)",
            y_label: "false deaths, all D, I and repetitions together",
            y_scale: Scale::Logarithmic,
            lines: CONFIGURATIONS.iter().enumerate().map(line).collect(),
        }
    }

    /// Whether Lifeguard keeps what it promises.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        let (swim, whole) = (self.sums(0), self.sums(CONFIGURATIONS.len() - 1));
        let mut faults = Vec::new();
        let mut want = |is_so: bool, fault: &str| {
            if !is_so {
                faults.push(fault.to_owned());
            }
        };
        want(swim.false_deaths_by_healthy >= 100, "SWIM errs too rarely to compare with");
        want(
            whole.false_deaths * 50 <= swim.false_deaths,
            "Lifeguard declares more than 2 % of SWIM's false deaths",
        );
        want(
            whole.false_deaths_by_healthy * 50 <= swim.false_deaths_by_healthy,
            "healthy members declare more than 2 % of SWIM's false deaths",
        );
        let medians = [0, CONFIGURATIONS.len() - 1].map(|idx| quantile(&self.firsts(idx), 500));
        want(medians[0] > 0.0, "no death was noticed");
        want(
            (medians[1] / medians[0] - 1.0).abs() <= 0.05,
            "Lifeguard's median detection is not within 5 % of SWIM's",
        );
        if faults.is_empty() { Ok(()) } else { Err(Failure::new(faults.join("; "))) }
    }

    fn sums(&self, configuration: usize) -> Counts {
        self.counts.get(&configuration).copied().unwrap_or_default()
    }

    fn firsts(&self, configuration: usize) -> Vec<Duration> {
        self.times(configuration, |detection| Some(detection.first))
    }

    fn lasts(&self, configuration: usize) -> Vec<Duration> {
        self.times(configuration, |detection| detection.last)
    }

    fn times(
        &self,
        configuration: usize,
        time: impl Fn(&Detection) -> Option<Duration>,
    ) -> Vec<Duration> {
        let all = self.detections.get(&configuration).into_iter().flatten();
        let mut times: Vec<_> = all.filter_map(time).collect();
        times.sort_unstable();
        times
    }
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.2} %", part as f64 * 100.0 / whole.max(1) as f64)
}

fn quantile(sorted: &[Duration], permille: usize) -> f64 {
    let idx = sorted.len().saturating_sub(1) * permille / 1_000;
    sorted.get(idx).map_or(0.0, Duration::as_secs_f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(whole_false: u64, whole_first: u64) -> Outcome {
        let mut outcome = Outcome::default();
        let all = [(0, 10_000, 12_400), (4, whole_false, whole_first)];
        for (configuration, false_deaths, first_ms) in all {
            let run = Run { configuration, blocked: 8, for_ms: 1, free_ms: None, repetition: 0 };
            let counts =
                Counts { false_deaths, false_deaths_by_healthy: false_deaths, ..Counts::default() };
            outcome.take(&run, Shown::Interval(counts));
            let first = Duration::from_millis(first_ms);
            outcome.take(&run, Shown::Threshold(vec![Detection { first, last: None }]));
        }
        outcome
    }

    #[test]
    fn the_goals_are_judged() {
        let fault = |outcome: Outcome| outcome.verdict().err().map(|failure| failure.to_string());
        assert_eq!(fault(outcome(200, 12_400)), None);
        assert!(fault(outcome(201, 12_400)).is_some_and(|fault| fault.contains("2 %")));
        assert!(fault(outcome(0, 13_100)).is_some_and(|fault| fault.contains("5 %")));
        assert!(fault(Outcome::default()).is_some_and(|fault| fault.contains("too rarely")));
    }

    #[test]
    fn the_table_has_a_row_for_each_configuration() {
        let text = outcome(150, 12_400).to_text(&Grid::small());
        assert!(text.contains("| Lifeguard | 150 | 1.50 % | 150 | 1.50 % |"), "{text}");
        assert!(text.contains("| SWIM | 1 | 12.40 s | 12.40 s | 0.00 s | 0.00 s |"), "{text}");
    }
}
