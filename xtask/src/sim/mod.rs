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
use summary::{Must, Summary};
use swarm::world::{Defect, Options};
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
    /// Names under a quorum, with fewer seats than nodes in some worlds: no split excuses two
    ///
    /// Judged as well: a node that is cut off from the quorum has stopped what was placed on it
    /// within a lease, a question and a grace of the cut; the side that holds the quorum runs every
    /// name within the margin and five seconds of having settled; what waited for the quorum runs
    /// again when it is back; a node that has never had a seat runs nothing that is placed.
    #[arg(long)]
    quorum: bool,
    /// A bug on purpose, for the checker that it is for to find
    ///
    /// With `--quorum` there are `late-stop`, `no-margin`, `long-margin`, `forgets-suspended` and
    /// `squats-seat`.
    /// Any other word shows all.
    #[arg(long, value_parser = defect, value_name = "BUG")]
    defect: Option<Defect>,
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
    options.defect = args.defect;
    if args.packets {
        options.detail = Detail::Packets;
    }
    let outcome = seeds::run(from..from.saturating_add(count), &options);
    let must = match args.quorum {
        _ if count < SEEDS_FOR_ALL => Must::Nothing,
        // Some faults are beyond what is promised.
        true => Must::Judge,
        false => Must::StrikeAndJudge,
    };
    let summary = Summary::new(outcome, must);
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

/// The words of a bug's name, in lower case and with hyphens.
fn defect(text: &str) -> Result<Defect, String> {
    let known = |defect: &Defect| defect.to_string();
    Defect::ALL.into_iter().find(|defect| known(defect) == text).ok_or_else(|| {
        let all: Vec<_> = Defect::ALL.iter().map(known).collect();
        format!("{text:?} is none of {}", all.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_is_told_by_its_name() {
        assert_eq!(defect("late-stop"), Ok(Defect::LateStop));
        let error = defect("bug").expect_err("no bug");
        assert!(error.starts_with("\"bug\" is none of deaf-view, "), "{error}");
    }

    #[test]
    fn nodes_are_a_number_or_a_range() {
        assert_eq!(nodes("5"), Ok(5..=5));
        assert_eq!(nodes("3-8"), Ok(3..=8));
        assert!(nodes("8-3").is_err());
        assert!(nodes("0").is_err());
        assert!(nodes("many").is_err());
    }
}
