//! `cargo xtask ci`: what has to pass at every commit.

use crate::step::{self, Report, Step};
use crate::{Failure, runner};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    report: Report,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    step::run(&steps(), args.report)
}

/// The steps in order: what fails fast and often comes first.
pub(crate) fn steps() -> Vec<Step> {
    let mut steps = vec![
        Step::cargo("fmt", "fmt --all --check"),
        Step::cargo("fmt fuzz", "fmt --manifest-path fuzz/Cargo.toml --check"),
        Step::xtask("tidy", "tidy"),
        Step::cargo("clippy", "clippy --workspace --all-targets -- -D warnings"),
        // With the whole workspace their shells are always on; alone they must do without.
        Step::cargo(
            "bare cores",
            "clippy --package swarm-swim --package swarm-link --no-default-features -- -D warnings",
        ),
        Step::cargo("docs", "doc --workspace --no-deps").env("RUSTDOCFLAGS", "-D warnings"),
    ];
    steps.extend(runner::unit());
    steps.push(Step::xtask("sim", "sim --seeds 200"));
    steps
}
