//! The lane of sessions: order, tails, silence, breaks, and both ends' own view.

use crate::ms;
use crate::probe::{A, B, C, Given, Probe, given, numbers, opened, probes};
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Instant, Session};
use swarm_sim::{Faults, World};

const IDLE: Duration = Faults::calm().idle_timeout;

/// A network that does all it can to disorder what is sent.
fn rough() -> Faults {
    Faults {
        delay: ms(1)..=ms(50),
        tail_permille: 50,
        tail_max: ms(500),
        loss_permille: 200,
        reorder_permille: 300,
        reorder_max: ms(100),
        duplicate_permille: 300,
        duplicate_late_max: ms(100),
        ..Faults::calm()
    }
}

fn run(world: &mut World<Probe>, span: Duration) {
    world.run_for(span).expect("nothing is checked");
}

/// When the node at `addr` heard that `session` closed.
fn closed_at(world: &World<Probe>, addr: SocketAddr, session: Session) -> Option<Instant> {
    world
        .events()
        .find(|(_, node, given)| *node == addr && *given == Given::Closed(session))
        .map(|(at, ..)| *at)
}

#[test]
fn a_session_opens_at_both_ends_with_the_identity_of_the_other() {
    let mut world = probes(1, Faults::calm());
    world.insert(B, Probe::life(7));
    let (a, b) = opened(&mut world);
    assert!(a.is_dialled() && !b.is_dialled());
    assert!(given(&world, A, Instant::START).contains(&Given::Opened(a, 7, B)));
    assert!(given(&world, B, Instant::START).contains(&Given::Opened(b, 1, A)));
    assert_eq!(world.open_sessions(), 1);
}

#[test]
fn frames_arrive_once_and_in_order_however_rough_the_network() {
    for seed in 0..20 {
        let mut world = probes(seed, rough());
        let (a, b) = opened(&mut world);
        for number in 0..300 {
            world.with(A, |probe, _| probe.frame(a, number));
            world.with(B, |probe, _| probe.frame(b, number));
            run(&mut world, ms(1));
        }
        run(&mut world, Duration::from_secs(10));
        let all: Vec<u64> = (0..300).collect();
        assert_eq!(numbers(&world, A), all, "seed {seed}");
        assert_eq!(numbers(&world, B), all, "seed {seed}");
    }
}

#[test]
fn a_broken_session_loses_its_tail_and_both_ends_hear_in_their_own_time() {
    let mut later = [0, 0];
    for seed in 0..50 {
        let mut world = probes(seed, Faults { delay: ms(10)..=ms(20), ..Faults::calm() });
        let (a, b) = opened(&mut world);
        for number in 0..100 {
            world.with(A, |probe, _| probe.frame(a, number));
            run(&mut world, ms(1));
        }
        world.break_session(B, A);
        run(&mut world, Duration::from_secs(10));
        let heard = numbers(&world, B);
        assert_eq!(heard, (0..heard.len() as u64).collect::<Vec<_>>(), "seed {seed}: a prefix");
        assert!((70..=92).contains(&heard.len()), "seed {seed}: {} arrived", heard.len());
        assert!(world.struck().count("tail lost") > 0);
        let at = [closed_at(&world, A, a), closed_at(&world, B, b)].map(|at| at.expect("closed"));
        later[usize::from(at[0] < at[1])] += 1;
        assert_eq!(world.open_sessions(), 0);
    }
    assert!(later.iter().all(|count| *count > 5), "either end may be the first: {later:?}");
}

#[test]
fn a_close_comes_after_the_frames_before_it() {
    for seed in 0..20 {
        let mut world = probes(seed, rough());
        let (a, b) = opened(&mut world);
        world.with(A, |probe, _| {
            (0..50).for_each(|number| probe.frame(a, number));
            probe.close(a);
            probe.frame(a, 99);
        });
        run(&mut world, Duration::from_secs(10));
        assert_eq!(numbers(&world, B), (0..50).collect::<Vec<_>>(), "seed {seed}");
        assert_eq!(given(&world, B, Instant::START).last(), Some(&Given::Closed(b)));
        assert_eq!(closed_at(&world, A, a), None, "who closes hears nothing more");
    }
}

