//! Joining, and reading who has.

use super::protocol::Request as Groups;
use super::{AT_ONCE, NODES};
use crate::Failure;
use crate::bench::figures::median;
use crate::bench::nodes::{Nodes, answered, rate};
use crate::bench::protocol::{Request, View};
use crate::bench::registry;
use crate::bench::rows::Row;

const PROCESSES: u64 = 10_000;
const SOME_GROUPS: u64 = 1_000;
const NAMES: u64 = 10_000;
const READ_MS: u64 = 1_000;

/// They join and leave so often: 10,000 at once are over in a moment.
const TURNS: usize = 5;

pub(super) fn join() -> Result<Vec<Row>, Failure> {
    let mut nodes = Nodes::start(NODES)?;
    nodes.first(&Request::Groups(Groups::Spawn { count: PROCESSES }))?;
    nodes.step("10,000 processes, one group and then 1,000");
    // The first use of everything is not news.
    join_and_leave(&mut nodes, 1)?;
    let mut of = |groups| {
        let turns: Result<Vec<f64>, _> =
            (0..TURNS).map(|_| join_and_leave(&mut nodes, groups)).collect();
        turns.map(|turns| median(&turns))
    };
    let (one, many) = (of(1)?, of(SOME_GROUPS)?);
    Ok(vec![
        Row::at_least("join, local, one group of 10,000 members", one, "/s", 300_000.0),
        Row::at_least("join, local, 1,000 groups of 10 members", many, "/s", 300_000.0),
    ])
}

/// Joins per second; afterwards nobody sees a member any more.
fn join_and_leave(nodes: &mut Nodes, groups: u64) -> Result<f64, Failure> {
    let at_once = AT_ONCE;
    let joins = answered(nodes.first(&Request::Groups(Groups::Join { groups, at_once }))?)?;
    nodes.wait_for(View::Members(PROCESSES))?;
    nodes.first(&Request::Groups(Groups::Leave { groups, at_once }))?;
    nodes.wait_for(View::Members(0))?;
    Ok(joins)
}

pub(super) fn members() -> Result<Vec<Row>, Failure> {
    let mut nodes = Nodes::start(NODES)?;
    nodes.step("10,000 names, and 1,000 groups of 10");
    nodes.until(NAMES, &registry::name("name", 0, NAMES, AT_ONCE))?;
    nodes.first(&Request::Groups(Groups::Spawn { count: PROCESSES }))?;
    let (groups, at_once) = (SOME_GROUPS, AT_ONCE);
    nodes.first(&Request::Groups(Groups::Join { groups, at_once }))?;
    nodes.wait_for(View::Members(PROCESSES))?;
    let (len, millis) = (PROCESSES / SOME_GROUPS, READ_MS);
    let read = Request::Groups(Groups::Members { groups, len, millis });
    // On a node that none of them runs on.
    let us = 1e6 / rate(nodes.nth(2).ask(&read)?)?.per_second;
    Ok(vec![Row::at_most("members of a group of 10, 10,000 names", us, "µs", 1.0)])
}
