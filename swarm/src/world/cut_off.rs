//! A node that is cut off from the quorum while a process of it is slow at what it was asked.

use super::few::{PATIENCE, running, start, taking, until};
use super::host::SimNode;
use super::make::EVERYWHERE;
use super::news::{Asked, News};
use super::processes::Phase;
use crate::node::{Stop, What};
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::Name;
use swarm_registry::{Bytes, Spec};
use swarm_sim::{Faults, World, addr};

/// How many nodes have to stand together.
const QUORUM: Option<usize> = Some(2);

/// Two nodes under a quorum of two, with a name for every second number.
fn two_with_names() -> World<SimNode> {
    let mut world = World::new(1, Faults::calm());
    start(&mut world, 1, QUORUM);
    start(&mut world, 2, QUORUM);
    world.run_for(Duration::from_secs(5)).expect("nothing checks it");
    for nth in 0..20 {
        let name = Name::new(format!("w{nth}")).expect("a short name");
        let spec = Spec { kind: EVERYWHERE.into(), args: Bytes::default() };
        let what = What::Register { name: name.clone(), spec };
        world.with(addr(1), |node, now| node.ask(now, what, Asked::Register(name), PATIENCE));
    }
    until(&mut world, "all run", |world| running(world, 1) + running(world, 2) == 20);
    world
}

/// The same, when names begin to move to a third node.
fn moving_to_a_third() -> World<SimNode> {
    let mut world = two_with_names();
    start(&mut world, 3, QUORUM);
    until(&mut world, "names move to the third", |world| {
        let mut stubs = world.host(addr(3)).processes().iter();
        stubs.any(|(_, stub)| stub.phase == Phase::Standby)
    });
    world
}

fn slow_down(world: &mut World<SimNode>, node: SocketAddr, quick_max: Duration) {
    world.with(node, |node, _| node.temper = taking(quick_max));
}

/// From now on a node stands alone; by when it has stopped what ran there.
fn isolate(world: &mut World<SimNode>, node: u16) {
    world.isolate(addr(node));
    let config = swarm_handoff::Config::default();
    let stopped = config.quorum_lease + config.quorum_ask + config.quorum_grace;
    world.run_for(stopped).expect("nothing checks it");
}

#[test]
fn a_standby_that_takes_over_too_slowly_does_not_come_to_run() {
    let mut world = moving_to_a_third();
    // Their commits are on their way: they would come to run while it is cut off, and after that.
    slow_down(&mut world, addr(3), Duration::from_secs(20));
    until(&mut world, "one is handed over", |world| {
        world.events().any(|(_, _, event)| matches!(event, News::Taken { .. }))
    });
    world.run_for(Duration::from_millis(20)).expect("nothing checks it");
    isolate(&mut world, 3);
    let begun = |world: &World<SimNode>| {
        let began = |(_, at, event): &&(_, SocketAddr, News)| {
            *at == addr(3) && matches!(event, News::Began { .. })
        };
        world.events().filter(began).count()
    };
    let before = begun(&world);
    assert_eq!(running(&world, 3), 0);
    world.run_for(Duration::from_secs(40)).expect("nothing checks it");
    assert_eq!(begun(&world), before, "it was stopped before it came to that");
    assert_eq!(running(&world, 3), 0);
}

#[test]
fn a_process_that_ends_for_a_move_has_no_more_time_than_the_others() {
    let mut world = moving_to_a_third();
    // Those that are frozen are about to end, and take their time.
    for node in [1, 2] {
        slow_down(&mut world, addr(node), Duration::from_secs(3_600));
    }
    world.run_for(Duration::from_millis(20)).expect("nothing checks it");
    let ending = |world: &World<SimNode>, node| {
        let stubs = world.host(addr(node)).processes().iter();
        stubs.filter(|(_, stub)| stub.name.is_some() && stub.phase == Phase::Frozen).count()
    };
    let source = if ending(&world, 1) > 0 { 1 } else { 2 };
    assert!(ending(&world, source) > 0, "one has been asked to end");
    for node in [1, 2] {
        slow_down(&mut world, addr(node), Duration::ZERO);
    }
    isolate(&mut world, source);
    assert_eq!((ending(&world, source), running(&world, source)), (0, 0));
    // It was killed, which is no crash that it would be started again after.
    world.run_for(Duration::from_secs(10)).expect("nothing checks it");
    assert_eq!(running(&world, source), 0);
}

#[test]
fn a_stop_with_much_time_is_no_reason_to_go_on() {
    let mut world = two_with_names();
    let here = world.host(addr(2)).processes().running();
    let names: Vec<Name> = here.filter_map(|(_, stub)| stub.name.clone()).collect();
    assert!(!names.is_empty(), "some run there");
    slow_down(&mut world, addr(2), Duration::from_secs(3_600));
    for name in names {
        let how = Stop::Graceful(Duration::from_secs(3_600));
        let what = What::Stop { name: name.clone(), how };
        world.with(addr(2), |node, now| node.ask(now, what, Asked::Stop(name), PATIENCE));
    }
    isolate(&mut world, 2);
    assert_eq!(running(&world, 2), 0);
}
