//! What a registration weighs on the wire: whole frames on a loopback of its own, with everything
//! that protects and acknowledges them.

use super::names::{name, place};
use super::{AT_ONCE, NODES, WARM_UP};
use crate::bench::namespace::{self, Traffic, set_up};
use crate::bench::nodes::Nodes;
use crate::bench::protocol::Request;
use crate::bench::rows::Row;
use crate::{Failure, output};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const NAMES: u64 = 50_000;

/// How long acknowledgements may take.
const ACKNOWLEDGED: Duration = Duration::from_millis(300);

/// Bytes for each registration and peer.
#[derive(Debug, Serialize, Deserialize)]
struct Figures {
    by_pid: f64,
    placed_here: f64,
    placed_anywhere: f64,
}

pub(super) fn measure() -> Result<Vec<Row>, Failure> {
    let figures: Figures = namespace::measure("wire", ["registry-wire".to_owned()])?;
    let row = |what: &str, bytes, most| {
        Row::at_most(format!("on the wire, for each peer: {what}"), bytes, "B", most)
    };
    Ok(vec![
        row("register_pid", figures.by_pid, 80.0),
        row("placed, the caller's node owns it", figures.placed_here, 120.0),
        row("placed on three nodes, with requests", figures.placed_anywhere, 120.0),
    ])
}

/// The process in the namespace.
pub(in crate::bench) fn run() -> Result<(), Failure> {
    set_up(0).map_err(Failure::new)?;
    let mut nodes = Nodes::observed()?;
    nodes.until(WARM_UP, &place("warm", WARM_UP))?;
    let by_pid = weigh(&mut nodes, WARM_UP + NAMES, &name("pids", 0, NAMES, AT_ONCE))?;
    let placed_here = weigh(&mut nodes, WARM_UP + 2 * NAMES, &place("name", NAMES))?;
    drop(nodes);
    let mut nodes = Nodes::start(NODES)?;
    nodes.until(WARM_UP, &place("warm", WARM_UP))?;
    let placed_anywhere = weigh(&mut nodes, WARM_UP + NAMES, &place("name", NAMES))?;
    let figures = Figures { by_pid, placed_here, placed_anywhere };
    output::line(serde_json::to_string(&figures).map_err(|e| Failure::new(e.to_string()))?)
}

fn weigh(nodes: &mut Nodes, names: u64, request: &Request) -> Result<f64, Failure> {
    let before = Traffic::now();
    nodes.until(names, request)?;
    std::thread::sleep(ACKNOWLEDGED);
    let sent = Traffic::now().since(before);
    eprintln!("           {} packets, {} bytes", sent.packets, sent.bytes);
    Ok(sent.bytes as f64 / NAMES as f64 / (NODES - 1) as f64)
}
