//! A worker that crashes too often, where the node that takes it over is not heard.

use super::few::{PATIENCE, of, register, until};
use super::host::SimNode;
use super::news::News;
use crate::Event as Public;
use std::time::Duration;
use swarm_base::Name;
use swarm_process::ExitReason;
use swarm_sim::{World, addr};

/// The process of the name on a node.
fn process(world: &World<SimNode>, node: u16) -> Option<u64> {
    let mut running = world.host(addr(node)).processes().running();
    running.find(|(_, stub)| stub.name.is_some()).map(|(serial, _)| serial)
}

/// A name that has crashed so often on its node that another one is asked to take it over, and which
/// nodes these are.
fn escalated(world: &mut World<SimNode>) -> (u16, u16) {
    register(world, 1, Name::new("w").expect("a short name"), PATIENCE);
    let home = |world: &World<SimNode>| [2, 3].into_iter().find(|at| process(world, *at).is_some());
    until(world, "it runs", |world| home(world).is_some());
    let from = home(world).expect("it runs");
    let is_escalated = |world: &World<SimNode>| {
        world
            .events()
            .any(|(.., event)| matches!(event, News::Public(Public::NameEscalated { .. })))
    };
    while !is_escalated(world) {
        until(world, "it runs again", |world| process(world, from).is_some());
        let serial = process(world, from).expect("it runs again");
        let why = ExitReason::Panicked { message: "a bug of the user's".into() };
        world.with(addr(from), |host, now| host.end_process(now, serial, why));
    }
    (from, 5 - from)
}

#[test]
fn a_name_that_was_taken_over_in_silence_is_not_started_again() {
    let mut world = of(3);
    let (from, to) = escalated(&mut world);
    world.cut(addr(to), addr(from));
    until(&mut world, "it is taken over", |world| process(world, to).is_some());
    let began = |world: &World<SimNode>| {
        world.events().filter(|(.., event)| matches!(event, News::Began { .. })).count()
    };
    let before = began(&world);
    // Who asked hears of it by the third node only, some seconds later.
    world.run_for(Duration::from_secs(12)).expect("nothing checks it");
    assert_eq!((process(&world, from), process(&world, to).is_some()), (None, true));
    assert_eq!(began(&world), before, "it is not started again");
}

#[test]
fn a_name_that_nobody_takes_over_is_started_again() {
    let mut world = of(3);
    let (from, to) = escalated(&mut world);
    // The question is on its way, and finds a node that takes no names any more.
    world.with(addr(to), |host, now| host.set_ready(now, false));
    until(&mut world, "it runs here again", |world| process(world, from).is_some());
    assert_eq!(process(&world, to), None);
}

#[test]
fn a_name_that_was_to_be_taken_over_by_a_node_that_dies_is_started_again() {
    let mut world = of(3);
    let (from, to) = escalated(&mut world);
    world.crash(addr(to));
    until(&mut world, "it runs here again", |world| process(world, from).is_some());
}
