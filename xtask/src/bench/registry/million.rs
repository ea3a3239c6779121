//! A million names: lookups while others register, and a node that joins.

use super::AT_ONCE;
use super::names::name;
use super::protocol::{Pace, Request as Registry};
use crate::Failure;
use crate::bench::figures::wall_ns;
use crate::bench::nodes::{Nodes, Rate, answered, count, rate, time};
use crate::bench::protocol::{Request, Role, View};
use crate::bench::rows::Row;
use std::time::Duration;

const NAMES: u64 = 1_000_000;
const LOOK_MS: u64 = 3_000;

/// Registered meanwhile, for longer than is looked.
const PACE: u32 = 50_000;
const WRITES: u64 = 5 * PACE as u64;
const WRITERS: u64 = 200;

/// How long lookups are sampled while nothing else happens.
const QUIET: Duration = Duration::from_secs(3);

pub(super) fn measure() -> Result<Vec<Row>, Failure> {
    let mut nodes = Nodes::start(2)?;
    nodes.step("1,000,000 names, half of them on each node");
    nodes.all(&Request::Watch(View::Names(NAMES)))?;
    nodes.nth(1).tell(&name(PREFIX, 0, NAMES / 2, AT_ONCE))?;
    nodes.nth(2).tell(&name(PREFIX, NAMES / 2, NAMES / 2, AT_ONCE))?;
    for nth in 1..=2 {
        answered(nodes.nth(nth).answer()?)?;
    }
    nodes.all(&Request::Watched)?;
    nodes.step("lookups, without writers and with them");
    let whereis =
        Request::Whereis { prefix: PREFIX.to_owned(), count: NAMES, callers: 1, millis: LOOK_MS };
    let alone = 1e9 / rate(nodes.first(&whereis)?)?.per_second;
    let (prefix, pace) = ("new".to_owned(), Pace::PerSecond(PACE));
    let write = Registry::Name { prefix, from: 0, count: WRITES, at_once: WRITERS, pace };
    nodes.nth(2).tell(&Request::Registry(write))?;
    let beside = 1e9 / rate(nodes.first(&whereis)?)?.per_second;
    let written = answered(nodes.nth(2).answer()?)?;
    eprintln!("           {alone:.0} ns, {beside:.0} ns beside {written:.0} registrations/s");
    nodes.step("a third node joins");
    nodes.all(&Request::Registry(Registry::Listen))?;
    let (copied_s, quiet, busy) = third(&mut nodes)?;
    let mut deaths = 0;
    for nth in 1..=2 {
        let seen = nodes.nth(nth).ask(&Request::Registry(Registry::Deaths))?;
        deaths += count(seen)?;
    }
    eprintln!("           lookups: p99 {:.2} µs, {:.2} µs meanwhile", quiet.p99_us, busy.p99_us);
    let slower = "whereis, 1,000,000 names, with writers against without";
    let p99 = "a node joins 1,000,000 names: p99 of lookups against before";
    Ok(vec![
        Row::at_most("whereis, 1,000,000 names, 50,000/s registered", beside, "ns", 400.0),
        Row::at_most(slower, beside / alone, "x", 1.3),
        Row::at_most("a node joins 1,000,000 names: complete copy", copied_s, "s", 10.0),
        Row::at_most("a node joins 1,000,000 names: held dead meanwhile", deaths as f64, "", 0.0),
        Row::at_most(p99, busy.p99_us / quiet.p99_us, "x", 2.0),
    ])
}

/// Seconds from its start until its copy is complete, and the lookups on the first node before
/// and meanwhile.
fn third(nodes: &mut Nodes) -> Result<(f64, Rate, Rate), Failure> {
    let sample = Registry::SampleBegin { prefix: PREFIX.to_owned(), count: NAMES };
    let (begin, end) = (Request::Registry(sample), Request::Registry(Registry::SampleEnd));
    nodes.first(&begin)?;
    std::thread::sleep(QUIET);
    let quiet = rate(nodes.first(&end)?)?;
    nodes.first(&begin)?;
    let begun = wall_ns();
    nodes.add(Role::Server)?;
    nodes.nth(3).ask(&Request::Watch(View::Names(NAMES + WRITES)))?;
    let complete = time(nodes.nth(3).ask(&Request::Watched)?)?;
    let busy = rate(nodes.first(&end)?)?;
    Ok((complete.saturating_sub(begun) as f64 / 1e9, quiet, busy))
}

const PREFIX: &str = "m";