#[test]
fn an_overtaking_close_loses_frames() {
    let faults = Faults { overtaking_close_permille: 1_000, delay: ms(1)..=ms(50), ..rough() };
    let mut world = probes(3, faults);
    let (a, _) = opened(&mut world);
    world.with(A, |probe, _| {
        (0..50).for_each(|number| probe.frame(a, number));
        probe.close(a);
    });
    run(&mut world, Duration::from_secs(10));
    let heard = numbers(&world, B).len();
    assert!(heard < 50, "{heard}");
    assert_eq!(world.struck().count("tail lost"), 50 - heard as u64);
}

#[test]
fn what_arrives_after_a_close_is_not_handed_over() {
    let mut world = probes(4, Faults { delay: ms(10)..=ms(10), ..Faults::calm() });
    let (a, b) = opened(&mut world);
    world.with(B, |probe, _| probe.frame(b, 1));
    world.with(A, |probe, _| probe.close(a));
    run(&mut world, ms(100));
    assert_eq!(numbers(&world, A), []);
}

#[test]
fn a_short_cut_holds_frames_back_and_loses_none() {
    let mut world = probes(5, Faults::calm());
    let (a, b) = opened(&mut world);
    world.sever(A, B);
    world.with(A, |probe, _| (0..10).for_each(|number| probe.frame(a, number)));
    world.with(B, |probe, _| probe.frame(b, 77));
    run(&mut world, IDLE - ms(100));
    assert_eq!((numbers(&world, A), numbers(&world, B)), (vec![], vec![]));
    world.heal();
    run(&mut world, IDLE * 3);
    assert_eq!(numbers(&world, A), [77]);
    assert_eq!(numbers(&world, B), (0..10).collect::<Vec<_>>());
    assert_eq!(world.open_sessions(), 1, "a sign of life ends the idle timeout");
    assert_eq!(world.struck().count("idle timeout"), 0);
}

#[test]
fn a_long_cut_closes_both_ends_and_loses_the_tail() {
    let mut world = probes(6, Faults::calm());
    let (a, b) = opened(&mut world);
    let start = world.now();
    world.sever(A, B);
    world.with(A, |probe, _| probe.frame(a, 1));
    run(&mut world, IDLE * 2);
    world.heal();
    run(&mut world, IDLE * 2);
    for (addr, session) in [(A, a), (B, b)] {
        let after = closed_at(&world, addr, session).map(|at| at.since(start));
        assert!(after >= Some(IDLE) && after <= Some(IDLE * 5 / 4), "{after:?}");
    }
    assert_eq!(numbers(&world, B), []);
    assert_eq!(world.struck().count("idle timeout"), 2);
}

#[test]
fn a_one_way_cut_is_noticed_by_the_deaf_end_first_and_then_by_the_other() {
    let mut world = probes(7, Faults::calm());
    let (a, b) = opened(&mut world);
    let start = world.now();
    world.cut(A, B);
    world.with(B, |probe, _| probe.frame(b, 5));
    run(&mut world, IDLE * 4);
    let [at_a, at_b] = [closed_at(&world, A, a), closed_at(&world, B, b)]
        .map(|at| at.expect("closed").since(start));
    assert!((IDLE..=IDLE * 5 / 4).contains(&at_b), "{at_b:?}");
    assert!((at_b + IDLE..=at_b + IDLE * 5 / 4).contains(&at_a), "{at_a:?}");
    assert_eq!(numbers(&world, A), [5], "the other direction works");
}

#[test]
fn a_dial_fails_in_bounded_time() {
    let bound = Faults::calm().dial_timeout;
    type Spoil = fn(&mut World<Probe>);
    let cases: [(&str, Spoil); 4] = [
        ("dead", |world| world.crash(B)),
        ("out of reach", |world| world.cut(B, A)),
        ("paused", |world| world.pause(B, Duration::from_secs(60))),
        ("lossy", |world| world.set_faults(Faults { loss_permille: 1_000, ..Faults::calm() })),
    ];
    for (name, spoil) in cases {
        let mut world = probes(8, Faults::calm());
        spoil(&mut world);
        let session = Session::dialled(0);
        world.with(A, |probe, _| probe.dial(0, B));
        run(&mut world, bound);
        assert_eq!(given(&world, A, Instant::START), [Given::Failed(session)], "{name}");
    }
}

