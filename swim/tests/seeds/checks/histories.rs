//! For each checker a history that it lets pass, and one that it does not.

use super::*;
use crate::node::{Birth, Sealing};
use std::sync::Arc;
use std::time::Duration;
use swarm_base::{Boot, Instant, NodeId, NodeName};
use swarm_sim::{Action, Check, Faults, Violation, World, addr};
use swarm_swim::{Config, Event, Failure, Member, Metadata, Record, State};

/// `n` nodes who know each other.
fn settled(n: u16) -> World<Node> {
    let mut world = World::new(1, Faults::calm());
    for idx in 1..=n {
        insert(&mut world, idx);
    }
    run(&mut world, 10_000);
    assert_eq!(disagreement(world.hosts()), None);
    world
}

/// Starts a node, in the same boot as ever.
fn insert(world: &mut World<Node>, idx: u16) {
    let birth = Birth {
        id: id(idx),
        address: addr(idx),
        seeds: vec![addr(1)],
        config: Config::lan().check().expect("as shipped"),
        sealing: Sealing::Open,
        rng: world.rng(addr(idx)),
    };
    let node = Node::new(world.now(), birth);
    world.insert(addr(idx), node);
}

fn id(idx: u16) -> NodeId {
    let name = NodeName::new(format!("n{idx}")).expect("a name");
    NodeId::new(name, Boot { millis: 1, random: 0 })
}

fn run(world: &mut World<Node>, ms: u64) {
    world.run_for(Duration::from_millis(ms)).unwrap_or_else(|violation| panic!("{violation}"));
}

fn dead(idx: u16) -> Event {
    Event::Failed { node: id(idx), why: Failure::Timeout }
}

fn later(world: &World<Node>, secs: u64) -> Instant {
    world.now() + Duration::from_secs(secs)
}

fn calm() -> Action {
    Action::Network(Box::new(Faults::calm()))
}

#[track_caller]
fn check(verdict: &Result<(), Violation>, is_right: bool) {
    assert_eq!(verdict.is_ok(), is_right, "{verdict:?}");
}

#[test]
fn m1_sees_a_death_that_nobody_notices() {
    let world = settled(3);
    let (now, hosts) = (world.now(), world.hosts());
    let mut m1 = Completeness::default();
    for idx in 1..=3 {
        check(&m1.step(now, addr(idx), hosts), true);
    }
    // It goes on to run in the others' tables.
    m1.act(now, &Action::Crash(addr(3)));
    check(&m1.step(later(&world, 5), addr(1), hosts), true);
    check(&m1.step(later(&world, 300), addr(1), hosts), false);
}

#[test]
fn m1_waits_while_the_network_is_cut() {
    let world = settled(3);
    let (now, hosts) = (world.now(), world.hosts());
    let mut m1 = Completeness::default();
    (1..=3).for_each(|idx| check(&m1.step(now, addr(idx), hosts), true));
    m1.act(now, &Action::Cut(addr(1), addr(2)));
    m1.act(now, &Action::Crash(addr(3)));
    check(&m1.step(later(&world, 300), addr(1), hosts), true);
    m1.act(later(&world, 300), &Action::Heal);
    check(&m1.step(later(&world, 600), addr(1), hosts), false);
}

#[test]
fn m2_sees_a_living_node_declared_dead() {
    let mut world = settled(3);
    let now = later(&world, 60);
    let observe =
        |m2: &mut Accuracy, world: &World<Node>| m2.observe(now, addr(1), &dead(3), world.hosts());
    check(&observe(&mut Accuracy::default(), &world), false);
    let mut slow = Accuracy::default();
    slow.act(now, &Action::Slow(addr(3), 9));
    check(&observe(&mut slow, &world), true);
    let mut paused = Accuracy::default();
    paused.act(now, &Action::Pause(addr(3), Duration::from_secs(1)));
    check(&observe(&mut paused, &world), false);
    let mut cut = Accuracy::default();
    cut.act(now, &Action::Cut(addr(1), addr(3)));
    check(&observe(&mut cut, &world), true);
    world.crash(addr(3));
    check(&observe(&mut Accuracy::default(), &world), true);
}

#[test]
fn m3_sees_an_incarnation_that_its_owner_never_had() {
    let mut world = settled(2);
    for byte in 0..5 {
        let metadata = Metadata::new([byte]).expect("short");
        world.with(addr(2), |node, now| node.set_metadata(now, metadata));
    }
    run(&mut world, 2_000);
    let refuted = Event::Refuted { node: id(2) };
    let now = world.now();
    check(&Refutation::default().observe(now, addr(1), &refuted, world.hosts()), true);
    // The same boot again, which has said nothing yet: somebody else must have.
    world.crash(addr(2));
    insert(&mut world, 2);
    check(&Refutation::default().observe(now, addr(1), &refuted, world.hosts()), false);
}

