//! A third node joins while all names are called.

use super::home::{LIGHT, Worst, ask, fill, last_home, names_of, start, watch, whole, worst};
use super::join::NAMES;
use super::protocol::{Change, Reply as Moves, Request};
use crate::Failure;
use crate::bench::nodes::{time, unexpected};
use crate::bench::protocol::{Reply, Role};
use crate::bench::rows::Row;

/// How many calls a second are tried: more than are wanted.
const PER_SECOND: u32 = 6_000;
const CALLERS: u64 = 128;

pub(super) fn measure(rounds: u32) -> Result<Vec<Row>, Failure> {
    use Worst::{Highest, Lowest, Sum};
    let [seconds, rate, failed, p99_ms] =
        worst(rounds, "under load", [Highest, Lowest, Sum, Highest], |_| round())?;
    let what = "10,000 names, a third node joins under load";
    Ok(vec![
        Row::at_most(format!("{what}: all moved, worst of {rounds}"), seconds, "s", 2.0),
        Row::at_least(format!("{what}: calls meanwhile"), rate, "/s", 5_000.0),
        Row::at_most(format!("{what}: failed calls"), failed, "", 0.0),
        Row::at_most(format!("{what}: p99 of calls"), p99_ms, "ms", 100.0),
    ])
}

fn round() -> Result<[f64; 4], Failure> {
    let mut nodes = start(2)?;
    nodes.step("10,000 names on two nodes, all called, a third joins");
    fill(&mut nodes, NAMES, LIGHT)?;
    let calls = Request::CallsBegin { count: NAMES, callers: CALLERS, per_second: PER_SECOND };
    ask(&mut nodes, 1, calls)?;
    ask(&mut nodes, 1, Request::WatchNode(Change::Up))?;
    let third = nodes.plan(Role::Carrier);
    nodes.begin(&[third])?;
    let all = names_of(&nodes);
    watch(&mut nodes, NAMES, &all)?;
    let from_ns = time(ask(&mut nodes, 1, Request::Node)?)?;
    let until_ns = last_home(&mut nodes)?;
    let ended = ask(&mut nodes, 1, Request::CallsEnd { from_ns, until_ns })?;
    let Reply::Moves(Moves::Called(called)) = ended else { return Err(unexpected(&ended)) };
    eprintln!(
        "           {} calls, p50 {:.0} µs, p99 {:.0} µs, worst {:.0} µs{}",
        called.count,
        called.p50_us,
        called.p99_us,
        called.worst_us,
        called.complaint.map(|complaint| format!(": {complaint}")).unwrap_or_default()
    );
    if called.failed == 0 {
        whole(&mut nodes, NAMES, LIGHT)?;
    }
    let seconds = until_ns.saturating_sub(from_ns) as f64 / 1e9;
    Ok([seconds, called.per_second, called.failed as f64, called.p99_us / 1e3])
}
