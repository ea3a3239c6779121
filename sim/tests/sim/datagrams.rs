//! The lane of datagrams: what each fault does to it, and that each class is off when it is off.

use crate::probe::{A, B, C, DAMAGED, Given, Probe, given, numbers, probes};
use crate::{at, ms};
use std::time::Duration;
use swarm_base::Instant;
use swarm_sim::{Faults, World};

const N_SENT: u64 = 1_000;

/// Sends numbered datagrams from `A` to `B`, one each millisecond, and waits for the last.
fn sent(seed: u64, faults: Faults) -> World<Probe> {
    let mut world = probes(seed, faults);
    for number in 0..N_SENT {
        world.with(A, |probe, _| probe.send(B, number));
        world.run_for(ms(1)).expect("nothing is checked");
    }
    world.run_for(Duration::from_secs(10)).expect("nothing is checked");
    world
}

#[test]
fn a_calm_network_delivers_all_in_order_and_in_time() {
    let world = sent(1, Faults::calm());
    assert_eq!(numbers(&world, B), (0..N_SENT).collect::<Vec<_>>());
    let (last, ..) = world.events().last().expect("something arrived");
    assert!(*last <= at(N_SENT) + *world.faults().delay.end());
    assert!(world.struck().iter().all(|(_, count)| count == 0), "{}", world.struck());
}

#[test]
fn loss_takes_its_share() {
    let world = sent(2, Faults { loss_permille: 300, ..Faults::calm() });
    let lost = N_SENT - numbers(&world, B).len() as u64;
    assert!((230..370).contains(&lost), "{lost}");
    assert_eq!(world.struck().count("loss"), lost);
}

#[test]
fn a_lossy_direction_leaves_the_other_alone() {
    let mut world = probes(3, Faults::calm());
    world.lossy(A, B, 1_000);
    world.with(A, |probe, _| probe.send(B, 1));
    world.with(B, |probe, _| probe.send(A, 2));
    world.run_for(ms(10)).expect("nothing is checked");
    assert_eq!((numbers(&world, A), numbers(&world, B)), (vec![2], vec![]));
}

#[test]
fn duplicates_come_later_than_their_first_copy() {
    let late = ms(500);
    let faults = Faults { duplicate_permille: 200, duplicate_late_max: late, ..Faults::calm() };
    let world = sent(4, faults);
    let copies = numbers(&world, B).len() as u64 - N_SENT;
    assert!((130..270).contains(&copies), "{copies}");
    assert_eq!(world.struck().count("duplicate"), copies);
    assert_eq!(world.struck().count("reorder"), 0, "first copies stay in order");
}

#[test]
fn held_datagrams_are_overtaken() {
    let faults = Faults { reorder_permille: 100, reorder_max: ms(20), ..Faults::calm() };
    let world = sent(5, faults);
    let heard = numbers(&world, B);
    let overtaken = heard.windows(2).filter(|pair| pair[1] < pair[0]).count();
    assert_eq!(heard.len() as u64, N_SENT, "none is lost");
    assert!(overtaken > 20, "{overtaken}");
    assert!(world.struck().count("reorder") > 20);
}

#[test]
fn a_delay_from_the_tail_holds_up_those_behind_it() {
    let faults = Faults { tail_permille: 10, tail_max: ms(400), ..Faults::calm() };
    let world = sent(6, faults);
    assert_eq!(numbers(&world, B), (0..N_SENT).collect::<Vec<_>>(), "in order, if late");
    let latest = world
        .events()
        .map(|(at, _, given)| match given {
            Given::Datagram(_, number) => at.since(Instant::after_start(ms(*number))),
            _ => Duration::ZERO,
        })
        .max();
    assert!(latest > Some(ms(50)) && latest <= Some(ms(401)), "{latest:?}");
    assert!(world.struck().count("delay tail") > 0);
}

#[test]
fn damage_is_what_the_host_says_it_is() {
    let world = sent(7, Faults { damage_permille: 100, ..Faults::calm() });
    let damaged = numbers(&world, B).iter().filter(|number| **number & DAMAGED != 0).count();
    assert!((60..150).contains(&damaged), "{damaged}");
    assert_eq!(world.struck().count("damage"), damaged as u64);
}

