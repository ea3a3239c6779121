//! Deaths that a host proves: two signs, and one that lies.

use crate::group::{Group, agree, deaths, events, id, run, settled, state, until};
use swarm_sim::addr;
use swarm_swim::{Event, Failure, State};

fn doubted(world: &Group, idx: u16) -> usize {
    world.host(addr(idx)).machine.doubted().count()
}

#[test]
fn both_signs_bury_at_once() {
    let mut world = settled(5, 1);
    let victim = id(&world, 3);
    world.crash(addr(3));
    world.with(addr(1), |host, now| host.machine.hint_closed(now, &victim));
    assert_eq!(doubted(&world, 1), 1, "it is asked for the second sign");
    world.with(addr(1), |host, now| host.machine.hint_refused(now, &victim));
    assert_eq!((state(&world, 1, &victim), doubted(&world, 1)), (Some(State::Dead), 0));
    let failed = Event::Failed { node: victim.clone(), why: Failure::Refused };
    assert_eq!(events(&world, 1).last(), Some(&&failed));

    // The others hear of it, and ask for themselves before they believe it.
    run(&mut world, 150);
    for idx in [2, 4, 5] {
        assert_eq!(state(&world, idx, &victim), Some(State::Suspect), "node {idx}");
        assert_eq!(doubted(&world, idx), 1, "node {idx}");
        world.with(addr(idx), |host, now| host.machine.hint_refused(now, &victim));
        assert_eq!(state(&world, idx, &victim), Some(State::Dead), "node {idx}");
    }
}

#[test]
fn one_sign_alone_buries_nobody() {
    for seed in 0..20 {
        let mut world = settled(4, seed);
        let node = id(&world, 3);
        world.with(addr(1), |host, now| host.machine.hint_refused(now, &node));
        assert_eq!(state(&world, 1, &node), Some(State::Alive), "nobody asked for it");
        world.with(addr(1), |host, now| host.machine.hint_closed(now, &node));
        run(&mut world, 100);
        assert_eq!(doubted(&world, 1), 0, "it has answered");
        world.with(addr(1), |host, now| host.machine.hint_refused(now, &node));
        run(&mut world, 3_000);
        assert_eq!(deaths(&world), 0);
        assert!(
            agree(&world, 1..=4)
                && !events(&world, 1).iter().any(|event| {
                    matches!(event, Event::Suspected { .. } | Event::Failed { .. })
                }),
            "seed {seed}"
        );
    }
}

/// Both signs were forged at one node: it errs alone, and the accused comes back.
#[test]
fn a_lie_of_both_signs_to_one_member_buries_the_node_nowhere_else() {
    for seed in 0..20 {
        let mut world = settled(5, seed);
        let node = id(&world, 3);
        world.with(addr(1), |host, now| {
            host.machine.hint_closed(now, &node);
            host.machine.hint_refused(now, &node);
        });
        assert_eq!(state(&world, 1, &node), Some(State::Dead));
        until(&mut world, 2, |world| agree(world, 1..=5));
        for idx in [2, 4, 5] {
            let fails = |event: &&Event| matches!(event, Event::Failed { .. });
            assert!(!events(&world, idx).iter().any(fails), "seed {seed}, node {idx}");
        }
    }
}

#[test]
fn each_node_is_watched_by_as_many_as_are_wanted() {
    let mut world = settled(9, 4);
    let watchers = |world: &Group, of: u16| {
        let of = id(world, of);
        let watched = |idx: &u16| world.host(addr(*idx)).machine.watched().any(|m| m.id == of);
        (1..=9).filter(watched).count()
    };
    assert!((1..=9).all(|idx| watchers(&world, idx) == 3));
    let gone = id(&world, 5);
    world.with(addr(5), |host, now| host.machine.leave(now));
    until(&mut world, 5, |world| state(world, 1, &gone) == Some(State::Left));
    run(&mut world, 1_000);
    let left: Vec<usize> = [1, 2, 3, 4, 6, 7, 8, 9].map(|idx| watchers(&world, idx)).to_vec();
    assert!(left.iter().all(|n| *n >= 3), "{left:?}");
}
