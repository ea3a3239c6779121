//! A few nodes of a calm world, for tests that say themselves what befalls them.

use super::host::SimNode;
use super::make::{Make, Sealing};
use super::temper::Temper;
use std::time::Duration;
use swarm_base::Rng;
use swarm_sim::{World, addr};

pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// How long a process may take, drawn for each thing that it is asked.
pub(super) const fn taking(max: Duration) -> Temper {
    Temper { start_fails: 0, slow_max: Duration::ZERO, quick_max: max, no_handoff: 0, large: 0 }
}

/// Starts a node that joins the first three.
pub(super) fn start(world: &mut World<SimNode>, node: u16, quorum: Option<usize>) {
    let make = Make {
        now: world.now(),
        addr: addr(node),
        seeds: (1..=3).map(addr).collect(),
        life: world.lives(addr(node)) + 1,
        rng: Rng::new(u64::from(node)),
        sealing: Sealing::Checksum,
        temper: taking(Duration::ZERO),
        defect: None,
        quorum,
    };
    world.insert(addr(node), SimNode::new(make));
}

/// Goes on until `goal` holds.
pub(super) fn until(
    world: &mut World<SimNode>,
    what: &str,
    goal: impl FnMut(&World<SimNode>) -> bool,
) {
    let took = world.run_to(PATIENCE, goal).expect("nothing checks it");
    assert!(took.is_some(), "{what}");
}

/// How many named processes run on a node.
pub(super) fn running(world: &World<SimNode>, node: u16) -> usize {
    let stubs = world.host(addr(node)).processes().running();
    stubs.filter(|(_, stub)| stub.name.is_some()).count()
}
