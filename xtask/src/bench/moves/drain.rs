//! A node that moves all its workers away.

use super::home::{LIGHT, Worst, ask, fill, last_home, start, watch, whole, worst};
use super::protocol::{Reply as Moves, Request};
use crate::Failure;
use crate::bench::nodes::{node, unexpected};
use crate::bench::protocol::Reply;
use crate::bench::rows::Row;

/// A third of them on each of three nodes.
const NAMES: u64 = 30_000;

/// Fewer would be too good to be true.
const DRAINED_MIN: u64 = 9_000;

pub(super) fn measure(rounds: u32) -> Result<Vec<Row>, Failure> {
    let [seconds] = worst(rounds, "drain", [Worst::Highest], |_| round().map(|it| [it]))?;
    let row = format!("drain of 10,000 workers, worst of {rounds}");
    Ok(vec![Row::at_most(row, seconds, "s", 3.0)])
}

/// Seconds for 10,000 of them, if the third node has a few more or less.
fn round() -> Result<f64, Failure> {
    let mut nodes = start(3)?;
    nodes.step("30,000 names on three nodes, one of which drains");
    fill(&mut nodes, NAMES, LIGHT)?;
    super::home::all(&mut nodes, &Request::ClearMarks)?;
    watch(&mut nodes, NAMES, &[node(1), node(2)])?;
    let reply = ask(&mut nodes, 3, Request::Drain)?;
    let Reply::Moves(Moves::Seconds(seconds)) = reply else { return Err(unexpected(&reply)) };
    last_home(&mut nodes)?;
    whole(&mut nodes, NAMES, LIGHT)?;
    let drained = super::home::marks(&mut nodes)?[2].ended.count;
    eprintln!("           {drained} workers in {seconds:.2} s");
    if drained < DRAINED_MIN {
        return Err(Failure::new(format!("{drained} workers are not 10,000")));
    }
    Ok(seconds * 10_000.0 / drained as f64)
}
