//! `cargo xtask sim`: clusters of real nodes in simulated worlds, one for each seed.

mod chart;
mod curves;
mod large;
mod lifeguard;
mod members;
mod progress;
mod seeds;
mod summary;

use crate::{Failure, optimised, output};
use chart::Chart;
use std::ops::RangeInclusive;
use std::path::Path;
use summary::Summary;
use swarm::world::Options;
use swarm_sim::Detail;

#[derive(clap::Args, Debug, Clone)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    experiment: Option<Experiment>,
    #[command(flatten)]
    seeds: Seeds,
}

/// What is measured instead, of the membership protocol alone.
#[derive(clap::Subcommand, Debug, Clone)]
enum Experiment {
    /// Lifeguard's experiments: false deaths while some members are blocked now and then
    Lifeguard(lifeguard::Args),
    /// What the SWIM paper claims: load, detection and dissemination by the size of the group
    Swim(curves::Args),
    /// A thousand members that come and go, and ten thousand that lose a hundred
    Large(large::Args),
}

#[derive(clap::Args, Debug, Clone)]
struct Seeds {
    /// How many seeds
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    from: u64,
    /// Only this seed: the replay of a failure
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Names under a quorum of more than half of the nodes: no split excuses a second process
    #[arg(long)]
    quorum: bool,
    /// Show every packet of the one seed that fails
    #[arg(long, requires = "seed")]
    packets: bool,
    /// How many nodes, as `5` or `3-8`
    #[arg(long, default_value = "3-8", value_parser = nodes, value_name = "N")]
    nodes: RangeInclusive<usize>,
    /// Write the result as JSON, one object on one line
    #[arg(long)]
    json: bool,
}

/// With fewer seeds than this, chance alone leaves faults and checkers without a case.
const SEEDS_FOR_ALL: u64 = 150;

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    optimised::become_so()?;
    match &args.experiment {
        Some(Experiment::Lifeguard(args)) => lifeguard::run(args),
        Some(Experiment::Swim(args)) => curves::run(args),
        Some(Experiment::Large(args)) => large::run(args),
        None => run_seeds(&args.seeds),
    }
}

fn run_seeds(args: &Seeds) -> Result<(), Failure> {
    let (from, count) = args.seed.map_or((args.from, args.seeds), |seed| (seed, 1));
    let mut options = Options::default();
    options.nodes = args.nodes.clone();
    options.quorum = args.quorum;
    if args.packets {
        options.detail = Detail::Packets;
    }
    let outcome = seeds::run(from..from.saturating_add(count), &options);
    // Under a quorum some faults are beyond what is promised.
    let summary = Summary::new(outcome, count >= SEEDS_FOR_ALL && !args.quorum);
    match args.json {
        true => output::line(summary.to_json())?,
        false => output::line(summary.to_text().trim_end())?,
    }
    summary.verdict()
}

/// Writes a chart into `folder`.
fn write_chart(folder: &Path, name: &str, chart: &Chart) -> Result<(), Failure> {
    let path = folder.join(name);
    let failed = |error| Failure::new(format!("{}: {error}", path.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    std::fs::write(&path, chart.to_svg()).map_err(failed)
}

/// `5`, or `3-8`.
fn nodes(text: &str) -> Result<RangeInclusive<usize>, String> {
    let number = |text: &str| match text.trim().parse::<usize>() {
        Ok(n @ 1..=64) => Ok(n),
        _ => Err(format!("{text:?} is not a number from 1 to 64")),
    };
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let (low, high) = (number(low)?, number(high)?);
    if high < low { Err(format!("{low} is more than {high}")) } else { Ok(low..=high) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_a_number_or_a_range() {
        assert_eq!(nodes("5"), Ok(5..=5));
        assert_eq!(nodes("3-8"), Ok(3..=8));
        assert!(nodes("8-3").is_err());
        assert!(nodes("0").is_err());
        assert!(nodes("many").is_err());
    }
}
