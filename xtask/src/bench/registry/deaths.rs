//! What is gone with a node, or with many processes at once.

use super::names::{name, place};
use super::protocol::Request as Registry;
use super::{AT_ONCE, NODES};
use crate::Failure;
use crate::bench::nodes::{Nodes, node, time, unexpected};
use crate::bench::protocol::{Reply, Request, View};
use crate::bench::rows::Row;

const NAMES: u64 = 30_000;
const CROWD: u64 = 100_000;

/// A node dies that has all the names, and one that has a third of them.
pub(super) fn of_a_node() -> Result<Vec<Row>, Failure> {
    let mut nodes = Nodes::start(NODES)?;
    nodes.step("a node dies that has 30,000 names by pid");
    nodes.all(&Request::Watch(View::Names(NAMES)))?;
    nodes.nth(NODES).ask(&name("pid", 0, NAMES, AT_ONCE))?;
    nodes.all(&Request::Watched)?;
    let by_pid = dies(nodes, "pid")?;
    let mut nodes = Nodes::start(NODES)?;
    nodes.step("a node dies that runs a third of 30,000 placed names");
    nodes.until(NAMES, &place("placed", NAMES))?;
    let placed = dies(nodes, "placed")?;
    let row = |what: &str, ms| Row::at_most(format!("a node dies, {what}: hidden"), ms, "ms", 20.0);
    Ok(vec![
        row("which has 30,000 names by pid", by_pid),
        row("30,000 placed names on three nodes", placed),
    ])
}

/// From the moment at which a node holds it dead until it finds none of its names: the worse of
/// the two, in milliseconds.
fn dies(mut nodes: Nodes, prefix: &str) -> Result<f64, Failure> {
    let (prefix, of) = (prefix.to_owned(), node(NODES));
    let watch = Registry::WatchHidden { prefix, count: NAMES, of };
    for nth in 1..NODES {
        nodes.nth(nth).ask(&Request::Registry(watch.clone()))?;
    }
    nodes.kill_last()?;
    let mut worst: f64 = 0.0;
    for seen in nodes.all(&Request::Registry(Registry::Hidden))? {
        let Reply::Death { dead_ns, complete_ns, .. } = seen else {
            return Err(unexpected(&seen));
        };
        worst = worst.max(complete_ns.saturating_sub(dead_ns) as f64 / 1e6);
    }
    Ok(worst)
}

/// Processes of the first node, each with a name and in a group, end all at once.
pub(super) fn of_a_crowd() -> Result<Vec<Row>, Failure> {
    let mut nodes = Nodes::start(NODES)?;
    nodes.step("100,000 processes with names and groups");
    nodes.until(CROWD, &Request::Registry(Registry::Crowd { count: CROWD }))?;
    nodes.all(&Request::Watch(View::Nothing))?;
    nodes.step("they end");
    let ended = time(nodes.first(&Request::Registry(Registry::EndCrowd))?)?;
    let mut last = 0;
    for at in nodes.all(&Request::Watched)? {
        last = last.max(time(at)?);
    }
    let seconds = last.saturating_sub(ended) as f64 / 1e9;
    let row = "100,000 processes end at once: names and groups gone";
    Ok(vec![Row::at_most(row, seconds, "s", 1.0)])
}
