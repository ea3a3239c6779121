//! `cargo xtask sim lifeguard`: Lifeguard's experiments (Dadgar, Phillips, Currey 2018, §V).
//!
//! Some members of a group are blocked: just before each send and just after each receive, while
//! their timers go on, as on a machine that has no time for them. They must not bury the others.
//! In the *interval experiment* they are blocked and free in turn, and the false deaths are
//! counted; in the *threshold experiment* they are blocked once, and it is measured how long a
//! blocked member takes to be declared dead.

mod grid;
mod outcome;
mod run;

use super::progress::Progress;
use crate::{Failure, output};
use grid::{Grid, Run};
use outcome::{Outcome, Shown};
use run::Setting;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;
use swarm_sim::sweep;

#[derive(clap::Args, Debug, Clone)]
pub(crate) struct Args {
    /// All of the paper's grid: some hours
    #[arg(long, conflicts_with = "small")]
    full: bool,
    /// A few cells: seconds
    #[arg(long)]
    small: bool,
    /// How often each cell is run
    #[arg(long, value_name = "N")]
    repetitions: Option<u64>,
    /// Also write the curves, as `lifeguard.svg` in this folder
    #[arg(long, value_name = "FOLDER")]
    svg: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut grid = match (args.full, args.small) {
        (true, _) => Grid::full(),
        (_, true) => Grid::small(),
        _ => Grid::thinned(),
    };
    grid.repetitions = args.repetitions.unwrap_or(grid.repetitions);
    let outcome = all(&grid);
    output::line(outcome.to_text(&grid).trim_end())?;
    if let Some(folder) = &args.svg {
        super::write_chart(folder, "lifeguard.svg", &outcome.chart())?;
    }
    outcome.verdict()
}

fn all(grid: &Grid) -> Outcome {
    let runs = grid.runs();
    let mut progress = Progress::new("runs", runs.len() as u64);
    let mut outcome = Outcome::default();
    sweep(
        0..runs.len() as u64,
        |idx| one(&runs[idx as usize], grid.n_members),
        |idx, shown| {
            outcome.take(&runs[idx as usize], shown);
            progress.step();
            ControlFlow::Continue(())
        },
    );
    outcome
}

fn one(run: &Run, n_members: u16) -> Shown {
    let setting = Setting {
        n_members,
        n_blocked: run.blocked,
        blocked_for: Duration::from_millis(run.for_ms),
        config: grid::configuration(run.configuration),
        // The same members are blocked in all configurations.
        seed: run.repetition,
    };
    match run.free_ms {
        Some(ms) => Shown::Interval(run::interval(&setting, Duration::from_millis(ms))),
        None => Shown::Threshold(run::threshold(&setting)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_grid_gives_the_same_text() {
        let grid = Grid {
            n_members: 12,
            blocked: vec![4],
            for_ms: vec![16_384],
            free_ms: vec![16],
            repetitions: 1,
        };
        let text = || all(&grid).to_text(&grid);
        let first = text();
        assert_eq!(first, text());
        assert!(first.contains("| SWIM | 4 |"), "every blocked member is noticed: {first}");
    }
}
