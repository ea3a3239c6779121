//! What a member costs: a protocol that knows many, in a process of its own.

use crate::bench::figures::resident;
use crate::{Failure, output};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use swarm_base::{Boot, Instant, Machine, NodeId, NodeName, Rng};
use swarm_swim::{Checked, Metadata, Packet, Protocol};

/// The bytes by which a process grows with each member that its protocol knows.
pub(super) fn measure() -> Result<f64, Failure> {
    let failure = |why: String| Failure::new(format!("the memory of members: {why}"));
    let own = std::env::current_exe().map_err(|error| failure(error.to_string()))?;
    let done = Command::new(own)
        .args(["bench", "swim-heap"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failure(error.to_string()))?;
    let text = String::from_utf8_lossy(&done.stdout);
    text.trim().parse().map_err(|_| failure(format!("no figure, and {}", done.status)))
}

/// The process itself.
pub(crate) fn run() -> Result<(), Failure> {
    let now = Instant::START;
    let (address, rng) = (SocketAddr::from(([10, 0, 0, 1], 1)), Rng::new(1));
    let (me, config) = (id(0), Checked::default());
    let mut machine = Protocol::new(now, me, address, Metadata::default(), config, rng);
    let mut learn = |members: std::ops::Range<usize>| {
        for first in members.clone().step_by(10) {
            let told = first..members.end.min(first + 10);
            machine.handle_message(now, address, gossip(told));
            while machine.poll_output().is_some() {}
        }
        machine.n_live()
    };
    // What the first ones bring along, the news among it, does not grow.
    let before = (learn(1..10_000), resident());
    let after = (learn(10_000..60_000), resident());
    let grown = after.1.saturating_sub(before.1) as f64;
    output::line(grown / (after.0 - before.0) as f64)
}

/// Gossip in which the nodes `told` say that they live.
fn gossip(told: std::ops::Range<usize>) -> Packet {
    let mut body = vec![11];
    for idx in told {
        let id = id(idx);
        let mut update = vec![id.name.as_str().len() as u8];
        update.extend(id.name.as_str().as_bytes());
        update.extend(id.boot.to_bytes());
        update.extend(0u64.to_be_bytes());
        update.extend([4, 10, 0, 0, 1]);
        update.extend((idx as u16).to_be_bytes());
        body.push(1);
        body.extend((update.len() as u16).to_be_bytes());
        body.extend(update);
    }
    Packet::decode(id(1), id(0).boot, &body).expect("well formed")
}

fn id(idx: usize) -> NodeId {
    let name = NodeName::new(format!("node-{idx}")).expect("a name");
    NodeId::new(name, Boot { millis: 1, random: idx as u64 })
}
