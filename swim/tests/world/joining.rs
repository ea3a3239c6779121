//! Coming and going.

use crate::group::{agree, events, group, id, run, settled, start, state, until};
use std::time::Duration;
use swarm_sim::{Faults, World, addr};
use swarm_swim::{Event, Metadata, State};

#[test]
fn twenty_four_nodes_start_at_once_through_one_seed() {
    for seed in 0..20 {
        let mut world = group(24, seed);
        let took = until(&mut world, 5, |world| agree(world, 1..=24));
        for idx in 1..=24 {
            let merged = events(&world, idx).iter().filter(|e| ***e == Event::Merged).count();
            assert_eq!(merged, 1, "seed {seed}, node {idx}");
        }
        assert!(took < Duration::from_secs(3), "seed {seed}: {took:?}");
    }
}

#[test]
fn when_merged_the_whole_list_is_there() {
    for seed in 0..10 {
        let mut world = settled(24, seed);
        run(&mut world, 5_000);
        start(&mut world, 25, &[7]);
        let merged = |world: &_| events(world, 25).contains(&&Event::Merged);
        until(&mut world, 5, merged);
        let n_members = world.host(addr(25)).machine.members().count();
        assert_eq!(n_members, 25, "seed {seed}");
    }
}

#[test]
fn a_member_list_arrives_though_half_of_its_pieces_are_lost() {
    for seed in 0..20 {
        let mut world = settled(24, seed);
        let metadata = Metadata::new([7; 512]).expect("as long as can be");
        for idx in 1..=24 {
            let metadata = metadata.clone();
            world.with(addr(idx), |host, now| host.machine.set_metadata(now, metadata));
        }
        run(&mut world, 5_000);
        start(&mut world, 25, &[3]);
        world.lossy(addr(3), addr(25), 500);
        until(&mut world, 30, |world| events(world, 25).contains(&&Event::Merged));
        assert_eq!(world.host(addr(25)).machine.members().count(), 25, "seed {seed}");
    }
}

#[test]
fn twenty_four_nodes_find_together_while_one_packet_in_five_is_lost() {
    for seed in 0..10 {
        let mut world = group(24, seed);
        world.set_faults(Faults { loss_permille: 200, ..Faults::calm() });
        let all_merged = |world: &crate::group::Group| {
            (1..=24).all(|idx| events(world, idx).contains(&&Event::Merged))
        };
        // A hello and its answer get through two times in three, and are tried every two seconds.
        until(&mut world, 25, all_merged);
        let all_there = |world: &crate::group::Group| {
            (1..=24).all(|idx| {
                let members = world.host(addr(idx)).machine.members();
                members.filter(|member| member.is_live()).count() == 24
            })
        };
        until(&mut world, 10, all_there);
    }
}

#[test]
fn a_seed_that_starts_late_is_found() {
    let mut world = World::new(1, Faults::calm());
    start(&mut world, 2, &[1]);
    start(&mut world, 3, &[1]);
    run(&mut world, 60_000);
    assert!(events(&world, 2).is_empty());
    start(&mut world, 1, &[]);
    until(&mut world, 10, |world| agree(world, 1..=3));
}

#[test]
fn a_node_without_seeds_is_merged_at_once_and_so_is_its_own_seed() {
    let mut world = World::new(1, Faults::calm());
    start(&mut world, 1, &[]);
    start(&mut world, 2, &[2]);
    assert_eq!(events(&world, 1), [&Event::Merged]);
    assert_eq!(events(&world, 2), [&Event::Merged]);
}

#[test]
fn who_leaves_is_not_said_to_have_failed() {
    for seed in 0..50 {
        let mut world = settled(6, seed);
        let leaver = id(&world, 4);
        world.with(addr(4), |host, now| host.machine.leave(now));
        until(&mut world, 1, |world| {
            [1, 2, 3, 5, 6].iter().all(|idx| state(world, *idx, &leaver) == Some(State::Left))
        });
        assert_eq!(events(&world, 4).last(), Some(&&Event::Departed), "seed {seed}");
        world.crash(addr(4));
        run(&mut world, 20_000);
        for idx in [1, 2, 3, 5, 6] {
            let about: Vec<_> = events(&world, idx)
                .into_iter()
                .filter(|event| {
                    matches!(event, Event::Left { node } | Event::Failed { node, .. }
                        | Event::Suspected { node, .. } if *node == leaver)
                })
                .collect();
            assert_eq!(about, [&Event::Left { node: leaver.clone() }], "seed {seed}");
        }
    }
}

#[test]
fn a_goodbye_that_nobody_hears_ends_all_the_same() {
    let mut world = settled(3, 1);
    world.isolate(addr(2));
    world.with(addr(2), |host, now| host.machine.leave(now));
    let took = until(&mut world, 3, |world| events(world, 2).contains(&&Event::Departed));
    assert!(took <= Duration::from_millis(1_010), "{took:?}");
}

#[test]
fn new_metadata_reaches_everybody_once() {
    for seed in 0..50 {
        let mut world = settled(8, seed);
        run(&mut world, 3_000);
        let metadata = Metadata::new(b"weight 3").expect("short");
        let update = metadata.clone();
        world.with(addr(5), |host, now| host.machine.set_metadata(now, update));
        let node = id(&world, 5);
        until(&mut world, 1, |world| {
            (1..=8).all(|idx| {
                let member = world.host(addr(idx)).machine.member(&node);
                member.is_some_and(|member| member.metadata == metadata)
            })
        });
        run(&mut world, 5_000);
        for idx in (1..=8).filter(|idx| *idx != 5) {
            let n_updates =
                events(&world, idx).iter().filter(|e| matches!(e, Event::Updated(_))).count();
            assert_eq!(n_updates, 1, "seed {seed}, node {idx}");
        }
    }
}

#[test]
fn a_group_at_rest_is_quiet() {
    let mut per_node = Vec::new();
    for n in [5, 20] {
        let mut world = settled(n, 3);
        run(&mut world, 20_000);
        let sent = |world: &_| (1..=n).map(|idx| packets_out(world, idx)).sum::<u64>();
        let before = sent(&world);
        run(&mut world, 60_000);
        per_node.push((sent(&world) - before) as f64 / f64::from(n) / 60.0);
    }
    // One ping and one ack per period of 500 ms, and a sync every 30 s.
    assert!(per_node.iter().all(|rate| (3.9..4.3).contains(rate)), "{per_node:?}");
}

fn packets_out(world: &crate::group::Group, idx: u16) -> u64 {
    world.host(addr(idx)).machine.counters().packets_out
}

/// Each has a table of those who came before it, and looks a second time before it has to be told
/// of the others one by one.
#[test]
fn fifty_nodes_that_start_at_once_are_one_group_in_a_moment() {
    for seed in 0..20 {
        let mut world = group(50, seed);
        let took = until(&mut world, 5, |world| agree(world, 1..=50));
        assert!(took <= Duration::from_millis(500), "seed {seed}: {took:?}");
    }
}
