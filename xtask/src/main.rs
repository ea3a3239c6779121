//! Tasks of the workspace: `cargo xtask <command>`.
//!
//! One module for each command, with its arguments and a `run` that returns what failed. A command
//! that fails ends with exit status 1. Ctrl-C ends the children too: they share this process group,
//! but for the nodes of the demo and of the networks, which their commands end themselves.

mod bench;
mod ci;
mod cluster;
mod cpu_time;
mod demo;
mod driven;
mod failure;
mod fuzz;
mod interrupt;
mod optimised;
mod output;
mod process;
mod resident;
mod runner;
mod sim;
mod step;
mod test;
mod tidy;

use clap::{Parser, Subcommand};
use failure::Failure;
use std::path::Path;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of the workspace")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A cluster of real node processes on this machine: every line of it is an assertion
    Demo(demo::Args),
    /// A node process of the demo, driven over its stdin
    #[command(hide = true)]
    Node(demo::node::Args),
    /// Real processes in networks of their own, with loss, cuts, delay, freezes and deaths
    Cluster(cluster::Args),
    /// A relay of such a network, which delays, reorders and doubles packets
    #[command(hide = true)]
    Relay(cluster::relay::Args),
    /// A node of such a network that keeps names, driven over its stdin
    #[command(hide = true)]
    Keeper(cluster::keeper::Args),
    /// A flood of bad packets in such a network
    #[command(hide = true)]
    Flood(cluster::flood::Args),
    /// Clusters of real nodes in simulated worlds, with faults and checkers; one for each seed
    Sim(sim::Args),
    /// Feeds the fuzz targets of swim, all at once
    Fuzz(fuzz::Args),
    /// Everything that has to pass before a change lands: `ci`, then what takes longer
    Test(test::Args),
    /// Format, lints, docs, tidy and unit tests
    Ci(ci::Args),
    /// Figures of this machine, each beside the floor that it must reach
    Bench(bench::Args),
    /// The rules that no compiler checks: which crate may use which, headers, sizes, leftovers
    Tidy(tidy::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Node(args) => demo::node::run(&args),
        Command::Cluster(args) => cluster::run(&args),
        Command::Keeper(args) => cluster::keeper::run(&args),
        Command::Flood(args) => cluster::flood::run(&args),
        Command::Relay(args) => cluster::relay::run(&args),
        Command::Sim(args) => sim::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Ci(args) => ci::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Tidy(args) => tidy::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the workspace.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the workspace")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
