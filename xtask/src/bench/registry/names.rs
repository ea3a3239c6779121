//! Registering and finding.

use super::protocol::{Pace, Request as Registry};
use super::{AT_ONCE, NODES, WARM_UP};
use crate::Failure;
use crate::bench::nodes::{Answered, Nodes, rate};
use crate::bench::protocol::Request;
use crate::bench::rows::Row;

const NAMES: u64 = 50_000;
const FEW: u64 = 10_000;
const LOOK_MS: u64 = 1_000;

/// Workers that the ring places.
pub(super) fn placed() -> Result<Vec<Row>, Failure> {
    let mut nodes = Nodes::start(NODES)?;
    nodes.step("the first use of everything");
    nodes.until(WARM_UP, &place("warm", WARM_UP))?;
    nodes.until(0, &Request::Stop { prefix: "warm".to_owned(), count: WARM_UP })?;
    nodes.step("10,000 names, looked up by one and by two");
    nodes.until(FEW, &place("few", FEW))?;
    let one = lookups(&mut nodes, 1)?;
    let two = lookups(&mut nodes, 2)?;
    nodes.until(0, &Request::Stop { prefix: "few".to_owned(), count: FEW })?;
    nodes.step("50,000 names");
    let Answered { rate, views_ms } = nodes.until(NAMES, &place("name", NAMES))?;
    Ok(vec![
        Row::at_least("register, placed, 50 at once, 50,000 names", rate, "/s", 60_000.0),
        Row::at_most("all three views complete after the last Ok", views_ms, "ms", 5.0),
        Row::at_least("whereis, 10,000 names, one caller", one, "/s", 8e6),
        Row::at_least("whereis, 10,000 names, two callers", two, "/s", 12e6),
    ])
}

/// Names of a process of the caller's node: on three nodes alike, where another node lets two of
/// three names through, and where the caller's node lets all of them through itself.
pub(super) fn by_pid() -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for gate in [Gate::Anywhere, Gate::Here] {
        let mut nodes = match gate {
            Gate::Anywhere => Nodes::start(NODES)?,
            Gate::Here => Nodes::observed()?,
        };
        let (one, many) = named(&mut nodes)?;
        let row = |callers, rate, least| {
            let of = match gate {
                Gate::Anywhere => "",
                Gate::Here => ", names of the caller's node",
            };
            Row::at_least(format!("register_pid, {callers}{of}"), rate, "/s", least)
        };
        rows.push(row("one caller", one, 200_000.0));
        rows.push(row("50 at once", many, 300_000.0));
    }
    Ok(rows)
}

/// Who lets a process through to a name.
#[derive(Clone, Copy)]
enum Gate {
    Anywhere,
    Here,
}

/// Registrations per second of one caller, and of many.
fn named(nodes: &mut Nodes) -> Result<(f64, f64), Failure> {
    nodes.step("the first use of everything");
    nodes.until(WARM_UP, &name("warm", 0, WARM_UP, AT_ONCE))?;
    nodes.step("50,000 names by one caller, and 100,000 by 50");
    let one = nodes.until(WARM_UP + NAMES, &name("one", 0, NAMES, 1))?;
    let many = nodes.until(WARM_UP + 3 * NAMES, &name("many", 0, 2 * NAMES, AT_ONCE))?;
    Ok((one.rate, many.rate))
}

fn lookups(nodes: &mut Nodes, callers: u64) -> Result<f64, Failure> {
    let (prefix, count, millis) = ("few".to_owned(), FEW, LOOK_MS);
    let found = nodes.first(&Request::Whereis { prefix, count, callers, millis })?;
    Ok(rate(found)?.per_second)
}

pub(super) fn place(prefix: &str, count: u64) -> Request {
    Request::Registry(Registry::Place { prefix: prefix.to_owned(), count, at_once: AT_ONCE })
}

pub(in crate::bench) fn name(prefix: &str, from: u64, count: u64, at_once: u64) -> Request {
    let (prefix, pace) = (prefix.to_owned(), Pace::Flat);
    Request::Registry(Registry::Name { prefix, from, count, at_once, pace })
}
