//! `bench swim`: membership on real sockets, many nodes in one process, in a network namespace
//! of its own, so that every byte on its loopback is theirs.

mod awake;
mod bed;
mod cell;
mod heap;
mod plan;

pub(super) use awake::run as run_awake;
pub(super) use cell::{Args as CellArgs, Frozen as NodeArgs, run_cell, run_node};
pub(super) use heap::run as run_heap;

use super::area::judge;
use super::namespace;
use super::rows::Row;
use crate::{Failure, output};
use plan::{Plan, rows};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write everything that was measured as JSON, one array on one line
    #[arg(long)]
    json: bool,
    /// Only the cells whose names contain this, for example `lan-50`
    #[arg(long)]
    only: Option<String>,
    /// List the cells
    #[arg(long)]
    list: bool,
    /// Under loss, for how many minutes false deaths are counted
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=120))]
    minutes: u32,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let wanted = |plan: &Plan| args.only.as_ref().is_none_or(|only| plan.name.contains(only));
    let plans: Vec<Plan> = plan::all(args.minutes).into_iter().filter(wanted).collect();
    if args.list {
        return plans.iter().try_for_each(|plan| output::line(plan.name));
    }
    let mut cells = Vec::new();
    for (idx, plan) in plans.iter().enumerate() {
        eprintln!("{} of {}: {}, load {}", idx + 1, plans.len(), plan.name, super::figures::load());
        cells.push((plan, measure(plan)?));
    }
    if args.json {
        let all: Vec<_> = cells.iter().map(|(_, cell)| cell).collect();
        let json = serde_json::to_string(&all).map_err(|e| Failure::new(e.to_string()))?;
        return output::line(json);
    }
    output::line(cell::Figures::HEAD)?;
    cells.iter().try_for_each(|(_, cell)| output::line(cell))?;
    let mut rows: Vec<Row> = cells.iter().flat_map(|(plan, cell)| rows(plan, cell)).collect();
    if args.only.is_none() {
        rows.push(Row::at_most("memory per member, with its heap", heap::measure()?, "B", 250.0));
    }
    output::line("")?;
    rows.iter().try_for_each(output::line)?;
    judge(&rows)
}

/// Has a cell measured by a process of its own, in a namespace of its own.
fn measure(plan: &Plan) -> Result<cell::Figures, Failure> {
    let args = std::iter::once("swim-cell".to_owned()).chain(plan.args());
    namespace::measure(plan.name, args)
}
