//! Merging: which statement beats which, and what becomes of the member.

use super::*;
use crate::{Metadata, Record};
use std::net::SocketAddr;
use std::sync::Arc;
use swarm_base::{Boot, Rng};

fn node(name: &str, millis: u64) -> NodeId {
    NodeId::new(NodeName::new(name).expect("a name"), Boot { millis, random: 0 })
}

fn address() -> SocketAddr {
    "10.0.0.1:1".parse().expect("an address")
}

fn alive(boot: u64, incarnation: u64) -> Update {
    let metadata = Metadata::new(incarnation.to_be_bytes()).expect("short");
    let record = Record { id: node("x", boot), address: address(), metadata };
    Update { incarnation, claim: Claim::Alive(Arc::new(record)) }
}

fn suspect(boot: u64, incarnation: u64) -> Update {
    Update { incarnation, claim: Claim::Suspect { id: node("x", boot), by: node("y", 1) } }
}

fn dead(boot: u64, incarnation: u64) -> Update {
    Update { incarnation, claim: Claim::Dead { id: node("x", boot), address: address() } }
}

fn left(boot: u64, incarnation: u64) -> Update {
    Update { incarnation, claim: Claim::Left { id: node("x", boot), address: address() } }
}

fn check(updates: &[Update], expected: &[Merge]) {
    let mut table = Table::default();
    let merges: Vec<_> = updates.iter().map(|u| table.merge(Instant::START, u)).collect();
    assert_eq!(merges, expected, "{updates:?}");
}

#[test]
fn a_statement_replaces_a_lesser_one() {
    use Merge::*;
    check(
        &[alive(1, 0), alive(1, 0), alive(1, 1), alive(1, 0)],
        &[Joined, Nothing, Updated, Stale],
    );
    check(&[alive(1, 0), suspect(1, 0), alive(1, 0)], &[Joined, Suspected, Stale]);
    check(&[alive(1, 0), suspect(1, 0), suspect(1, 1)], &[Joined, Suspected, Resuspected]);
    check(&[alive(1, 0), suspect(1, 0), suspect(1, 0)], &[Joined, Suspected, Confirmed]);
    check(&[alive(1, 1), suspect(1, 0), dead(1, 0)], &[Joined, Stale, Stale]);
    check(&[alive(1, 0), suspect(1, 0), dead(1, 0)], &[Joined, Suspected, Accused]);
    check(&[alive(1, 0), left(1, 1), dead(1, 0)], &[Joined, Left, Stale]);
    check(&[dead(1, 3), alive(1, 3), alive(1, 4)], &[Remembered, Stale, Joined]);
}

#[test]
fn a_death_that_others_declare_only_accuses() {
    let mut table = Table::default();
    for update in [alive(1, 0), dead(1, 0), dead(1, 0)] {
        let merge = table.merge(Instant::START, &update);
        assert_eq!(merge == Merge::Joined, update == alive(1, 0));
    }
    assert_eq!(table.member(&node("x", 1)).map(|member| member.state), Some(State::Suspect));
    assert!(table.bury(Instant::START, &node("x", 1).name).is_some());
    assert_eq!(table.merge(Instant::START, &alive(1, 0)), Merge::Stale);
    assert_eq!(table.merge(Instant::START, &alive(1, 1)), Merge::Joined);
}

#[test]
fn boots_of_a_name_only_grow() {
    use Merge::*;
    check(&[alive(1, 5), alive(2, 0), alive(1, 9)], &[Joined, Replaced(node("x", 1)), Stale]);
    check(&[alive(1, 5), dead(2, 0), alive(2, 0)], &[Joined, Superseded(node("x", 1)), Stale]);
    check(&[alive(2, 0), suspect(3, 0)], &[Joined, Nothing]);
}

#[test]
fn an_accusation_that_outruns_the_statement_does_not_lose_the_metadata() {
    let mut table = Table::default();
    for update in [alive(1, 0), suspect(1, 1), alive(1, 1)] {
        let _ = table.merge(Instant::START, &update);
    }
    let member = table.member(&node("x", 1)).expect("known");
    assert_eq!(member.state, State::Suspect);
    assert_eq!(member.metadata.as_bytes(), 1u64.to_be_bytes());
}

#[test]
fn one_forged_incarnation_does_not_silence_a_node() {
    use Merge::*;
    check(&[alive(1, 0), suspect(1, u64::MAX), alive(1, 1)], &[Joined, Overflow, Updated]);
    check(&[alive(1, u64::MAX)], &[Overflow]);
}

#[test]
fn tables_that_heard_the_same_agree_in_whatever_order() {
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let mut heard: Vec<Update> = (0..12)
            .map(|_| {
                let (boot, incarnation) = (1 + rng.below(2), rng.below(3));
                match rng.below(4) {
                    0 => suspect(boot, incarnation),
                    1 => left(boot, incarnation),
                    _ => alive(boot, incarnation),
                }
            })
            .collect();
        // The statement that the last accusation presumes is among them, as it always is.
        let top = heard.iter().map(|u| (u.id().boot.millis, u.incarnation)).max().expect("twelve");
        heard.push(alive(top.0, top.1));
        let view = |heard: &[Update]| {
            let mut table = Table::default();
            // Twice: what was ignored for want of a predecessor is gossiped again.
            for update in heard.iter().chain(heard) {
                let _ = table.merge(Instant::START, update);
            }
            let member = table.members().next().cloned().expect("one");
            (table.digest(), member.id.clone(), member.state, member.incarnation)
        };
        let expected = view(&heard);
        rng.shuffle(&mut heard);
        assert_eq!(view(&heard), expected, "seed {seed}");
    }
}

#[test]
fn the_digest_does_not_depend_on_the_way_there() {
    let (mut one, mut other) = (Table::default(), Table::default());
    for update in [alive(1, 0), suspect(1, 0), alive(1, 1), alive(2, 0)] {
        let _ = one.merge(Instant::START, &update);
    }
    let _ = other.merge(Instant::START, &alive(2, 0));
    assert_eq!((one.digest(), one.n_live()), (other.digest(), 1));
    let _ = one.merge(Instant::START, &left(2, 1));
    assert_eq!((one.digest(), one.n_live()), (0, 0));
}