#[test]
fn a_dial_is_tried_again_until_it_gets_through() {
    let mut world = probes(9, Faults::calm());
    world.sever(A, B);
    world.with(A, |probe, _| probe.dial(0, B));
    run(&mut world, ms(500));
    world.heal();
    run(&mut world, Faults::calm().dial_timeout);
    assert_eq!(world.open_sessions(), 1);
}

#[test]
fn a_dial_that_is_given_up_says_nothing_more() {
    let mut world = probes(10, Faults::calm());
    world.crash(B);
    world.with(A, |probe, _| probe.dial(0, B));
    world.with(A, |probe, _| probe.close(Session::dialled(0)));
    run(&mut world, Duration::from_secs(10));
    assert_eq!(given(&world, A, Instant::START), []);
}

#[test]
fn a_half_open_session_is_known_to_the_acceptor_alone() {
    let mut world = probes(11, Faults { half_open_permille: 1_000, ..Faults::calm() });
    world.with(A, |probe, _| probe.dial(0, B));
    run(&mut world, Duration::from_secs(20));
    assert_eq!(given(&world, A, Instant::START), [Given::Failed(Session::dialled(0))]);
    let b = Session::accepted(1);
    assert_eq!(given(&world, B, Instant::START), [Given::Opened(b, 1, A), Given::Closed(b)]);
    assert_eq!((world.struck().count("half open"), world.open_sessions()), (1, 0));
}

#[test]
fn both_ends_may_dial_and_hold_two_sessions() {
    let mut world = probes(12, Faults::calm());
    world.with(A, |probe, _| probe.dial(0, B));
    world.with(B, |probe, _| probe.dial(0, A));
    world.with(C, |probe, _| probe.dial(0, C));
    run(&mut world, ms(100));
    assert_eq!(world.open_sessions(), 3, "a node may dial itself");
    world.break_session(A, B);
    run(&mut world, IDLE);
    assert_eq!(world.open_sessions(), 1);
}

#[test]
fn sessions_break_at_the_rate_of_the_network() {
    let faults = Faults { break_gap: Some(ms(500)), ..Faults::calm() };
    let mut world = probes(13, faults);
    for round in 0..200 {
        world.with(A, |probe, _| probe.dial(round, B));
        run(&mut world, ms(500));
    }
    let breaks = world.struck().count("session break");
    assert!((120..=260).contains(&breaks), "{breaks}");
    world.heal();
    run(&mut world, ms(1));
    let breaks = world.struck().count("session break");
    run(&mut world, Duration::from_secs(60));
    assert_eq!(world.struck().count("session break"), breaks, "healed networks break nothing");
}

#[test]
fn a_session_breaks_when_too_much_waits_on_it() {
    let mut world = probes(14, Faults::calm());
    let (a, b) = opened(&mut world);
    world.cut(A, B);
    let held_max = World::<Probe>::FRAMES_HELD_MAX as u64;
    world.with(A, |probe, _| (0..held_max).for_each(|number| probe.frame(a, number)));
    assert_eq!(world.struck().count("session break"), 0);
    world.with(A, |probe, _| probe.frame(a, held_max));
    assert_eq!(world.struck().count("session break"), 1);
    run(&mut world, IDLE);
    assert!(closed_at(&world, A, a).and(closed_at(&world, B, b)).is_some());
}

#[test]
fn a_crashed_sender_takes_along_what_a_cut_held_back() {
    let mut world = probes(15, Faults::calm());
    let (a, _) = opened(&mut world);
    world.cut(A, B);
    world.with(A, |probe, _| probe.frame(a, 1));
    world.crash(A);
    world.heal();
    run(&mut world, IDLE * 2);
    assert_eq!(numbers(&world, B), []);
}

#[test]
fn a_session_opens_before_it_closes_however_late_it_hears() {
    let faults = Faults { delay: ms(500)..=ms(500), idle_timeout: ms(50), ..Faults::calm() };
    for spoil in [World::crash, World::stop] {
        let mut world = probes(16, faults.clone());
        world.with(A, |probe, _| probe.dial(0, B));
        let accepted = world.run_to(ms(5_000), |world| !given(world, B, Instant::START).is_empty());
        assert!(matches!(accepted, Ok(Some(_))), "{accepted:?}");
        spoil(&mut world, B);
        run(&mut world, ms(5_000));
        let session = Session::dialled(0);
        let expected = [Given::Opened(session, 1, B), Given::Closed(session)];
        assert_eq!(given(&world, A, Instant::START), expected);
    }
}
