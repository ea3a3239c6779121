//! Memory: what a name takes on a node that only holds the copy, and what a worker takes.

use super::names::{name, place};
use super::{AT_ONCE, WARM_UP};
use crate::Failure;
use crate::bench::child::Child;
use crate::bench::nodes::{Nodes, bytes};
use crate::bench::protocol::{Request, Role};
use crate::bench::rows::Row;

const NAMES: u64 = 200_000;
const WORKERS: u64 = 100_000;

/// The third node runs nothing.
pub(super) fn copies() -> Result<Vec<Row>, Failure> {
    let mut nodes = Nodes::of(&[Role::Server, Role::Server, Role::Observer])?;
    nodes.step("200,000 names by pid, 200,000 placed ones, and a node that holds the copy");
    nodes.until(WARM_UP, &place("warm", WARM_UP))?;
    let before = resident(&mut nodes)?;
    nodes.until(WARM_UP + NAMES, &name("by-pid", 0, NAMES, AT_ONCE))?;
    let between = resident(&mut nodes)?;
    nodes.until(WARM_UP + 2 * NAMES, &place("placed", NAMES))?;
    let after = resident(&mut nodes)?;
    let each = |grown: f64| grown / NAMES as f64;
    let (by_pid, placed) = (each(between - before), each(after - between));
    Ok(vec![
        Row::at_most("memory of a copy of a name, by pid", by_pid, "B", 250.0),
        Row::at_most("memory of a copy of a name, placed", placed, "B", 250.0),
    ])
}

fn resident(nodes: &mut Nodes) -> Result<f64, Failure> {
    bytes(nodes.nth(3).ask(&Request::Resident)?)
}

pub(super) fn workers() -> Result<Vec<Row>, Failure> {
    let taken = bytes(Child::start("memory")?.ask(&Request::Memory { workers: WORKERS })?)?;
    let row = "memory of a spawned worker after a call, of 100,000";
    Ok(vec![Row::at_most(row, taken / 1e3, "KB", 2.5)])
}