#[test]
fn m3_sees_an_owner_that_falls_behind_itself() {
    let mut world = settled(2);
    let mut m3 = Refutation::default();
    check(&m3.step(world.now(), addr(2), world.hosts()), true);
    let metadata = Metadata::new([1]).expect("short");
    world.with(addr(2), |node, now| node.set_metadata(now, metadata));
    check(&m3.step(world.now(), addr(2), world.hosts()), true);
    world.crash(addr(2));
    insert(&mut world, 2);
    check(&m3.step(world.now(), addr(2), world.hosts()), false);
}

#[test]
fn m4_sees_what_makes_no_sense() {
    fn joined(boot: u64, incarnation: u64) -> Event {
        let boot = Boot { millis: boot, random: 0 };
        let id = NodeId { boot, ..id(9) };
        let record = Record { id, address: addr(9), metadata: Metadata::default() };
        Event::Joined(Member { record: Arc::new(record), state: State::Alive, incarnation })
    }
    fn check(events: &[Event], is_right: bool) {
        let mut stories = Stories::default();
        let verdict = events.iter().try_for_each(|event| stories.judge(addr(1), event));
        assert_eq!(verdict.is_ok(), is_right, "{events:?}: {verdict:?}");
    }
    let left = || Event::Left { node: id(9) };
    check(&[joined(1, 0), left(), joined(1, 1)], true);
    check(&[joined(1, 5), left(), joined(2, 0)], true);
    check(&[left()], false);
    check(&[joined(1, 0), joined(1, 1)], false);
    check(&[joined(1, 0), left(), left()], false);
    check(&[joined(1, 3), left(), joined(1, 3)], false);
    check(&[joined(1, 3), dead(9), joined(1, 2)], false);
    check(&[joined(2, 0), left()], false);
}

#[test]
fn m5_sees_a_node_that_is_dead_to_itself() {
    let mut world = settled(3);
    let (now, mut m5) = (world.now(), Selves::default());
    check(&m5.step(now, addr(1), world.hosts()), true);
    check(&m5.observe(now, addr(1), &dead(2), world.hosts()), true);
    check(&m5.observe(now, addr(1), &dead(1), world.hosts()), false);
    // Told of a later life, and still the same one.
    let remembered = Boot { millis: 7, random: 0 };
    check(&m5.observe(now, addr(1), &Event::BootBehind { remembered }, world.hosts()), false);
    check(&m5.observe(now, addr(1), &Event::Departed, world.hosts()), false);
    world.with(addr(1), |node, now| node.leave(now));
    check(&m5.observe(now, addr(1), &Event::Departed, world.hosts()), true);
}

#[test]
fn m6_sees_views_that_differ() {
    let mut world = settled(3);
    let now = world.now();
    check(&Convergence::default().finish(now, world.hosts()), true);
    world.crash(addr(3));
    check(&Convergence::default().finish(now, world.hosts()), false);
    insert(&mut world, 4);
    check(&Convergence::default().finish(now, world.hosts()), false);
}

#[test]
fn m6_sees_metadata_that_differs() {
    let mut world = settled(3);
    let metadata = Metadata::new([1]).expect("short");
    world.with(addr(2), |node, now| node.set_metadata(now, metadata));
    check(&Convergence::default().finish(world.now(), world.hosts()), false);
}

#[test]
fn m7_sees_a_burst_and_a_group_that_is_never_quiet() {
    let mut world = settled(3);
    let mut m7 = Load::default();
    check(&m7.step(world.now(), addr(1), world.hosts()), true);
    // What it tries in half a minute alone, as if it had been one step.
    world.isolate(addr(1));
    run(&mut world, 30_000);
    check(&m7.step(world.now(), addr(1), world.hosts()), false);

    let mut world = settled(3);
    // The clock of who watches runs slow: it sees too much in its time.
    let mut watch = |slowness: u64| {
        let (mut m7, mut verdict) = (Load::default(), Ok(()));
        m7.act(Instant::START, &calm());
        for nth in 0..3_000 * slowness {
            run(&mut world, 10);
            let now = Instant::after_start(Duration::from_millis(10 * nth / slowness));
            let mut steps = (1..=3).map(|idx| m7.step(now, addr(idx), world.hosts()));
            verdict = verdict.and(steps.try_for_each(|step| step));
        }
        verdict
    };
    check(&watch(1), true);
    check(&watch(2), false);
}

#[test]
fn m8_sees_a_node_that_nobody_probes() {
    let mut world = settled(3);
    let mut watch = |probing: &[u16]| {
        let (mut m8, mut verdict) = (SmallGroups::default(), Ok(()));
        m8.act(world.now(), &calm());
        for _ in 0..3_000 {
            run(&mut world, 10);
            let mut steps =
                probing.iter().map(|idx| m8.step(world.now(), addr(*idx), world.hosts()));
            verdict = verdict.and(steps.try_for_each(|step| step));
        }
        verdict
    };
    check(&watch(&[1, 2, 3]), true);
    // The pings of the other two are not seen.
    check(&watch(&[1]), false);
}
