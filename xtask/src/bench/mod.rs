//! `cargo xtask bench`: what the product does on this machine, in figures, each beside its floor.
//!
//! The bench starts node processes of its own executable and drives them over their standard input
//! and output. What it counts is counted where it happens: deliveries by the worker that receives,
//! running workers by the workers themselves.

mod books;
mod calls;
mod child;
mod death;
mod echo;
mod figures;
mod load;
mod main_area;
mod memory;
mod node;
mod protocol;
mod round;
mod rows;
mod swim;
mod workers;

use crate::Failure;
use clap::Subcommand;
use std::process::{Command, Stdio};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    area: Area,
}

#[derive(Subcommand)]
enum Area {
    /// Register, find, call, cast, survive a death: three node processes on loopback
    Main(main_area::Args),
    /// Membership on real sockets: join, death, rest and loss, for groups of 3 to 100
    Swim(swim::Args),
    /// One cell of `swim`, in the network namespace that it runs in
    #[command(hide = true)]
    SwimCell(swim::CellArgs),
    /// A node of `swim` that is stopped from outside
    #[command(hide = true)]
    SwimNode(swim::NodeArgs),
    /// What the members of `swim` cost
    #[command(hide = true)]
    SwimHeap,
    /// A process of the bench, driven over its standard input
    #[command(hide = true)]
    Node,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    match &args.area {
        Area::Node => node::run(),
        Area::SwimCell(args) => swim::run_cell(args),
        Area::SwimHeap => swim::run_heap(),
        Area::SwimNode(args) => swim::run_node(args),
        Area::Main(_) | Area::Swim(_) if cfg!(debug_assertions) => optimised(),
        Area::Swim(args) => swim::run(args),
        Area::Main(args) => main_area::run(args),
    }
}

/// Runs the same command in a release build: figures of another one say nothing.
fn optimised() -> Result<(), Failure> {
    eprintln!("this is a debug build: running the same command in a release build");
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let status = Command::new(cargo)
        .args(["run", "--quiet", "--release", "--package", "xtask", "--"])
        .args(std::env::args_os().skip(1))
        .stdin(Stdio::null())
        .current_dir(crate::root())
        .status()
        .map_err(|error| Failure::new(format!("cargo does not start: {error}")))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("the release build ended with {status}")))
}
