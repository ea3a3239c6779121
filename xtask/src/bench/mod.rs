//! `cargo xtask bench`: what the product does on this machine, in figures, each beside its floor.
//!
//! The bench starts node processes of its own executable and drives them over their standard input
//! and output. What it counts is counted where it happens: deliveries by the worker that receives,
//! running workers by the workers themselves.

mod area;
mod books;
mod callers;
mod calls;
mod child;
mod death;
mod dying;
mod echo;
mod figures;
mod groups;
mod load;
mod memory;
mod moves;
mod namespace;
mod node;
mod nodes;
mod protocol;
mod registry;
mod round;
mod rows;
mod swim;
mod workers;

use crate::{Failure, optimised};
use clap::Subcommand;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    area: Area,
}

#[derive(Subcommand)]
enum Area {
    /// Register, find, call, cast, survive a death: three node processes on loopback
    Main(area::Args),
    /// Names: register, find, hide, carry, at 50,000 to 1,000,000 of them
    Registry(area::Args),
    /// Groups: join, read, publish, call all members
    Groups(area::Args),
    /// Moves: a node joins, drains, dies, is cut off, with up to 30,000 names and their state
    Moves(moves::Args),
    /// The split of `moves`, in the network namespace that it runs in
    #[command(hide = true)]
    MovesSplit(moves::SplitArgs),
    /// What registrations weigh on the wire, in the network namespace that it runs in
    #[command(hide = true)]
    RegistryWire,
    /// Membership on real sockets: join, death, rest and loss, for groups of 3 to 100
    Swim(swim::Args),
    /// One cell of `swim`, in the network namespace that it runs in
    #[command(hide = true)]
    SwimCell(swim::CellArgs),
    /// A node of `swim` that is stopped from outside
    #[command(hide = true)]
    SwimNode(swim::NodeArgs),
    /// A process that keeps a processor awake
    #[command(hide = true)]
    Awake,
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
        Area::Awake => {
            swim::run_awake();
            Ok(())
        }
        Area::SwimNode(args) => swim::run_node(args),
        Area::Swim(args) => optimised::become_so().and_then(|()| swim::run(args)),
        Area::RegistryWire => registry::run_wire(),
        Area::Main(args) => optimised::become_so().and_then(|()| area::run(args, &round::SECTIONS)),
        Area::Groups(args) => {
            optimised::become_so().and_then(|()| area::run(args, &groups::SECTIONS))
        }
        Area::Moves(args) => optimised::become_so().and_then(|()| moves::run(args)),
        Area::MovesSplit(args) => moves::run_split(args),
        Area::Registry(args) => {
            optimised::become_so().and_then(|()| area::run(args, &registry::SECTIONS))
        }
    }
}