#[test]
fn turning_a_class_off_does_not_shift_the_others() {
    let with = Faults {
        loss_permille: 100,
        duplicate_permille: 100,
        damage_permille: 50,
        ..Faults::calm()
    };
    let without = Faults { duplicate_permille: 0, damage_permille: 0, ..with.clone() };
    let (one, two) = (sent(8, with), sent(8, without));
    let mut heard: Vec<_> = numbers(&one, B).iter().map(|number| number & !DAMAGED).collect();
    heard.sort_unstable();
    heard.dedup();
    assert_eq!(heard, numbers(&two, B), "the same ones are lost");
}

#[test]
fn what_one_node_sends_does_not_shift_the_luck_of_another() {
    let faults = Faults { loss_permille: 500, ..Faults::calm() };
    let run = |noise: u64| {
        let mut world = probes(9, faults.clone());
        for number in 0..200 {
            for _ in 0..noise {
                world.with(C, |probe, _| probe.send(A, 0));
            }
            world.with(A, |probe, _| probe.send(B, number));
        }
        world.run_for(ms(100)).expect("nothing is checked");
        numbers(&world, B)
    };
    assert_eq!(run(0), run(3));
}

#[test]
fn a_cut_is_one_way_until_it_is_healed() {
    let mut world = probes(10, Faults::calm());
    world.cut(A, B);
    assert!(!world.reaches(A, B) && world.reaches(B, A));
    world.with(A, |probe, _| probe.send(B, 1));
    world.with(B, |probe, _| probe.send(A, 2));
    world.run_for(ms(10)).expect("nothing is checked");
    world.heal();
    world.with(A, |probe, _| probe.send(B, 3));
    world.run_for(ms(10)).expect("nothing is checked");
    assert_eq!((numbers(&world, A), numbers(&world, B)), (vec![2], vec![3]));
    assert_eq!(world.struck().count("one-way"), 1);
}

#[test]
fn a_severed_pair_is_not_transitive() {
    let mut world = probes(11, Faults::calm());
    world.sever(A, B);
    for (from, to) in [(A, B), (B, A), (A, C), (C, B)] {
        world.with(from, |probe, _| probe.send(to, 1));
    }
    world.run_for(ms(10)).expect("nothing is checked");
    assert_eq!(numbers(&world, A), []);
    assert_eq!((numbers(&world, B), numbers(&world, C)), (vec![1], vec![1]));
    assert_eq!(world.struck().count("non-transitive"), 2);
}

#[test]
fn a_partition_divides_and_a_node_of_no_group_is_a_bridge() {
    let mut world = probes(12, Faults::calm());
    world.partition(&[&[A], &[B]]);
    for (from, to) in [(A, B), (B, A), (A, C), (C, A), (C, B)] {
        world.with(from, |probe, _| probe.send(to, 1));
    }
    world.run_for(ms(10)).expect("nothing is checked");
    assert_eq!(world.struck().count("cut"), 2);
    assert_eq!([A, B, C].map(|addr| numbers(&world, addr).len()), [1, 1, 1]);
    world.isolate(C);
    assert!(world.reaches(A, B), "a partition replaces the one before");
    assert!(!world.reaches(C, A) && !world.reaches(B, C));
}

#[test]
fn a_flapping_pair_comes_and_goes() {
    let mut world = probes(13, Faults::calm());
    world.flap(A, B, ms(100), at(1_000));
    for number in 0..120 {
        world.with(A, |probe, _| probe.send(B, number));
        world.run_for(ms(10)).expect("nothing is checked");
    }
    let heard = numbers(&world, B);
    let expected: Vec<u64> = (0..120).filter(|n| n / 10 % 2 == 1 || *n >= 100).collect();
    assert_eq!(heard, expected);
    assert_eq!(world.struck().count("flap"), 50);
}

#[test]
fn a_datagram_to_nobody_is_lost() {
    let mut world = probes(14, Faults::calm());
    world.with(A, |probe, _| probe.send(swarm_sim::addr(99), 1));
    assert!(matches!(world.run_until_idle(ms(100)), Ok(Some(_))));
    assert_eq!(given(&world, A, Instant::START), []);
}
