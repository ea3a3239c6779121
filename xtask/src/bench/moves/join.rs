//! A third node joins two that have all the names.

use super::home::{
    LIGHT, Worst, ask, fill, last_home, marks, names_of, start, watch, whole, worst,
};
use super::protocol::{Change, Request};
use crate::Failure;
use crate::bench::nodes::{Nodes, time};
use crate::bench::protocol::{Role, Start};
use crate::bench::rows::Row;
use std::net::UdpSocket;

pub(super) const NAMES: u64 = 10_000;

/// Fewer would be too good to be true: a third is due.
const MOVED_MIN: u64 = 2_500;

pub(super) fn measure(rounds: u32) -> Result<Vec<Row>, Failure> {
    let joins = worst(rounds, "it joins", [Worst::Highest], |_| {
        let mut nodes = start(2)?;
        nodes.step("10,000 names on two nodes, a third joins");
        fill(&mut nodes, NAMES, LIGHT)?;
        let third = nodes.plan(Role::Carrier);
        moved(&mut nodes, third).map(|seconds| [seconds])
    })?;
    let found = worst(rounds, "it is found", [Worst::Highest], |_| {
        let (mut nodes, third) = apart()?;
        nodes.step("10,000 names on two nodes, which find a third that runs alone");
        fill(&mut nodes, NAMES, LIGHT)?;
        moved(&mut nodes, third).map(|seconds| [seconds])
    })?;
    let row = |what: &str, [seconds]: [f64; 1]| {
        let row = format!("10,000 names with state, {what}: all moved, worst of {rounds}");
        Row::at_most(row, seconds, "s", 2.0)
    };
    Ok(vec![row("a third node joins", joins), row("a third is found", found)])
}

/// Two nodes that look for a third from their start on, and how it starts: it looks for nobody.
fn apart() -> Result<(Nodes, Start), Failure> {
    let mut nodes = Nodes::none()?;
    let address = free_port()?;
    for _ in 0..2 {
        let mut start = nodes.plan(Role::Carrier);
        start.seeds.push(address.clone());
        nodes.begin(&[start])?;
    }
    nodes.settle()?;
    let mut third = nodes.plan(Role::Carrier);
    third.bind = address;
    third.seeds.clear();
    Ok((nodes, third))
}

/// An address of the loopback on which nobody listens.
pub(super) fn free_port() -> Result<String, Failure> {
    let address = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let address = address.map_err(|error| Failure::new(format!("no port: {error}")))?;
    Ok(address.to_string())
}

/// Starts the third node: the seconds from when the first of the others sees it until all names
/// are where they belong in all three views, and each has run its last step there.
fn moved(nodes: &mut Nodes, third: Start) -> Result<f64, Failure> {
    ask(nodes, 1, Request::WatchNode(Change::Up))?;
    ask(nodes, 2, Request::WatchNode(Change::Up))?;
    nodes.begin(&[third])?;
    let all = names_of(nodes);
    watch(nodes, NAMES, &all)?;
    let seen = time(ask(nodes, 1, Request::Node)?)?.min(time(ask(nodes, 2, Request::Node)?)?);
    let mut home = last_home(nodes)?;
    let mut moved = 0;
    for marks in marks(nodes)? {
        home = home.max(marks.resumed.last_ns);
        moved += marks.resumed.count;
    }
    if moved < MOVED_MIN {
        return Err(Failure::new(format!("{moved} workers have moved, not a third of {NAMES}")));
    }
    whole(nodes, NAMES, LIGHT)?;
    Ok(home.saturating_sub(seen) as f64 / 1e9)
}
