//! Nodes that all start at the same moment.

use super::home::{LIGHT, ask, fill, whole};
use super::join::free_port;
use super::protocol::Request;
use crate::Failure;
use crate::bench::figures::Watch;
use crate::bench::nodes::{Nodes, count, node};
use crate::bench::protocol::Role;
use crate::bench::rows::Row;
use std::time::Duration;

const NODES: usize = 3;

/// Registered once they have started, and known to all.
const NAMES: u64 = 30;

/// Who takes longer hangs.
const HANGS: Duration = Duration::from_secs(10);

/// Rounds between two words about them.
const SAY_EVERY: u32 = 20;

pub(super) fn measure(rounds: u32) -> Result<Vec<Row>, Failure> {
    let (mut hangs, mut slowest): (u32, f64) = (0, 0.0);
    for round in 1..=rounds {
        match start() {
            Ok(seconds) => slowest = slowest.max(seconds),
            Err(failure) => {
                eprintln!("           round {round}: {failure}");
                hangs += 1;
            }
        }
        if round % SAY_EVERY == 0 || round == rounds {
            eprintln!(
                "           {round} of {rounds} starts: {hangs} hang, {slowest:.2} s at most"
            );
        }
    }
    let row = |what: &str| format!("3 nodes start together, {rounds} times: {what}");
    Ok(vec![
        Row::at_most(row("hangs"), f64::from(hangs), "", 0.0),
        Row::at_most(row("all serve, the slowest"), slowest, "s", HANGS.as_secs_f64()),
    ])
}

/// Each knows where the two others will be. The seconds until names are registered, and known to
/// all where they belong.
fn start() -> Result<f64, Failure> {
    let mut nodes = Nodes::none()?;
    let places: Vec<String> = (0..NODES).map(|_| free_port()).collect::<Result<_, _>>()?;
    let starts = (0..NODES).map(|at| {
        let mut start = nodes.plan(Role::Carrier);
        start.name = node(at + 1);
        start.bind.clone_from(&places[at]);
        start.seeds = places.iter().filter(|place| **place != places[at]).cloned().collect();
        start
    });
    let (starts, watch): (Vec<_>, _) = (starts.collect(), Watch::start());
    nodes.begin(&starts)?;
    for nth in 1..=NODES {
        while count(ask(&mut nodes, nth, Request::Alive)?)? < NODES as u64 {
            if watch.elapsed() > HANGS {
                return Err(Failure::new(format!("{} does not see all", node(nth))));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    fill(&mut nodes, NAMES, LIGHT)?;
    whole(&mut nodes, NAMES, LIGHT)?;
    let seconds = watch.seconds();
    if watch.elapsed() > HANGS {
        return Err(Failure::new(format!("it took {seconds:.1} s")));
    }
    Ok(seconds)
}
