//! States of a mebibyte, all from one node to another.

use super::AT_ONCE;
use super::home::{Worst, all, ask, last_home, marks, start, watch, whole, worst};
use super::protocol::Request;
use super::worker::Order;
use crate::Failure;
use crate::bench::nodes::{answered, bytes, node};
use crate::bench::rows::Row;

const STATES: u64 = 100;
const HEAVY: Order = Order { cargo: 1 << 20, start_ms: 0 };
const MIB: f64 = (1 << 20) as f64;

pub(super) fn measure(rounds: u32) -> Result<Vec<Row>, Failure> {
    use Worst::{Highest, Lowest};
    let [rate, source, target] =
        worst(rounds, "large states", [Lowest, Highest, Highest], |_| round())?;
    let what = "100 states of 1 MiB";
    Ok(vec![
        Row::at_least(format!("{what}, worst of {rounds}"), rate, "MB/s", 100.0),
        Row::at_most(format!("{what}: memory of the source above rest"), source, "MiB", 64.0),
        Row::at_most(format!("{what}: of the target, besides the states"), target, "MiB", 64.0),
    ])
}

/// They run on the first node, until it takes none and the second does.
fn round() -> Result<[f64; 3], Failure> {
    let mut nodes = start(2)?;
    nodes.step("100 states of 1 MiB on one of two nodes move to the other one");
    ask(&mut nodes, 2, Request::Ready(false))?;
    watch(&mut nodes, STATES, &[node(1)])?;
    let register = Request::Register { count: STATES, at_once: AT_ONCE, order: HEAVY };
    answered(ask(&mut nodes, 1, register)?)?;
    answered(ask(&mut nodes, 1, Request::Add { count: STATES })?)?;
    last_home(&mut nodes)?;
    all(&mut nodes, &Request::MemoryBegin)?;
    watch(&mut nodes, STATES, &[node(2)])?;
    ask(&mut nodes, 2, Request::Ready(true))?;
    ask(&mut nodes, 1, Request::Ready(false))?;
    last_home(&mut nodes)?;
    let source = bytes(ask(&mut nodes, 1, Request::MemoryEnd)?)?;
    let target = bytes(ask(&mut nodes, 2, Request::MemoryEnd)?)?;
    let marks = marks(&mut nodes)?;
    let took_ns = marks[1].resumed.last_ns.saturating_sub(marks[0].asked.first_ns);
    whole(&mut nodes, STATES, HEAVY)?;
    let sent = STATES as f64 * HEAVY.cargo as f64;
    Ok([sent / 1e6 / (took_ns as f64 / 1e9), source / MIB, (target - sent) / MIB])
}
