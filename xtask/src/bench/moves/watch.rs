//! Where names belong, and when they are there.

use crate::bench::figures::wall_ns;
use crate::bench::load::Watching;
use crate::bench::node::text;
use std::thread;
use std::time::Duration;
use swarm::{Boot, Name, NodeName, Ring, Strategy, Swarm, Weight};
use tokio::sync::oneshot;

/// How often the names are looked at.
const LOOK_EVERY: Duration = Duration::from_micros(500);

/// Waits on a thread of its own until each of `names` is, in this node's view, where the ring of
/// `nodes` wants it.
pub(super) fn home(swarm: Swarm, names: &[String], nodes: &[String]) -> Result<Watching, String> {
    let mut ring = Ring::new();
    for node in nodes {
        ring.add(NodeName::new(node).map_err(text)?, Weight::default());
    }
    let owned = |name: &String| {
        let name = Name::new(name).map_err(text)?;
        let owner = ring.owner(name.as_bytes()).cloned().ok_or("no owner")?;
        Ok((name, owner))
    };
    let mut left: Vec<(Name, NodeName)> = names.iter().map(owned).collect::<Result<_, String>>()?;
    let (seen, watching) = oneshot::channel();
    thread::spawn(move || {
        while !seen.is_closed() {
            let lives: Vec<(NodeName, Boot)> =
                swarm.nodes().into_iter().map(|node| (node.id.name, node.id.boot)).collect();
            let is_home = |(name, owner): &(Name, NodeName)| {
                let boot = lives.iter().find(|(node, _)| node == owner).map(|(_, boot)| *boot);
                boot.is_some() && swarm.whereis(name).map(|pid| pid.boot) == boot
            };
            while left.last().is_some_and(is_home) {
                left.pop();
            }
            if left.is_empty() {
                let _ = seen.send(wall_ns());
                return;
            }
            thread::sleep(LOOK_EVERY);
        }
    });
    Ok(watching)
}
