//! `bench moves`: names that change their nodes, with their state, when nodes join, leave, die and
//! are cut off.
//!
//! What moved where, and when, is told by the workers themselves: by the books that they keep of
//! their lives in each process, and by what they have counted, which goes with them.

mod death;
mod drain;
mod home;
mod join;
mod large;
mod load;
mod marks;
mod node;
mod paced;
mod protocol;
mod split;
mod starts;
mod together;
mod watch;
mod worker;

pub(super) use node::State;
pub(super) use protocol::{Reply, Request};
pub(super) use split::{SplitArgs, run_split};
pub(super) use worker::Carrier;

use super::area::{self, Section};
use crate::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write the rows as JSON, one array on one line
    #[arg(long)]
    json: bool,
    /// Only the sections whose names contain this
    #[arg(long)]
    only: Option<String>,
    /// List the sections
    #[arg(long)]
    list: bool,
    /// A few rounds of each, where the figures are for many
    #[arg(long)]
    short: bool,
}

/// Each with nodes of its own in every round. The worst round counts.
const LONG: [Section; 8] = [
    Section { name: "join", measure: || join::measure(20) },
    Section { name: "join-under-load", measure: || load::measure(5) },
    Section { name: "death", measure: death::measure },
    Section { name: "slow-starts", measure: || starts::measure(10) },
    Section { name: "together", measure: || together::measure(200) },
    Section { name: "large", measure: || large::measure(5) },
    Section { name: "drain", measure: || drain::measure(5) },
    Section { name: "split", measure: || split::measure(20) },
];

const SHORT: [Section; 8] = [
    Section { name: "join", measure: || join::measure(2) },
    Section { name: "join-under-load", measure: || load::measure(1) },
    Section { name: "death", measure: death::measure },
    Section { name: "slow-starts", measure: || starts::measure(2) },
    Section { name: "together", measure: || together::measure(10) },
    Section { name: "large", measure: || large::measure(1) },
    Section { name: "drain", measure: || drain::measure(1) },
    Section { name: "split", measure: || split::measure(2) },
];

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let sections = if args.short { &SHORT } else { &LONG };
    area::run(&area::Args::once(args.json, args.only.clone(), args.list), sections)
}

/// How all names of a bench begin.
const PREFIX: &str = "dev";

/// How many callers register at once.
const AT_ONCE: u64 = 50;

/// So many names.
fn names(count: u64) -> Vec<String> {
    (0..count).map(|at| super::load::name(PREFIX, at)).collect()
}
