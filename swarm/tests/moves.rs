//! Moves: nodes come and go, and workers with them, or not, as they say.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use std::collections::BTreeMap;
use std::time::Instant;
use swarm::{Config, DrainError, Event, Name, Pid, Ring, Strategy, Swarm, Weight};

/// So many workers, known to all nodes; each has counted 7 from a thousand times its number on.
async fn workers(cluster: &Cluster, prefix: &str, len: u64, go: Go) {
    let node = &cluster.nodes[0];
    for at in 0..len {
        let groups = vec![format!("{prefix}-all")];
        let setup = Setup { count: 1000 * at, go: go.clone(), groups, ..Setup::default() };
        node.register::<Probe>(format!("{prefix}-{at}"), setup).await.expect("registered");
        node.call(format!("{prefix}-{at}"), Add(7)).await.expect("it counts");
    }
    let prefix = format!("{prefix}-");
    let known = |node: &Swarm| listed(node, &prefix).len() as u64 == len;
    until("all nodes know them", CONVERGED, || cluster.nodes.iter().all(known)).await;
}

/// Waits until every name of the prefix runs where it belongs, some of them on `node`, and all
/// nodes know.
async fn until_moved(cluster: &Cluster, node: &Swarm, prefix: &str) {
    let all_home = || {
        let mut ring = Ring::new();
        for member in node.nodes().iter().filter(|member| member.ready) {
            ring.add(member.id.name.clone(), Weight::default());
        }
        let is_home = |(name, pid): &(Name, Pid)| {
            let home = cluster.nodes.iter().find(|node| node.node().boot == pid.boot);
            home.map(|home| &home.node().name) == ring.owner(name.as_bytes())
        };
        let names = listed(node, prefix);
        shares(node, prefix).contains_key(&node.node().boot)
            && names.iter().all(is_home)
            && cluster.nodes.iter().all(|node| listed(node, prefix) == names)
    };
    until("every name is where it belongs", secs(10), all_home).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_joins_gets_its_share_with_the_state() {
    let mut cluster = Cluster::of(2).await;
    workers(&cluster, "res", 60, Go::Resume).await;
    let before = listed(&cluster.nodes[0], "res-");
    let new = cluster.add("n2").await;
    until_moved(&cluster, &new, "res-").await;

    let after = listed(&new, "res-");
    let mut n_moved = 0;
    for ((name, old), (_, pid)) in before.iter().zip(&after) {
        let at: u64 = name.to_string()[4..].parse().expect("a number");
        let counted = 1000 * at + 7;
        for node in &cluster.nodes {
            assert_eq!(node.whereis(name), Some(*pid), "all agree on {name}");
            assert_eq!(node.call(name, Add(0)).await, Ok(counted), "{name} kept its state");
        }
        let lived = lives(&name.to_string());
        if old == pid {
            assert_eq!(lived.len(), 1, "{name} stayed: {lived:?}");
            continue;
        }
        n_moved += 1;
        assert_eq!(pid.boot, new.node().boot, "only the new node gets names");
        let old_home = lived[0].0.clone();
        let there: Vec<_> = lived.iter().filter(|(node, _)| node == "n2").map(|(_, l)| l).collect();
        let here: Vec<_> =
            lived.iter().filter(|(node, _)| *node == old_home).map(|(_, l)| l).collect();
        assert_eq!(there, [&Life::Started, &Life::Resumed(counted)], "{name}");
        assert_eq!(here, [&Life::Started, &Life::Asked, &Life::Died], "{name}");
        let died = lived.iter().position(|(_, life)| *life == Life::Died);
        let resumed = lived.iter().position(|(_, life)| matches!(life, Life::Resumed(_)));
        assert!(died < resumed, "{name}: the old one has stopped first: {lived:?}");
    }
    assert!((8..=32).contains(&n_moved), "a third moves: {n_moved} of 60");
    cluster.until_count("res-all", CONVERGED, 60).await;
    let members = sorted(new.members("res-all"));
    assert_eq!(members, sorted(after.into_iter().map(|(_, pid)| pid).collect()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_wants_to_start_anew_moves_without_its_state() {
    let mut cluster = Cluster::of(2).await;
    workers(&cluster, "anew", 40, Go::Restart).await;
    let new = cluster.add("n2").await;
    until_moved(&cluster, &new, "anew-").await;
    for (name, pid) in listed(&new, "anew-") {
        let at: u64 = name.to_string()[5..].parse().expect("a number");
        let moved = pid.boot == new.node().boot;
        let want = if moved { 1000 * at } else { 1000 * at + 7 };
        assert_eq!(new.call(&name, Add(0)).await, Ok(want), "{name}, moved: {moved}");
        let lived = lives(&name.to_string());
        assert!(!lived.iter().any(|(_, life)| matches!(life, Life::Resumed(_))), "{lived:?}");
        let died = lived.iter().filter(|(node, life)| node != "n2" && *life == Life::Died).count();
        assert_eq!(died, usize::from(moved), "{name}: {lived:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_ignores_the_move_stays_and_others_go() {
    let mut cluster = Cluster::of(2).await;
    workers(&cluster, "stay", 40, Go::Ignore).await;
    workers(&cluster, "go", 40, Go::Resume).await;
    let before = listed(&cluster.nodes[0], "stay-");
    let new = cluster.add("n2").await;
    until_moved(&cluster, &new, "go-").await;
    let asked = |name: &swarm::Name| {
        lives(&name.to_string()).iter().filter(|(_, life)| *life == Life::Asked).count()
    };
    let n_asked = || before.iter().filter(|(name, _)| asked(name) > 0).count();
    until("some are asked", secs(5), || n_asked() >= 5).await;
    for node in &cluster.nodes {
        assert_eq!(listed(node, "stay-"), before, "none of them moved");
    }
    for (name, _) in &before {
        assert_eq!(asked(name).min(1), asked(name), "{name} is asked once");
        let at: u64 = name.to_string()[5..].parse().expect("a number");
        assert_eq!(new.call(name, Add(0)).await, Ok(1000 * at + 7));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_panics_or_never_answers_stays_and_does_not_hold_up_the_others() {
    let mut config = Config::default();
    config.process.handoff_timeout = ms(500);
    let mut cluster = Cluster::of(1).await;
    let node = cluster.builder("n1").config(config).start().await.expect("it starts");
    // The only one: it runs whatever is registered here.
    let first = cluster.nodes.remove(0);
    first.leave().await.expect("left");
    cluster.nodes.push(node.clone());
    until("alone", CONVERGED, || node.nodes().len() == 1).await;
    workers(&cluster, "stuck", 10, Go::Never).await;
    workers(&cluster, "panic", 10, Go::Panic).await;
    workers(&cluster, "well", 60, Go::Resume).await;
    let begun = Instant::now();
    let new = cluster.add("n2").await;
    until_moved(&cluster, &new, "well-").await;
    assert!(begun.elapsed() < secs(6), "{:?}", begun.elapsed());
    for prefix in ["stuck-", "panic-"] {
        for (name, pid) in listed(&node, prefix) {
            assert_eq!(pid.boot, node.node().boot, "{name} stays");
            let at: u64 = name.to_string()[6..].parse().expect("a number");
            let served = new.call(&name, Add(0)).await;
            assert_eq!(served, Ok(1000 * at + 7), "{name} is served, with its state");
        }
        assert_eq!(listed(&node, prefix).len(), 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_one_sender_keep_their_order_through_a_move() {
    let mut cluster = Cluster::of(2).await;
    workers(&cluster, "order", 30, Go::Resume).await;
    let before = listed(&cluster.nodes[0], "order-");
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let senders: Vec<_> = before
        .iter()
        .map(|(name, _)| {
            let (name, stopped) = (name.clone(), stopped.clone());
            let node = cluster.nodes[1].clone();
            tokio::spawn(async move {
                // Each reply says how many came before it: the cast of its round, and no later one.
                let first = node.call(&name, Add(0)).await.expect("it is served");
                let mut rounds = 0;
                while !*stopped.borrow() {
                    node.cast(&name, Add(1)).await.expect("it is served");
                    rounds += 1;
                    let sum = node.call(&name, Add(0)).await.expect("it is served");
                    assert_eq!(sum, first + rounds, "{name} in round {rounds}");
                }
                rounds
            })
        })
        .collect();
    let new = cluster.add("n2").await;
    until_moved(&cluster, &new, "order-").await;
    stop.send(true).expect("the senders listen");
    let mut rounds = 0;
    for sender in senders {
        rounds += sender.await.expect("nothing was lost, doubled or overtaken");
    }
    assert!(rounds > 100, "{rounds} rounds");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_node_has_handed_over_everything_with_its_state() {
    let cluster = Cluster::of(3).await;
    workers(&cluster, "drain", 60, Go::Resume).await;
    let leaving = &cluster.nodes[1];
    let boot = leaving.node().boot;
    let here = shares(leaving, "drain-")[&boot];
    let mut progress = leaving.drain().progress().await.expect("it runs");
    let (mut last, mut total) = (usize::MAX, 0);
    while let Some(step) = progress.next().await {
        let step = step.expect("it drains in time");
        assert!(step.left <= last, "{step:?} after {last}");
        (last, total) = (step.left, step.total);
    }
    assert_eq!((last, total), (0, here));
    assert_eq!(shares(leaving, "drain-").get(&boot), None);
    for at in 0..60 {
        let counted = leaving.call(format!("drain-{at}"), Add(0)).await;
        assert_eq!(counted, Ok(1000 * at + 7), "drain-{at} kept its state");
    }
    // It gets nothing new, and it goes on serving its callers.
    for at in 0..30 {
        let name = format!("after-{at}");
        let worker = leaving.register::<Probe>(&name, Setup::default()).await.expect("elsewhere");
        assert_ne!(worker.pid().expect("registered").boot, boot, "{name}");
    }
    quickly(secs(3), leaving.drain()).await.expect("there is nothing left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_cannot_be_done_ends_at_its_deadline() {
    let cluster = Cluster::of(2).await;
    workers(&cluster, "fixed", 20, Go::Never).await;
    let leaving = &cluster.nodes[0];
    let begun = Instant::now();
    let error = leaving.drain().timeout(secs(1)).await.expect_err("they never answer");
    let took = begun.elapsed();
    assert!((ms(900)..secs(3)).contains(&took), "{took:?}");
    match &error {
        DrainError::Timeout { left, total, after } => {
            assert!(*left > 0 && left <= total && *after == secs(1), "{error:?}");
        }
        other => panic!("{other}"),
    }
    assert!(error.to_string().ends_with("names are still here after 1s"), "{error}");
    for at in 0..20 {
        assert!(leaving.call(format!("fixed-{at}"), Add(0)).await.is_ok(), "all are served");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_leaves_loses_nothing_and_is_not_held_dead() {
    let mut cluster = Cluster::of(3).await;
    workers(&cluster, "leave", 60, Go::Resume).await;
    let mut events = cluster.nodes[0].events();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let callers: Vec<_> = (0..4)
        .map(|caller| {
            let (node, stopped) = (cluster.nodes[2 * (caller % 2)].clone(), stopped.clone());
            tokio::spawn(async move {
                let mut calls = 0;
                while !*stopped.borrow() {
                    let at = calls % 60;
                    let sum = node.call(format!("leave-{at}"), Add(0)).await;
                    assert_eq!(sum, Ok(1000 * at + 7), "leave-{at}");
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    let leaving = cluster.nodes.remove(1);
    let id = leaving.node().clone();
    leaving.leave().await.expect("it leaves");
    until("the others know", secs(1), || cluster.nodes.iter().all(|n| n.nodes().len() == 2)).await;
    for at in 0..60 {
        for node in &cluster.nodes {
            let sum = node.call(format!("leave-{at}"), Add(0)).await;
            assert_eq!(sum, Ok(1000 * at + 7), "leave-{at} kept its state");
        }
    }
    stop.send(true).expect("the callers listen");
    for caller in callers {
        assert!(caller.await.expect("no call failed") > 0);
    }
    cluster.until_count("leave-all", CONVERGED, 60).await;
    let left = event(&mut events, secs(1), |event| match event {
        Event::NodeLeft { node } => Some(node.clone()),
        Event::NodeDown { node } => panic!("{node} is held dead"),
        _ => None,
    });
    assert_eq!(left.await, id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_not_ready_gets_names_once_it_is() {
    let mut cluster = Cluster::of(2).await;
    workers(&cluster, "ready", 40, Go::Resume).await;
    let before = listed(&cluster.nodes[0], "ready-");
    let late = cluster.builder("n2").ready(false).start().await.expect("it starts");
    cluster.nodes.push(late.clone());
    cluster.see_each_other().await;
    for at in 0..30 {
        let name = format!("early-{at}");
        let worker = late.register::<Probe>(&name, Setup::default()).await.expect("elsewhere");
        assert_ne!(worker.pid().expect("registered").boot, late.node().boot);
    }
    assert_eq!(listed(&late, "ready-"), before);
    late.set_ready(true).await;
    until_moved(&cluster, &late, "ready-").await;
    for at in 0..40 {
        assert_eq!(late.call(format!("ready-{at}"), Add(0)).await, Ok(1000 * at + 7));
    }
    late.set_ready(false).await;
    let empty = || !shares(&late, "ready-").contains_key(&late.node().boot);
    until("it hands all over", secs(10), empty).await;
}

/// Five times within ten seconds, unless the machine is very busy.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_flaps_moves_a_name_at_most_once() {
    let cluster = Cluster::of(2).await;
    workers(&cluster, "flap", 40, Go::Resume).await;
    let (here, there) = (&cluster.nodes[0], &cluster.nodes[1]);
    let mut events = [here.events(), there.events()];
    let is_ready = |ready: bool| {
        here.nodes().iter().any(|member| member.id == *there.node() && member.ready == ready)
    };
    for _ in 0..5 {
        there.set_ready(false).await;
        until("it is seen to be not ready", CONVERGED, || is_ready(false)).await;
        until("it has handed over all", CONVERGED, || shares(here, "flap-").len() == 1).await;
        there.set_ready(true).await;
        until("it is seen to be ready", CONVERGED, || is_ready(true)).await;
        let stays = Instant::now() + ms(600);
        until("it has been there for a while", secs(5), || stays < Instant::now()).await;
    }
    let mut moved = BTreeMap::<String, usize>::new();
    for events in &mut events {
        while let Ok(Some(event)) = tokio::time::timeout(ms(1), events.next()).await {
            if let Event::NameMoved { name, .. } = event {
                *moved.entry(name.to_string()).or_default() += 1;
            }
        }
    }
    assert!(moved.values().all(|times| *times <= 1), "{moved:?}");
    let both = || shares(here, "flap-").len() == 2;
    until("it gets names once it stays", secs(20), both).await;
    for at in 0..40 {
        assert_eq!(here.call(format!("flap-{at}"), Add(0)).await, Ok(1000 * at + 7));
    }
}

/// More than fits into one message between nodes.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_worker_with_a_long_queue_moves() {
    let cluster = Cluster::of(2).await;
    let (to, from) = (&cluster.nodes[0], &cluster.nodes[1]);
    let worker = cluster.worker_on(from, "queue", Setup::default()).await;
    let name = worker.name().to_string();
    from.cast(&name, Nap(secs(2))).await.expect("it is served");
    for _ in 0..24 {
        from.cast(&name, Say("x".repeat(900_000))).await.expect("it is served");
    }
    from.set_ready(false).await;
    let runs_there = || to.whereis(&name).is_some_and(|pid| pid.boot == to.node().boot);
    until("it moves", secs(20), runs_there).await;
    assert_eq!(to.call(&name, Add(1)).timeout(secs(9)).await, Ok(24 * 900_000 + 1));
}
