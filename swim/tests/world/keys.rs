//! Changing the secret, while packets are lost and members come and go.

use crate::group::{agree, deaths, events, run, secret, settled, until};
use std::time::Duration;
use swarm_sim::{Faults, addr};
use swarm_swim::{Event, KeyChange, KeyChangeError, KeyId, KeyReport};

type Group = crate::group::Group;

/// Has node 1 take a step, and waits for its report.
fn change(world: &mut Group, change: &KeyChange) -> KeyReport {
    let reports = |world: &Group| {
        let told = events(world, 1).into_iter();
        let told = told.filter_map(|event| match event {
            Event::KeysConfirmed(report) => Some(report.clone()),
            _ => None,
        });
        told.collect::<Vec<_>>()
    };
    let before = reports(world).len();
    let begun = world.with(addr(1), |host, now| host.machine.change_keys(now, change.clone()));
    assert_eq!(begun, Ok(()));
    until(world, 20, |world| reports(world).len() > before);
    reports(world).pop().expect("just counted")
}

fn keys(world: &Group, idx: u16) -> Vec<KeyId> {
    world.host(addr(idx)).machine.keys()
}

#[test]
fn every_step_is_confirmed_by_all_though_packets_are_lost() {
    for seed in 0..30 {
        let mut world = settled(6, seed);
        world.set_faults(Faults { loss_permille: 200, ..Faults::calm() });
        let old = keys(&world, 1)[0];
        let installed = change(&mut world, &KeyChange::Install(secret(9)));
        assert!(installed.is_complete(), "seed {seed}: {installed}");
        let used = change(&mut world, &KeyChange::Use(installed.id));
        assert!(used.is_complete(), "seed {seed}: {used}");
        let removed = change(&mut world, &KeyChange::Remove(old));
        assert!(removed.is_complete(), "seed {seed}: {removed}");
        assert!((1..=6).all(|idx| keys(&world, idx) == [installed.id]), "seed {seed}");
        world.set_faults(Faults::calm());
        until(&mut world, 10, |world| agree(world, 1..=6));
        assert_eq!(deaths(&world), 0, "seed {seed}");
    }
}

/// Whoever cannot be reached would be cut off by the step, so it is not taken.
#[test]
fn no_step_is_taken_while_somebody_has_not_confirmed_the_one_before() {
    let mut world = settled(4, 1);
    let installed = change(&mut world, &KeyChange::Install(secret(9)));
    world.pause(addr(3), Duration::from_millis(1_800));
    let busy = world.with(addr(1), |host, now| {
        let _ = host.machine.change_keys(now, KeyChange::Use(installed.id));
        host.machine.change_keys(now, KeyChange::Use(installed.id))
    });
    assert_eq!(busy, Err(KeyChangeError::Busy));
    run(&mut world, 1_000);
    let seals = |world: &Group| (1..=4).map(|idx| keys(world, idx)[0]).collect::<Vec<_>>();
    assert!(seals(&world).iter().all(|id| *id != installed.id), "n3 has not said that it has it");
    until(&mut world, 10, |world| seals(world).iter().all(|id| *id == installed.id));
    assert_eq!(deaths(&world), 0);
}

#[test]
fn a_member_that_never_got_the_key_stops_its_use() {
    let mut world = settled(3, 2);
    let installed = change(&mut world, &KeyChange::Install(secret(9)));
    // A newcomer from a file that has not been brought up to date.
    crate::group::start(&mut world, 4, &[1]);
    until(&mut world, 10, |world| agree(world, 1..=4));
    let used = change(&mut world, &KeyChange::Use(installed.id));
    assert!(!used.is_begun && used.refused.len() == 1, "{used}");
    assert!((1..=4).all(|idx| keys(&world, idx)[0] != installed.id));
    let again = change(&mut world, &KeyChange::Install(secret(9)));
    assert!(again.is_complete());
    assert!(change(&mut world, &KeyChange::Use(installed.id)).is_complete());
}
