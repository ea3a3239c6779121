//! An area of the bench: its sections, each measured in rounds, and the table of their rows.

use super::figures::load;
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
    /// Only the sections whose names contain this
    #[arg(long)]
    only: Option<String>,
    /// List the sections
    #[arg(long)]
    list: bool,
}

impl Args {
    /// All sections, or those that are wanted, once.
    pub(super) const fn once(json: bool, only: Option<String>, list: bool) -> Self {
        Self { json, rounds: 1, only, list }
    }
}

/// What is measured with one set of processes.
#[derive(Clone, Copy)]
pub(super) struct Section {
    pub(super) name: &'static str,
    /// One round: as many rows each time.
    pub(super) measure: fn() -> Result<Vec<Row>, Failure>,
}

/// Measures the sections that are wanted. One that fails does not keep the others from it.
pub(super) fn run(args: &Args, sections: &[Section]) -> Result<(), Failure> {
    let wanted = |section: &&Section| {
        args.only.as_ref().is_none_or(|only| section.name.contains(only.as_str()))
    };
    let wanted: Vec<&Section> = sections.iter().filter(wanted).collect();
    if args.list {
        return wanted.iter().try_for_each(|section| output::line(section.name));
    }
    if wanted.is_empty() {
        return Err(Failure::new("no section has such a name; `--list` shows them"));
    }
    let mut failures = Vec::new();
    let mut measured: Vec<Vec<Vec<Row>>> = wanted.iter().map(|_| Vec::new()).collect();
    for round in 1..=args.rounds {
        for (section, rounds) in wanted.iter().zip(&mut measured) {
            let name = section.name;
            eprintln!("round {round} of {}: {name}, load {}", args.rounds, load());
            match (section.measure)() {
                Ok(rows) => rounds.push(rows),
                Err(failure) => {
                    eprintln!("{name}: {failure}");
                    failures.push(format!("{name}: {failure}"));
                }
            }
        }
    }
    let rows: Vec<Row> = measured.iter().flat_map(|rounds| medians(rounds)).collect();
    if args.json {
        let json = serde_json::to_string(&rows).map_err(|e| Failure::new(e.to_string()))?;
        output::line(json)?;
    } else {
        rows.iter().try_for_each(output::line)?;
    }
    if !failures.is_empty() {
        return Err(Failure::new(failures.join("; ")));
    }
    judge(&rows)
}

/// Whether every row is on the good side.
pub(super) fn judge(rows: &[Row]) -> Result<(), Failure> {
    let missed: Vec<_> = rows.iter().filter(|row| !row.is_ok()).map(Row::name).collect();
    if missed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("short of the figure: {}", missed.join("; "))))
}

fn medians(rounds: &[Vec<Row>]) -> Vec<Row> {
    let len = rounds.first().map_or(0, Vec::len);
    (0..len)
        .map(|at| Row::median(&rounds.iter().map(|rows| &rows[at]).collect::<Vec<_>>()))
        .collect()
}
