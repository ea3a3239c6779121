//! Whose name it is.

use crate::group::{agree, events, group, id, name, run, settled, start, start_as, state, until};
use std::time::Duration;
use swarm_base::Boot;
use swarm_sim::addr;
use swarm_swim::{Event, Failure, State};

#[test]
fn a_restarted_node_takes_the_place_of_its_former_life_at_once() {
    for seed in 0..40 {
        let mut world = settled(5, seed);
        let old = id(&world, 3);
        world.crash(addr(3));
        start(&mut world, 3, &[1]);
        let took = until(&mut world, 5, |world| agree(world, 1..=5));
        assert!(took < Duration::from_millis(1_500), "seed {seed}: {took:?}");
        let new = id(&world, 3);
        for idx in [1, 2, 4, 5] {
            let of_it: Vec<_> = events(&world, idx)
                .into_iter()
                .filter(|event| match event {
                    Event::Joined(member) => member.id == new,
                    Event::Failed { node, .. } => *node == old,
                    _ => false,
                })
                .collect();
            let superseded = Event::Failed { node: old.clone(), why: Failure::Superseded };
            assert!(
                matches!(of_it[..], [failed, Event::Joined(_)] if *failed == superseded),
                "seed {seed}: {of_it:?}"
            );
        }
    }
}

#[test]
fn a_second_node_with_the_name_of_a_live_one_is_refused() {
    for seed in 0..40 {
        let mut world = settled(4, seed);
        let holder = id(&world, 3);
        start_as(&mut world, 9, &name(3), 100, &[1]);
        let taken = Event::NameTaken { holder: addr(3) };
        until(&mut world, 3, |world| events(world, 9).contains(&&taken));
        run(&mut world, 10_000);
        assert_eq!(events(&world, 9), [&taken], "seed {seed}");
        for idx in [1, 2, 4] {
            assert_eq!(state(&world, idx, &holder), Some(State::Alive), "seed {seed}");
        }
    }
}

#[test]
fn a_node_that_moved_to_another_address_gets_its_name_back() {
    for seed in 0..40 {
        let mut world = settled(4, seed);
        world.crash(addr(3));
        start_as(&mut world, 9, &name(3), 100, &[1]);
        let took = until(&mut world, 5, |world| events(world, 9).contains(&&Event::Merged));
        assert!(took < Duration::from_secs(2), "seed {seed}: {took:?}");
    }
}

#[test]
fn the_seed_itself_keeps_its_name() {
    let mut world = group(2, 1);
    start_as(&mut world, 9, &name(1), 100, &[1]);
    until(&mut world, 2, |world| events(world, 9).contains(&&Event::NameTaken { holder: addr(1) }));
}

#[test]
fn a_node_whose_clock_stepped_back_learns_which_boot_is_remembered() {
    for seed in 0..20 {
        let mut world = settled(3, seed);
        world.crash(addr(3));
        start_as(&mut world, 3, &name(3), 100, &[1]);
        let remembered = Boot { millis: 100, random: 0 };
        until(&mut world, 5, |world| {
            let mut members = world.host(addr(2)).machine.members();
            members.any(|member| member.id.boot == remembered && member.is_live())
        });
        world.crash(addr(3));
        run(&mut world, 10_000);
        start_as(&mut world, 3, &name(3), 50, &[1]);
        let behind = Event::BootBehind { remembered };
        until(&mut world, 3, |world| events(world, 3).contains(&&behind));
        world.crash(addr(3));
        start_as(&mut world, 3, &name(3), 101, &[1]);
        until(&mut world, 5, |world| {
            world.host(addr(1)).machine.members().filter(|m| m.is_live()).count() == 3
        });
    }
}

#[test]
fn two_of_one_name_let_in_by_two_halves_do_not_both_stay() {
    for seed in 0..20 {
        let mut world = settled(4, seed);
        start_as(&mut world, 8, "twin", 1, &[1]);
        until(&mut world, 5, |world| events(world, 8).contains(&&Event::Merged));
        let (one, other) = ([1, 2, 8].map(addr), [3, 4, 9].map(addr));
        world.partition(&[&one, &other]);
        run(&mut world, 10_000);
        start_as(&mut world, 9, "twin", 2, &[3]);
        until(&mut world, 5, |world| events(world, 9).contains(&&Event::Merged));
        world.heal();
        until(&mut world, 20, |world| {
            events(world, 8).contains(&&Event::NameTaken { holder: addr(9) })
        });
        run(&mut world, 10_000);
        assert!(!events(&world, 9).iter().any(|e| matches!(e, Event::NameTaken { .. })));
    }
}
