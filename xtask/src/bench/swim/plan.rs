//! What is measured, and what it should come to.

use super::cell::Figures;
use crate::bench::figures::median;
use crate::bench::rows::Row;

/// One cell of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) name: &'static str,
    pub(super) profile: &'static str,
    pub(super) loss_percent: u32,
    pub(super) nodes: u32,
    pub(super) joins: u32,
    pub(super) kills: u32,
    pub(super) freezes: u32,
    pub(super) rest_s: u32,
    /// For how long false deaths are counted.
    pub(super) watch_s: u32,
}

const QUIET: Plan = Plan {
    name: "",
    profile: "lan",
    loss_percent: 0,
    nodes: 0,
    joins: 1,
    kills: 10,
    freezes: 5,
    rest_s: 20,
    watch_s: 0,
};

pub(super) fn all(minutes: u32) -> Vec<Plan> {
    let watch_s = minutes * 60;
    let lossy = Plan { kills: 0, rest_s: 0, watch_s, freezes: 3, nodes: 50, ..QUIET };
    vec![
        Plan { name: "lan-3", nodes: 3, ..QUIET },
        Plan { name: "lan-10", nodes: 10, ..QUIET },
        Plan { name: "lan-50", nodes: 50, joins: 20, ..QUIET },
        Plan { name: "lan-100", nodes: 100, joins: 5, ..QUIET },
        Plan { name: "lan-50-loss-10", loss_percent: 10, ..lossy },
        Plan { name: "lan-50-loss-20", loss_percent: 20, ..lossy },
        Plan { name: "fast-50-loss-20", profile: "fast", loss_percent: 20, ..lossy },
    ]
}

impl Plan {
    pub(super) fn args(&self) -> Vec<String> {
        let numbers = [
            ("--loss", self.loss_percent),
            ("--nodes", self.nodes),
            ("--joins", self.joins),
            ("--kills", self.kills),
            ("--freezes", self.freezes),
            ("--rest", self.rest_s),
            ("--watch", self.watch_s),
        ];
        let mut args = vec!["--profile".to_owned(), self.profile.to_owned()];
        args.extend(numbers.into_iter().flat_map(|(flag, n)| [flag.to_owned(), n.to_string()]));
        args
    }
}

/// The figures that a cell should reach.
pub(super) fn rows(plan: &Plan, cell: &Figures) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut at_most = |what: &str, values: &[f64], of: fn(&[f64]) -> f64, unit, most: f64| {
        if !values.is_empty() {
            let row = format!("{}: {what}", plan.name);
            rows.push(Row::at_most(row, of(values), unit, most));
        }
    };
    let highest = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    match plan.name {
        "lan-50" => {
            at_most("join, median", &cell.joins_s, median, "s", 1.0);
            at_most("join, the slowest", &cell.joins_s, highest, "s", 2.0);
            at_most("join, bytes per node", &cell.join_bytes, median, "kB", 12.0);
            at_most("a restart is seen by all", &cell.rejoins_s, median, "s", 0.5);
        }
        "lan-100" => at_most("join, median", &cell.joins_s, median, "s", 1.5),
        _ => {}
    }
    at_most("kill -9, first", &cell.kill_first_s, median, "s", 0.3);
    at_most("kill -9, last", &cell.kill_last_s, median, "s", 0.5);
    if plan.loss_percent == 0 {
        let (first, spread) = if plan.nodes > 10 { (8.0, 0.5) } else { (6.0, 0.4) };
        at_most("SIGSTOP, first", &cell.freeze_first_s, median, "s", first);
        let spreads = cell.freeze_last_s.iter().zip(&cell.freeze_first_s);
        let spreads: Vec<f64> = spreads.map(|(last, first)| last - first).collect();
        at_most("SIGSTOP, first to last", &spreads, median, "s", spread);
        at_most("at rest, packets per second", &cell.rest_packets, median, "/s", 2.3);
        at_most("at rest, bytes per second", &cell.rest_bytes, median, "B/s", 300.0);
        if plan.nodes == 100 {
            at_most("at rest, processor per second", &cell.rest_cpu_ms, median, "ms", 0.15);
        }
    } else if plan.profile == "lan" && plan.loss_percent == 20 {
        at_most("SIGSTOP, first", &cell.freeze_first_s, median, "s", 9.0);
        at_most("SIGSTOP, last", &cell.freeze_last_s, median, "s", 10.0);
    }
    let false_deaths = [cell.false_deaths as f64];
    at_most("false deaths", &false_deaths, highest, "", 0.0);
    rows
}
