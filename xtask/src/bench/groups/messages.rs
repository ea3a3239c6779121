//! Messages to all members, who run on three nodes.

use super::protocol::Request as Groups;
use super::{AT_ONCE, NODES};
use crate::Failure;
use crate::bench::nodes::{Nodes, rate, unexpected};
use crate::bench::protocol::{Reply, Request, View};
use crate::bench::rows::Row;

const LARGE: u64 = 1_000;
const SMALL: u64 = 100;
const MILLIS: u64 = 2_000;

pub(super) fn measure() -> Result<Vec<Row>, Failure> {
    let mut nodes = gather(LARGE)?;
    nodes.step("publish to 1,000 members on three nodes");
    // The first use of everything is not news.
    nodes.first(&Request::Groups(Groups::Publish { len: LARGE, millis: 100 }))?;
    let reply = nodes.first(&Request::Groups(Groups::Publish { len: LARGE, millis: MILLIS }))?;
    let Reply::Cast { sent, delivered, seconds, growth_bytes } = reply else {
        return Err(unexpected(&reply));
    };
    let mib = growth_bytes as f64 / f64::from(1 << 20);
    eprintln!("           {sent} sent, {delivered} counted by the members, {mib:.1} MiB");
    if sent != delivered {
        return Err(Failure::new(format!("{sent} were published, and {delivered} delivered")));
    }
    let published = delivered as f64 / seconds;
    let mut nodes = gather(SMALL)?;
    nodes.step("multi_call to 100 members on three nodes");
    nodes.first(&Request::Groups(Groups::MultiCall { len: SMALL, millis: 100 }))?;
    let calls = nodes.first(&Request::Groups(Groups::MultiCall { len: SMALL, millis: MILLIS }))?;
    let calls = rate(calls)?;
    let [p50, p99] = [calls.p50_us, calls.p99_us].map(|us| us / 1e3);
    Ok(vec![
        Row::at_least("publish, 64 B, 1,000 members, delivered", published, "/s", 1.5e6),
        Row::at_most("multi_call, 100 members, p50", p50, "ms", 0.6),
        Row::at_most("multi_call, 100 members, p99", p99, "ms", 2.0),
    ])
}

/// Nodes that see one group of so many members, which are spread over all.
fn gather(members: u64) -> Result<Nodes, Failure> {
    let mut nodes = Nodes::start(NODES)?;
    let all = NODES as u64;
    for nth in 0..all {
        let count = members / all + u64::from(nth < members % all);
        let node = nodes.nth(nth as usize + 1);
        node.ask(&Request::Groups(Groups::Spawn { count }))?;
        node.ask(&Request::Groups(Groups::Join { groups: 1, at_once: AT_ONCE }))?;
    }
    nodes.wait_for(View::Members(members))?;
    Ok(nodes)
}
