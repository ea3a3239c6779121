//! The life of a node: crash, stop, restart, pause, slowness and skew.

use crate::probe::{A, B, Given, Probe, given, numbers, opened, probes};
use crate::{at, ms};
use std::time::Duration;
use swarm_base::{Instant, Session};
use swarm_sim::{Faults, World, addr};

const IDLE: Duration = Faults::calm().idle_timeout;

fn run(world: &mut World<Probe>, span: Duration) {
    world.run_for(span).expect("nothing is checked");
}

#[test]
fn the_peers_of_a_crashed_node_hear_nothing_until_the_idle_timeout() {
    let mut world = probes(1, Faults::calm());
    let (a, b) = opened(&mut world);
    world.with(A, |probe, _| probe.frame(a, 1));
    let start = world.now();
    world.crash(A);
    run(&mut world, IDLE - ms(1));
    let so_far = given(&world, B, start);
    assert_eq!(so_far, [Given::Frame(b, 1)], "what was on its way arrives");
    run(&mut world, IDLE / 4 + ms(1));
    assert_eq!(given(&world, B, start).last(), Some(&Given::Closed(b)));
    assert_eq!(world.struck().count("crash"), 1);
}

#[test]
fn the_peers_of_a_stopped_node_hear_at_once() {
    let mut world = probes(2, Faults::calm());
    let (a, b) = opened(&mut world);
    let start = world.now();
    world.with(A, |probe, _| probe.frame(a, 1));
    world.stop(A);
    run(&mut world, ms(10));
    assert_eq!(given(&world, B, start), [Given::Frame(b, 1), Given::Closed(b)]);
    assert!(!world.is_running(A));
    assert_eq!(world.struck().count("stop"), 1);
}

#[test]
fn no_frame_crosses_lives_but_a_datagram_may() {
    for seed in 0..100 {
        let mut world = probes(seed, Faults { delay: ms(5)..=ms(30), ..Faults::calm() });
        let (_, b) = opened(&mut world);
        world.with(B, |probe, _| {
            (0..20).for_each(|number| probe.frame(b, number));
            probe.send(A, 1_000);
        });
        world.crash(A);
        let start = world.now();
        world.insert(A, Probe::life(2));
        // The old session is still open at the other end: what it sends there goes nowhere.
        world.with(B, |probe, _| probe.frame(b, 20));
        let (a, _) = opened(&mut world);
        world.with(B, |probe, _| probe.frame(b, 21));
        run(&mut world, IDLE * 2);
        let events = given(&world, A, start);
        assert!(
            !events.iter().any(|given| matches!(given, Given::Frame(..) | Given::Closed(_))),
            "seed {seed}: {events:?}"
        );
        assert!(events.contains(&Given::Datagram(B, 1_000)), "seed {seed}: {events:?}");
        assert!(events.contains(&Given::Opened(a, 1, B)), "seed {seed}: {events:?}");
        assert_eq!((world.lives(A), world.struck().count("restart")), (2, 1));
    }
}

#[test]
fn accepted_sessions_are_never_numbered_twice() {
    let mut world = probes(3, Faults::calm());
    let (_, first) = opened(&mut world);
    world.insert(B, Probe::life(2));
    let (_, second) = {
        let start = world.now();
        world.with(A, |probe, _| probe.dial(9, B));
        run(&mut world, ms(100));
        (start, Session::accepted(2))
    };
    assert_eq!(first, Session::accepted(1));
    assert!(given(&world, B, Instant::START).contains(&Given::Opened(second, 1, A)));
}

#[test]
fn inserting_over_a_running_node_crashes_it() {
    let mut world = probes(4, Faults::calm());
    let (_, b) = opened(&mut world);
    world.insert(A, Probe::life(2));
    run(&mut world, IDLE * 2);
    assert_eq!(given(&world, B, Instant::START).last(), Some(&Given::Closed(b)));
    assert_eq!((world.struck().count("crash"), world.struck().count("restart")), (1, 1));
}

#[test]
fn a_paused_node_handles_nothing_and_then_everything_at_once() {
    let mut world = probes(5, Faults::calm());
    world.with(B, |probe, _| probe.timer = Some(at(50)));
    world.pause(B, ms(500));
    for number in 0..100 {
        world.with(A, |probe, _| probe.send(B, number));
        run(&mut world, ms(1));
    }
    assert!(world.is_paused(B) && world.try_with(B, |_, _| ()).is_none());
    run(&mut world, ms(399));
    assert_eq!(given(&world, B, Instant::START), []);
    run(&mut world, ms(1));
    assert_eq!(numbers(&world, B), (0..100).collect::<Vec<_>>());
    assert!(world.events().all(|(when, ..)| *when == at(500)), "all at one instant");
    assert!(given(&world, B, Instant::START).contains(&Given::Timeout(at(500))));
    assert_eq!(world.struck().count("pause"), 100);
}

#[test]
fn a_short_pause_keeps_sessions_and_a_long_one_loses_them() {
    for (span, is_kept) in [(IDLE - ms(100), true), (IDLE * 2, false)] {
        let mut world = probes(6, Faults::calm());
        let (a, b) = opened(&mut world);
        world.pause(B, span);
        world.with(A, |probe, _| probe.frame(a, 1));
        run(&mut world, IDLE * 4);
        assert_eq!(numbers(&world, B), [1], "the frame waits in the buffer of the socket");
        let closed = [
            given(&world, A, Instant::START).contains(&Given::Closed(a)),
            given(&world, B, Instant::START).contains(&Given::Closed(b)),
        ];
        assert_eq!(closed, [!is_kept; 2], "{span:?}");
    }
}

