//! Noticing death, and not noticing what is none.

use crate::group::{Group, agree, deaths, events, id, name, run, settled, start, state, until};
use std::time::Duration;
use swarm_base::NodeId;
use swarm_sim::{Faults, addr};
use swarm_swim::{Config, Event, Failure, State};

fn is_dead_everywhere(world: &Group, nodes: &[u16], victim: &NodeId) -> bool {
    nodes.iter().all(|idx| state(world, *idx, victim) == Some(State::Dead))
}

#[test]
fn a_killed_node_is_failed_at_every_node_soon() {
    let mut all = Vec::new();
    for n in 3..=8 {
        for seed in 0..40 {
            let mut world = settled(n, seed);
            run(&mut world, 3_000 + seed * 37);
            let victim = id(&world, 2);
            world.crash(addr(2));
            let others: Vec<u16> = (1..=n).filter(|idx| *idx != 2).collect();
            let took = until(&mut world, 6, |world| is_dead_everywhere(world, &others, &victim));
            // Nobody may choose the victim for a few periods: each time with a chance of 1/e.
            assert!(took < Duration::from_secs(5), "{n} nodes, seed {seed}: {took:?}");
            all.push(took);
            for idx in others {
                let failed = Event::Failed { node: victim.clone(), why: Failure::Timeout };
                let n_failed = events(&world, idx).iter().filter(|e| ***e == failed).count();
                assert_eq!(n_failed, 1);
            }
        }
    }
    all.sort();
    let at = |percent: usize| all[(all.len() - 1) * percent / 100];
    println!("half: {:?}, 95 %: {:?}, all: {:?}", at(50), at(95), at(100));
    assert!(at(50) <= Duration::from_millis(2_500), "{:?}", at(50));
    assert!(at(95) <= Duration::from_millis(3_300), "{:?}", at(95));
}

#[test]
fn a_node_that_stops_for_a_second_is_not_declared_dead() {
    for seed in 0..200 {
        let mut world = settled(3 + (seed % 6) as u16, seed);
        run(&mut world, 2_000 + seed * 13);
        world.pause(addr(2), Duration::from_secs(1));
        run(&mut world, 10_000);
        assert_eq!(deaths(&world), 0, "seed {seed}");
        let n = 3 + (seed % 6) as u16;
        assert!(agree(&world, 1..=n), "seed {seed}");
    }
}

#[test]
fn a_node_that_was_stopped_for_long_blames_nobody() {
    for seed in 0..50 {
        let mut world = settled(5, seed);
        let sleeper = id(&world, 2);
        world.pause(addr(2), Duration::from_secs(8));
        run(&mut world, 7_500);
        assert_eq!(state(&world, 1, &sleeper), Some(State::Dead), "seed {seed}");
        until(&mut world, 10, |world| agree(world, 1..=5));
        let blamed =
            events(&world, 2).iter().filter(|event| matches!(event, Event::Failed { .. })).count();
        assert_eq!(blamed, 0, "seed {seed}");
    }
}

#[test]
fn a_slow_node_is_not_declared_dead() {
    for seed in 0..50 {
        let mut world = settled(6, seed);
        // 30 ms for each packet.
        world.slow(addr(3), 300);
        run(&mut world, 30_000);
        assert_eq!(deaths(&world), 0, "seed {seed}");
    }
}

#[test]
fn a_cut_between_two_is_bridged_by_the_others() {
    for seed in 0..50 {
        let mut world = settled(5, seed);
        world.sever(addr(1), addr(2));
        run(&mut world, 30_000);
        assert_eq!(deaths(&world), 0, "seed {seed}");
        let (one, two) = (id(&world, 1), id(&world, 2));
        assert!(state(&world, 1, &two).is_some_and(State::is_live), "seed {seed}");
        assert!(state(&world, 2, &one).is_some_and(State::is_live), "seed {seed}");
    }
}

#[test]
fn small_groups_stay_whole_while_one_packet_in_five_is_lost() {
    let mut false_deaths = 0;
    for seed in 0..40 {
        let n = 3 + (seed % 6) as u16;
        let mut world = settled(n, seed);
        world.set_faults(Faults { loss_permille: 200, ..Faults::calm() });
        run(&mut world, 60_000);
        false_deaths += deaths(&world);
        world.set_faults(Faults::calm());
        until(&mut world, 10, |world| agree(world, 1..=n));
    }
    assert_eq!(false_deaths, 0);
}

