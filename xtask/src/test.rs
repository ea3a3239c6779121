//! `cargo xtask test`: everything that has to pass before a change lands.

use crate::step::{self, Report, Step};
use crate::{Failure, ci, runner};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    report: Report,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    step::run(&steps(), args.report)
}

/// The steps of `ci`, then what takes longer.
fn steps() -> Vec<Step> {
    let mut steps = ci::steps();
    steps.extend(runner::integration());
    // Beyond those of `ci`.
    steps.push(Step::xtask("sim", "sim --from 200 --seeds 1000"));
    steps.push(Step::xtask("quorum", "sim --quorum --seeds 300"));
    steps.push(swim_seeds());
    steps.push(registry_seeds());
    steps.push(move_seeds());
    steps.push(interleavings());
    steps.push(models());
    // Those scenarios that take less than half a minute each.
    let cluster = "cluster --only join leave kill freeze-short cut-pair flood";
    steps.push(Step::xtask("cluster", cluster).skipped_at(step::MISSING));
    let names = "cluster --only names-race names-crowd names-split names-cut-link names-kill \
                 names-loss names-churn";
    steps.push(Step::xtask("names", names).skipped_at(step::MISSING));
    // All but the one that lasts: half a minute of stopped node. Of twenty partitions two.
    let moves = "cluster --only moves-split-3-2 moves-split-1-1 moves-split-1-2 moves-split-2-2 \
                 moves-one-way moves-non-transitive moves-freeze-short moves-quorum moves-kill";
    steps.push(Step::xtask("moves", moves).skipped_at(step::MISSING));
    let cycles = "cluster --only moves-cycles --rounds 2";
    steps.push(Step::xtask("cycles", cycles).skipped_at(step::MISSING));
    steps.push(Step::xtask("lifeguard", "sim lifeguard --small"));
    steps.push(Step::xtask("large groups", "sim large --small"));
    steps.push(Step::xtask("fuzz", "fuzz --seconds 60").skipped_at(step::MISSING));
    steps.push(Step::xtask("demo", "demo --workers 1000"));
    steps
}

/// The membership protocol alone, in as many worlds as it takes to meet what is rare.
fn swim_seeds() -> Step {
    Step::cargo("swim", "test --release --package swarm-swim --test seeds -- --nocapture")
        .env("SWARM_SEEDS", "20000")
        .test_runner()
}

/// Names and groups alone, likewise.
fn registry_seeds() -> Step {
    Step::cargo("registry", "test --release --package swarm-registry --test seeds -- --nocapture")
        .env("SWARM_SEEDS", "5000")
        .test_runner()
}

/// All states of the protocols. In `ci` only the known broken variants are looked for.
fn models() -> Step {
    // One after the other: each search takes all cores.
    let args = "test --release --package swarm-models -- --nocapture --test-threads 1";
    Step::cargo("models", args).test_runner()
}

/// The move protocol alone: every message meets every fault thirty times.
fn move_seeds() -> Step {
    Step::cargo("handoff", "test --release --package swarm-handoff --test moves -- --nocapture")
        .env("SEEDS", "5000")
        .test_runner()
}

/// Readers of names beside their writer, in thousands of orders. A build of its own, of few crates.
fn interleavings() -> Step {
    let args = "test --package swarm-registry --test interleavings --target-dir target/shuttle";
    Step::cargo("readers", args).env("RUSTFLAGS", "--cfg shuttle").test_runner()
}
