//! Partitions, and finding together again.

use crate::group::{agree, deaths, events, id, run, settled, state, until};
use std::time::Duration;
use swarm_sim::addr;
use swarm_swim::{Event, State};

#[test]
fn two_halves_that_buried_each_other_merge() {
    for seed in 0..40 {
        let mut world = settled(8, seed);
        let (left, right) = ([1, 2, 3, 4].map(addr), [5, 6, 7, 8].map(addr));
        world.partition(&[&left, &right]);
        until(&mut world, 15, agree_halves);
        // No seed helps: node 1 is gone for good before the halves meet.
        world.crash(addr(1));
        run(&mut world, 60_000);
        let before = deaths(&world);
        world.heal();
        let took = until(&mut world, 20, |world| agree(world, 2..=8));
        assert_eq!(deaths(&world), before, "seed {seed}: the merge buried somebody anew");
        assert!(took < Duration::from_secs(12), "seed {seed}: {took:?}");
    }
}

/// Each period each node tries one of its dead, in turn.
#[test]
fn halves_of_five_see_each_other_again_within_three_seconds() {
    let mut slowest = Duration::ZERO;
    for seed in 0..60 {
        let mut world = settled(10, seed);
        let half = |nodes: [u16; 5]| nodes.map(addr);
        world.partition(&[&half([1, 2, 3, 4, 5]), &half([6, 7, 8, 9, 10])]);
        until(&mut world, 15, |world| agree(world, 1..=5) && agree(world, 6..=10));
        run(&mut world, 20_000 + 97 * seed);
        world.heal();
        let took = until(&mut world, 10, |world| agree(world, 1..=10));
        slowest = slowest.max(took);
        assert!(took <= Duration::from_secs(3), "seed {seed}: {took:?}");
    }
    println!("at most {slowest:?}");
}

fn agree_halves(world: &crate::group::Group) -> bool {
    agree(world, 1..=4) && agree(world, 5..=8)
}

#[test]
fn two_groups_that_never_met_become_one_through_a_seed() {
    for seed in 0..20 {
        let mut world = settled(4, seed);
        for idx in 5..=8 {
            crate::group::start(&mut world, idx, &[5]);
        }
        until(&mut world, 10, agree_halves);
        world.with(addr(8), |host, now| host.machine.join(now, [addr(2)]));
        until(&mut world, 5, |world| agree(world, 1..=8));
        assert_eq!(deaths(&world), 0, "seed {seed}");
    }
}

#[test]
fn a_node_that_was_cut_off_comes_back_as_itself() {
    for seed in 0..40 {
        let mut world = settled(5, seed);
        let node = id(&world, 4);
        world.isolate(addr(4));
        until(&mut world, 15, |world| {
            [1, 2, 3, 5].iter().all(|idx| state(world, *idx, &node) == Some(State::Dead))
        });
        run(&mut world, 30_000);
        world.heal();
        until(&mut world, 10, |world| agree(world, 1..=5));
        let joined = events(&world, 1)
            .iter()
            .filter(|event| matches!(event, Event::Joined(member) if member.id == node))
            .count();
        assert_eq!(joined, 2, "seed {seed}: once new, once back");
    }
}

#[test]
fn one_way_silence_heals_too() {
    for seed in 0..40 {
        let mut world = settled(4, seed);
        for idx in [1, 2, 4] {
            world.cut(addr(3), addr(idx));
        }
        run(&mut world, 20_000);
        world.heal();
        until(&mut world, 15, |world| agree(world, 1..=4));
    }
}
