//! `cargo xtask sim swim`: what the SWIM paper claims (Das, Gupta, Motivala 2002, §5), measured.
//!
//! The load of a member does not depend on how many there are; a death is noticed after
//! e/(e − 1) periods on average, wherever; and news reaches everybody within λ log n periods.

mod figures;

use super::chart::{Chart, Line, Scale};
use super::progress::Progress;
use crate::{Failure, output};
use figures::Figures;
use std::fmt::Write as _;
use std::path::PathBuf;

#[derive(clap::Args, Debug, Clone)]
pub(crate) struct Args {
    /// The largest group; 10,000 members take about 13 GB of memory
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    members: u16,
    /// Also write the curves, as `swim-*.svg` in this folder
    #[arg(long, value_name = "FOLDER")]
    svg: Option<PathBuf>,
}

const SIZES: [u16; 8] = [3, 10, 30, 100, 300, 1_000, 3_000, 10_000];

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let sizes: Vec<u16> = SIZES.into_iter().filter(|size| *size <= args.members).collect();
    let mut progress = Progress::new("sizes", sizes.len() as u64);
    let mut all = Vec::new();
    for size in sizes {
        all.push(figures::measure(size));
        progress.step();
    }
    output::line(table(&all).trim_end())?;
    if let Some(folder) = &args.svg {
        for (name, chart) in charts(&all) {
            super::write_chart(folder, name, &chart)?;
        }
    }
    verdict(&all)
}

fn table(all: &[Figures]) -> String {
    let mut text = String::from(
        "| members | packets per member and period | first ping of a dead member, periods | \
         accused after | dead after | news everywhere, periods | λ log n |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for figures in all {
        let Figures { n, load, first_ping, accused, dead, spread, .. } = figures;
        let _ = writeln!(
            text,
            "| {n} | {load:.2} | {first_ping:.2} | {accused:.2} s | {dead:.2} s | {spread:.2} | {} |",
            figures.spread_most()
        );
    }
    text
}

/// What a curve shows of a group.
type Value = fn(&Figures) -> f64;

fn charts(all: &[Figures]) -> [(&'static str, Chart); 3] {
    let chart = |title, y_label, lines: &[(&'static str, Value)]| Chart {
        title,
        x_label: "members",
        y_label,
        y_scale: Scale::Linear,
        lines: lines
            .iter()
            .map(|(name, value)| Line {
                name,
                points: all.iter().map(|f| (f64::from(f.n), value(f))).collect(),
            })
            .collect(),
    };
    let load = chart(
        "SWIM: what a member sends at rest",
        "packets per probe period",
        &[("all packets", |f| f.load), ("a ping and an ack", |_| 2.0)],
    );
    let detection = chart(
        "SWIM: until somebody pings a dead member",
        "probe periods, mean",
        &[("measured", |f| f.first_ping), ("e/(e − 1)", |_| PAPER_DETECTION)],
    );
    let spread = chart(
        "SWIM: until news is everywhere",
        "probe periods, the slowest of ten",
        &[("measured", |f| f.spread), ("λ log n", |f| f64::from(f.spread_most()))],
    );
    [("swim-load.svg", load), ("swim-detection.svg", detection), ("swim-news.svg", spread)]
}

/// e/(e − 1).
const PAPER_DETECTION: f64 = 1.582;

fn verdict(all: &[Figures]) -> Result<(), Failure> {
    let mut faults = Vec::new();
    for figures in all {
        let Figures { n, load, first_ping, spread, .. } = figures;
        if !(1.95..=2.3).contains(load) {
            faults.push(format!("{n} members send {load:.2} packets each per period, want 2"));
        }
        // In groups of three a victim is often in its turn: fewer periods, never more.
        let least = if *n < 10 { 1.0 } else { 1.2 };
        if !(least..=2.0).contains(first_ping) {
            faults.push(format!("{n} members: pinged after {first_ping:.2} periods, want 1.58"));
        }
        if *spread > f64::from(figures.spread_most()) {
            faults.push(format!("{n} members: news takes {spread:.2} periods"));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Failure::new(faults.join("; "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_sizes_give_the_same_table_and_the_claims_hold() {
        let measure = || [3, 10].map(figures::measure);
        let (one, other) = (measure(), measure());
        assert_eq!(table(&one), table(&other));
        assert_eq!(charts(&one)[1].1.to_svg(), charts(&other)[1].1.to_svg());
        assert!(verdict(&one).is_ok(), "{}", table(&one));
    }

    #[test]
    fn a_claim_that_does_not_hold_is_said() {
        let right =
            Figures { n: 100, load: 2.0, first_ping: 1.6, accused: 2.0, dead: 6.0, spread: 1.0 };
        assert!(verdict(&[right]).is_ok());
        for wrong in [
            Figures { load: 2.4, ..right },
            Figures { first_ping: 2.5, ..right },
            Figures { spread: 13.0, ..right },
        ] {
            assert!(verdict(&[right, wrong]).is_err(), "{wrong:?}");
        }
    }
}
