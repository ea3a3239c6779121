//! A few nodes of a calm world, for tests that say themselves what befalls them.

use super::host::SimNode;
use super::make::{Make, SOMEWHERE, Sealing};
use super::news::Asked;
use super::temper::Temper;
use crate::node::What;
use std::time::Duration;
use swarm_base::{Name, Rng};
use swarm_registry::{Bytes, Spec};
use swarm_sim::{Faults, World, addr};

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

/// Nodes without a quorum that know each other.
pub(super) fn of(nodes: u16) -> World<SimNode> {
    let mut world = World::new(1, Faults::calm());
    for node in 1..=nodes {
        start(&mut world, node, None);
    }
    world.run_for(Duration::from_secs(5)).expect("nothing checks it");
    world
}

/// A node asks for a name of a kind that every third node does not serve.
pub(super) fn register(world: &mut World<SimNode>, node: u16, name: Name, patience: Duration) {
    let spec = Spec { kind: SOMEWHERE.into(), args: Bytes::default() };
    let what = What::Register { name: name.clone(), spec };
    world.with(addr(node), |node, now| node.ask(now, what, Asked::Register(name), patience));
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