#[test]
fn a_node_that_is_paused_again_sleeps_until_the_later_end() {
    let mut world = probes(7, Faults::calm());
    world.pause(B, ms(100));
    world.pause(B, ms(50));
    world.with(A, |probe, _| probe.send(B, 1));
    run(&mut world, ms(99));
    assert_eq!(numbers(&world, B), []);
    run(&mut world, ms(1));
    assert_eq!(numbers(&world, B), [1]);
}

#[test]
fn a_slow_node_that_is_paused_does_not_wake_when_its_work_is_done() {
    let mut world = probes(7, Faults::calm());
    world.slow(B, 100);
    world.with(A, |probe, _| (0..3).for_each(|number| probe.send(B, number)));
    run(&mut world, ms(5));
    world.pause(B, ms(500));
    run(&mut world, ms(499));
    assert_eq!(numbers(&world, B), [0]);
    run(&mut world, ms(100));
    assert_eq!(numbers(&world, B), [0, 1, 2]);
}

#[test]
fn a_crash_ends_a_pause() {
    let mut world = probes(8, Faults::calm());
    world.pause(B, ms(1_000));
    world.with(A, |probe, _| probe.send(B, 1));
    run(&mut world, ms(10));
    world.insert(B, Probe::life(2));
    world.with(A, |probe, _| probe.send(B, 2));
    run(&mut world, ms(2_000));
    assert_eq!(numbers(&world, B), [2], "the inbox of a former life is gone");
}

#[test]
fn the_socket_of_a_paused_node_holds_only_so_much() {
    let mut world = probes(9, Faults::calm());
    world.pause(B, ms(100));
    let held_max = World::<Probe>::INBOX_DATAGRAMS_MAX as u64;
    world.with(A, |probe, _| (0..held_max + 10).for_each(|number| probe.send(B, number)));
    run(&mut world, ms(200));
    assert_eq!(numbers(&world, B).len() as u64, held_max);
    assert_eq!(world.struck().count("loss"), 10);
}

#[test]
fn a_slow_node_takes_its_time_for_each_input() {
    let mut world = probes(10, Faults::calm());
    world.slow(B, 100);
    let service = World::<Probe>::SERVICE_TIME * 100;
    world.with(A, |probe, _| (0..20).for_each(|number| probe.send(B, number)));
    run(&mut world, Duration::from_secs(1));
    assert_eq!(numbers(&world, B), (0..20).collect::<Vec<_>>());
    let times: Vec<_> = world.events().map(|(at, ..)| *at).collect();
    assert!(times.windows(2).all(|pair| pair[1].since(pair[0]) >= service), "{times:?}");
    assert_eq!(world.struck().count("slow"), 19);
    // A timer waits its turn too.
    world.with(B, |probe, now| probe.timer = Some(now + ms(1)));
    world.with(A, |probe, _| probe.send(B, 99));
    let start = world.now();
    run(&mut world, Duration::from_secs(1));
    let last = world.events().last().map(|(at, ..)| at.since(start));
    assert!(last >= Some(service), "{last:?}");
    world.slow(B, 0);
    world.with(A, |probe, _| (0..20).for_each(|number| probe.send(B, number)));
    run(&mut world, ms(2));
    assert_eq!(numbers(&world, B).len(), 41, "a node of normal speed takes no time");
}

#[test]
fn a_skewed_clock_runs_at_its_own_rate() {
    let mut world = probes(11, Faults::calm());
    run(&mut world, ms(1_000));
    world.skew(B, 500);
    world.with(B, |probe, now| probe.timer = Some(now + ms(1_000)));
    run(&mut world, ms(1_999));
    assert_eq!(given(&world, B, Instant::START), []);
    run(&mut world, ms(1));
    assert_eq!(given(&world, B, Instant::START), [Given::Timeout(at(2_000))]);
    assert_eq!((world.now(), world.local_now(B)), (at(3_000), at(2_000)));
    world.heal();
    run(&mut world, ms(1_000));
    assert_eq!(world.local_now(B), at(3_000), "put right, it goes on from where it was");
}

#[test]
fn healing_cures_nodes_but_raises_no_dead() {
    let mut world = probes(12, Faults::calm());
    world.pause(B, Duration::from_secs(100));
    world.crash(A);
    world.with(addr(3), |probe, _| probe.send(B, 1));
    run(&mut world, ms(10));
    world.heal();
    run(&mut world, ms(1));
    assert_eq!(numbers(&world, B), [1]);
    assert!(!world.is_running(A) && !world.is_paused(B));
}

#[test]
fn the_generator_of_a_host_depends_on_its_life_alone() {
    let first = probes(13, Faults::calm());
    let mut second = World::new(13, Faults::calm());
    second.insert(B, Probe::life(1));
    let _ = second.fork_rng();
    assert_eq!(first.rng(B).next_u64(), second.rng(B).next_u64());
    let before = second.rng(B).next_u64();
    second.insert(B, Probe::life(2));
    assert_ne!(second.rng(B).next_u64(), before);
    assert_ne!(second.rng(A).next_u64(), second.rng(B).next_u64());
}
