//! Questions that go over several nodes, where these do not reach each other.

use super::few::{of, register, taking, until};
use super::host::SimNode;
use super::news::{Asked, News};
use super::temper::Temper;
use crate::node::{Outcome, Stop, What};
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::Name;
use swarm_process::ExitReason;
use swarm_sim::{World, addr};

/// How often an answer came.
fn answered(world: &World<SimNode>, outcome: &Outcome) -> usize {
    let is = |event: &News| matches!(event, News::Answered { outcome: is, .. } if is == outcome);
    world.events().filter(|(_, _, event)| is(event)).count()
}

const NAMES: usize = 60;

fn names() -> impl Iterator<Item = Name> {
    (0..NAMES).map(|nth| Name::new(format!("w{nth}")).expect("a short name"))
}

/// The node that lets a name through and the node that it belongs to are different ones for some of
/// the names. A question that one passed on to the other would wait for their link, and come when
/// nobody waits for its answer any more, to start a name that may have been stopped meanwhile.
#[test]
fn a_question_does_not_wait_for_a_link_between_two_others() {
    let mut world = of(4);
    for (a, b) in [(2, 3), (2, 4), (3, 4)] {
        world.sever(addr(a), addr(b));
    }
    for name in names() {
        register(&mut world, 1, name, Duration::from_secs(1));
    }
    until(&mut world, "all are answered", |world| {
        world.events().filter(|(_, _, event)| matches!(event, News::Answered { .. })).count()
            == NAMES
    });
    assert_eq!(answered(&world, &Outcome::Registered), NAMES);
}

/// What a node asked waits behind a start. It loses the one that it asked, is answered by another
/// one, and the name is stopped: then nothing is left that would start it again.
#[test]
fn a_question_does_not_outlive_the_session_that_it_came_on() {
    let mut world = of(3);
    // Its own questions, whose starts fail in up to twenty seconds.
    world.with(addr(2), |node, _| {
        node.temper = Temper { start_fails: 1_000, ..taking(Duration::from_secs(20)) };
    });
    for node in [2, 1] {
        for name in names() {
            register(&mut world, node, name, Duration::from_mins(1));
        }
        world.run_for(Duration::from_millis(50)).expect("nothing checks it");
    }
    world.isolate(addr(2));
    let lost = world.now() + Duration::from_secs(5);
    let answers = |world: &World<SimNode>| {
        let at = |at: &SocketAddr| *at == addr(1);
        let is = |event: &News| matches!(event, News::Answered { .. });
        world.events().filter(|(_, from, event)| at(from) && is(event)).count()
    };
    until(&mut world, "another node starts them", |world| answers(world) == NAMES);
    for name in names() {
        let what = What::Stop { name: name.clone(), how: Stop::Kill };
        let asked = Asked::Stop(name);
        world.with(addr(1), |node, now| node.ask(now, what, asked, Duration::from_secs(30)));
    }
    until(&mut world, "they are stopped", |world| answers(world) == 2 * NAMES);
    world.heal();
    world.run_for(Duration::from_secs(40)).expect("nothing checks it");
    let failed = |event: &News| {
        let News::Ended { name, why: ExitReason::StartFailed { .. }, .. } = event else {
            return None;
        };
        name.clone()
    };
    let late = world.events().filter(|(when, ..)| *when > lost);
    let mut failed: Vec<Name> = late.filter_map(|(.., event)| failed(event)).collect();
    failed.sort_unstable();
    let mut once = failed.clone();
    once.dedup();
    assert!(!once.is_empty(), "some are of node 2");
    assert_eq!(failed, once, "the question of node 1 started none");
}