#[test]
fn a_death_is_noticed_under_loss_too() {
    for seed in 0..40 {
        let mut world = settled(6, seed);
        world.set_faults(Faults { loss_permille: 200, ..Faults::calm() });
        run(&mut world, 3_000);
        let victim = id(&world, 2);
        world.crash(addr(2));
        until(&mut world, 8, |world| is_dead_everywhere(world, &[1, 3, 4, 5, 6], &victim));
    }
}

#[test]
fn a_falsely_accused_node_refutes_with_a_higher_incarnation() {
    let mut world = settled(4, 5);
    let victim = id(&world, 2);
    world.isolate(addr(2));
    until(&mut world, 3, |world| state(world, 1, &victim) == Some(State::Suspect));
    world.heal();
    until(&mut world, 3, |world| agree(world, 1..=4));
    assert_eq!(deaths(&world), 0);
    let incarnation = |idx| world.host(addr(idx)).machine.member(&victim).map(|m| m.incarnation);
    assert!(incarnation(1) >= Some(1) && incarnation(1) == incarnation(2));
    assert!(events(&world, 1).contains(&&Event::Refuted { node: victim }));
}

#[test]
fn a_hint_of_silence_is_followed_up_at_once() {
    let mut world = settled(8, 3);
    run(&mut world, 5_000);
    let victim = id(&world, 5);
    world.crash(addr(5));
    world.with(addr(1), |host, now| host.machine.hint_silent(now, &victim));
    let took = until(&mut world, 2, |world| state(world, 1, &victim) == Some(State::Suspect));
    assert!(took <= Duration::from_millis(1_010), "{took:?}");
    // A hint about somebody unknown changes nothing.
    let stranger = NodeId::new(swarm_base::NodeName::new("x").expect("a name"), victim.boot);
    world.with(addr(1), |host, now| host.machine.hint_silent(now, &stranger));
}

#[test]
fn a_node_that_is_heard_on_its_link_is_not_accused() {
    let mut world = settled(2, 4);
    let quiet = id(&world, 2);
    // Its datagrams are lost, its link works: whoever hears it there says so.
    world.cut(addr(2), addr(1));
    for _ in 0..600 {
        world.with(addr(1), |host, now| host.machine.hint_alive(now, &quiet));
        run(&mut world, 50);
    }
    assert_eq!(state(&world, 1, &quiet), Some(State::Alive));
    until(&mut world, 5, |world| state(world, 1, &quiet) == Some(State::Dead));
}

#[test]
fn the_dead_stay_dead_until_they_start_again() {
    for seed in 0..20 {
        let mut world = settled(5, seed);
        let old = id(&world, 3);
        world.crash(addr(3));
        until(&mut world, 6, |world| is_dead_everywhere(world, &[1, 2, 4, 5], &old));
        run(&mut world, 60_000);
        assert!(is_dead_everywhere(&world, &[1, 2, 4, 5], &old), "seed {seed}");
        start(&mut world, 3, &[1]);
        until(&mut world, 5, |world| agree(world, 1..=5));
        assert_eq!(state(&world, 1, &old), None, "{} has a new life", name(3));
    }
}

#[test]
fn a_death_that_others_declare_is_doubted_unless_told_otherwise() {
    for doubt_deaths in [true, false] {
        let mut world = settled(3, 6);
        let patient = Config { suspicion_mult: 100, doubt_deaths, ..*crate::group::brisk() };
        let patient = patient.check().expect("within bounds");
        world.with(addr(1), |host, now| host.machine.set_config(now, patient));
        let victim = id(&world, 3);
        world.crash(addr(3));
        until(&mut world, 6, |world| state(world, 2, &victim) == Some(State::Dead));
        run(&mut world, 1_000);
        let expected = if doubt_deaths { State::Suspect } else { State::Dead };
        assert_eq!(state(&world, 1, &victim), Some(expected));
    }
}
