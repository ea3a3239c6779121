//! `bench main`: the whole path through three node processes.

use super::figures::load;
use super::round;
use super::rows::Row;
use crate::{Failure, output};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write the rows as JSON, one array on one line
    #[arg(long)]
    json: bool,
    /// How often everything is measured, with fresh processes; the medians count
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut rounds = Vec::new();
    for round in 1..=args.rounds {
        eprintln!("round {round} of {}, load {}", args.rounds, load());
        rounds.push(round::run()?);
    }
    let rows: Vec<Row> = (0..rounds[0].len())
        .map(|at| Row::median(&rounds.iter().map(|rows| &rows[at]).collect::<Vec<_>>()))
        .collect();
    if args.json {
        let json = serde_json::to_string(&rows).map_err(|e| Failure::new(e.to_string()))?;
        output::line(json)?;
    } else {
        rows.iter().try_for_each(output::line)?;
    }
    let missed: Vec<_> = rows.iter().filter(|row| !row.is_ok()).map(Row::name).collect();
    if missed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("below the floor: {}", missed.join("; "))))
}
