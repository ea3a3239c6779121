//! Groups: who is in them, who gets what is published, and what calls of all of them return.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use std::collections::BTreeMap;
use std::time::Instant;
use swarm::{CallError, CastError, Event, ExitReason, Pick, Pid, Ref, Stage, Stop, Swarm};

/// So many workers on each node, all of them in `group` everywhere.
async fn members(cluster: &Cluster, group: &str, each: usize) -> Vec<(Swarm, Ref<Probe>)> {
    let mut members = Vec::new();
    for node in &cluster.nodes {
        for _ in 0..each {
            let worker = node.spawn::<Probe>(Setup::default()).await.expect("spawned");
            worker.join(group).await.expect("joined");
            members.push((node.clone(), worker));
        }
    }
    let pids: Vec<_> = members.iter().map(|(_, worker)| pid_of(worker)).collect();
    cluster.until_members(group, CONVERGED, &pids).await;
    members
}

fn pid_of(worker: &Ref<Probe>) -> Pid {
    worker.pid().expect("it lives")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_is_a_member_on_every_node_once() {
    let cluster = Cluster::of(3).await;
    let worker = cluster.nodes[0].register::<Probe>("joiner", Setup::default()).await.expect("ok");
    let pid = pid_of(&worker);
    for _ in 0..2 {
        worker.join("g").await.expect("joined");
    }
    cluster.until_all("joiner", CONVERGED, Some(pid)).await;
    for node in &cluster.nodes {
        node.join("g", &node.worker::<Probe>("joiner")).await.expect("through any node");
        assert_eq!(node.members("g"), [pid], "whoever got Ok reads its own write");
    }
    cluster.until_members("g", CONVERGED, &[pid]).await;
    assert_eq!(cluster.nodes[1].groups().len(), 1);
    for _ in 0..2 {
        cluster.nodes[0].leave_group("g", &worker).await.expect("leaving twice is fine");
    }
    cluster.until_members("g", CONVERGED, &[]).await;
    worker.leave("never").await.expect("not being in it is no error");
    until("no group is left", CONVERGED, || cluster.nodes[2].groups().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_events_tell_of_a_member_once_however_often_it_joins() {
    let cluster = Cluster::of(2).await;
    let mut events: Vec<_> = cluster.nodes.iter().map(Swarm::events).collect();
    let worker = cluster.nodes[0].spawn::<Probe>(Setup::default()).await.expect("spawned");
    let pid = pid_of(&worker);
    for node in &cluster.nodes {
        for meta in ["", "", "it says something else of itself"] {
            node.join_with("told", &worker, meta).await.expect("joined");
        }
    }
    for _ in 0..2 {
        worker.leave("told").await.expect("left");
    }
    worker.join("the last").await.expect("joined");
    for events in &mut events {
        let mut told = Vec::new();
        loop {
            match quickly(CONVERGED, events.next()).await.expect("the node runs") {
                Event::GroupJoined { group, pid: who } if group.as_str() == Some("the last") => {
                    assert_eq!(who, pid);
                    break;
                }
                Event::GroupJoined { pid: who, .. } if who == pid => told.push("joined"),
                Event::GroupLeft { pid: who, .. } if who == pid => told.push("left"),
                _ => (),
            }
        }
        assert_eq!(told, ["joined", "left"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_ends_is_no_member_anywhere() {
    let mut cluster = Cluster::of(3).await;
    let all = members(&cluster, "mortal", 40).await;
    let (node, first) = &all[0];
    first.stop(Stop::Kill).await.expect("killed");
    assert_eq!(node.monitor(pid_or(first)).await.reason, ExitReason::NoProcess);
    cluster.until_count("mortal", CONVERGED, 119).await;

    let dead = cluster.nodes[2].node().boot;
    drop(all);
    cluster.drop_node(2);
    cluster.until_count("mortal", RECOVERED, 79).await;
    assert!(cluster.nodes[0].members("mortal").iter().all(|pid| pid.boot != dead));
}

/// The pid of a nameless worker, alive or not.
fn pid_or(worker: &Ref<Probe>) -> Pid {
    worker.pid().expect("a nameless one is its pid")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_reaches_every_member_exactly_once() {
    let cluster = Cluster::of(3).await;
    let all = members(&cluster, "news", 20).await;
    for node in &cluster.nodes {
        assert_eq!(node.publish("news", Add(1)).await, 60);
        assert_eq!(node.publish_local("news", Add(100)).await, 20);
    }
    assert_eq!(cluster.nodes[0].publish("nobody", Add(1)).await, 0);
    for (_, worker) in &all {
        let begun = Instant::now();
        while worker.call(Add(0)).await.expect("it lives") != 103 {
            assert!(begun.elapsed() < CONVERGED, "{worker:?} has not got all");
        }
    }
    for node in &cluster.nodes {
        // Behind all that was published: nothing came twice.
        let sums = node.multi_call("news", Add(0)).await;
        assert_eq!(sums, [103; 60]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_is_seen_by_the_next_publish_of_its_node() {
    let cluster = Cluster::of(2).await;
    let node = &cluster.nodes[0];
    for at in 0..1000 {
        let worker = node.spawn::<Probe>(Setup::default()).await.expect("spawned");
        let group = format!("at-once-{at}");
        worker.join(&group).await.expect("joined");
        assert_eq!(node.publish(&group, Add(1)).await, 1, "{at}");
        assert_eq!(worker.call(Add(0)).await, Ok(1), "{at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_all_returns_what_came_and_says_what_did_not() {
    let cluster = Cluster::of(3).await;
    let all = members(&cluster, "five", 2).await;
    let group: Vec<_> = all.iter().map(|(_, worker)| worker.clone()).collect();
    group[5].leave("five").await.expect("left");
    group[1].cast(Nap(secs(30))).await.expect("sent");
    group[4].cast(Crash("on purpose".to_owned())).await.expect("sent");
    cluster
        .until_members("five", CONVERGED, &group[..4].iter().map(pid_of).collect::<Vec<_>>())
        .await;

    // One more that dies of the very message.
    let crasher = cluster.nodes[2].spawn::<Probe>(Setup::default()).await.expect("spawned");
    crasher.join("crashing").await.expect("joined");
    for node in &cluster.nodes {
        let begun = Instant::now();
        let replies = node.multi_call("five", Where()).timeout(ms(400)).await;
        let took = begun.elapsed();
        assert_eq!(replies.len(), 3);
        assert!((ms(400)..ms(1400)).contains(&took), "bounded as a whole: {took:?}");

        let detailed = node.multi_call_detailed("five", Where()).timeout(ms(400)).await;
        let detailed: BTreeMap<_, _> = detailed.into_iter().collect();
        assert_eq!(detailed.len(), 4);
        for (at, worker) in group[..4].iter().enumerate() {
            match &detailed[&pid_of(worker)] {
                Ok((_, name)) => assert_eq!(*name, pid_of(worker).to_string()),
                Err(error) => {
                    assert_eq!(at, 1, "{error}");
                    assert!(matches!(error, CallError::Timeout { after, .. } if *after == ms(400)));
                    assert!(!error.is_retryable(), "it may have been handled");
                }
            }
        }
    }
    until("known", CONVERGED, || cluster.nodes[0].members("crashing").len() == 1).await;
    let crashed = cluster.nodes[0].multi_call_detailed("crashing", Crash("boom".to_owned())).await;
    match &crashed[..] {
        [(pid, Err(CallError::Stopped { reason: ExitReason::Panicked { message }, .. }))] => {
            assert_eq!((*pid, message.as_str()), (pid_of(&crasher), "boom"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(cluster.nodes[0].multi_call("nobody", Where()).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_all_waits_five_seconds_by_default_and_no_longer() {
    let cluster = Cluster::of(2).await;
    let all = members(&cluster, "slow", 1).await;
    all[1].1.cast(Nap(secs(30))).await.expect("sent");
    let begun = Instant::now();
    assert_eq!(cluster.nodes[0].multi_call("slow", Where()).await.len(), 1);
    let took = begun.elapsed();
    assert!((secs(5)..ms(6500)).contains(&took), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timeout_bounds_a_call_of_a_hundred() {
    let cluster = Cluster::of(2).await;
    let all = members(&cluster, "hundred", 50).await;
    for (_, worker) in all.iter().skip(1) {
        worker.cast(Nap(secs(30))).await.expect("sent");
    }
    let begun = Instant::now();
    assert_eq!(cluster.nodes[0].multi_call("hundred", Where()).timeout(ms(200)).await.len(), 1);
    let took = begun.elapsed();
    assert!((ms(200)..ms(1200)).contains(&took), "{took:?}");
    match &all[1].1.call(Where()).timeout(ms(100)).await.expect_err("it naps") {
        CallError::Timeout { stage, after, .. } => {
            assert_eq!((*stage, *after), (Stage::Queued, ms(100)));
        }
        error => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_member_is_picked_as_asked() {
    let cluster = Cluster::of(2).await;
    let all = members(&cluster, "pick", 3).await;
    let node = &cluster.nodes[0];
    for _ in 0..6 {
        node.send_one("pick", Add(1), Pick::RoundRobin).await.expect("sent");
    }
    for _ in 0..9 {
        node.send_one("pick", Add(100), Pick::ByKey(b"key".to_vec())).await.expect("sent");
    }
    for _ in 0..5 {
        node.send_one("pick", Add(10_000), Pick::LocalFirst).await.expect("sent");
    }
    let mut sums = Vec::new();
    let begun = Instant::now();
    while sums.iter().sum::<u64>() != 50_906 {
        assert!(begun.elapsed() < CONVERGED, "{sums:?}");
        sums.clear();
        for (_, worker) in &all {
            sums.push(worker.call(Add(0)).await.expect("it lives"));
        }
    }
    assert!(sums.iter().all(|sum| sum % 100 == 1), "each in turn: {sums:?}");
    assert_eq!(sums.iter().filter(|sum| *sum % 10_000 > 100).count(), 1, "one for a key: {sums:?}");
    let there: Vec<_> = sums[3..].iter().map(|sum| sum / 10_000).collect();
    assert_eq!(there, [0, 0, 0], "the node's own first");
    let error = node.send_one("nobody", Add(1), Pick::Any).await.expect_err("nobody is in it");
    assert!(matches!(error, CastError::NotFound { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_member_says_of_itself_is_seen_everywhere() {
    let cluster = Cluster::of(2).await;
    let [a, b] = [&cluster.nodes[0], &cluster.nodes[1]];
    let worker = a.spawn::<Probe>(Setup::default()).await.expect("spawned");
    let pid = pid_of(&worker);
    for meta in [&b"first"[..], b"second"] {
        b.join_with("said", &b.at(worker.address()), meta).await.expect("joined");
        assert_eq!(b.members_with_meta("said"), [(pid, meta.to_vec())]);
        let said = || a.members_with_meta("said") == [(pid, meta.to_vec())];
        until("it is seen there", CONVERGED, said).await;
    }
    assert_eq!(a.local_members("said"), [pid]);
    assert_eq!(b.local_members("said"), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_does_not_live_cannot_join() {
    let cluster = Cluster::of(2).await;
    let worker = cluster.nodes[0].spawn::<Probe>(Setup::default()).await.expect("spawned");
    let [a, b] = [&cluster.nodes[0], &cluster.nodes[1]];
    worker.stop(Stop::Kill).await.expect("killed");
    let error = worker.join("late").await.expect_err("its end has been seen here");
    assert_eq!((error.code(), error.is_retryable()), ("not-found", false), "{error}");
    let error = a.register_pid("late", pid_of(&worker)).await.expect_err("the same for names");
    assert_eq!(error.code(), "no-process", "{error}");

    // From elsewhere its node may be asked just before it has noticed.
    let (there, begun) = (b.at(worker.address()), Instant::now());
    while let Ok(()) = b.join("late", &there).await {
        assert!(begun.elapsed() < CONVERGED, "it is dead");
    }
    cluster.until_members("late", CONVERGED, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_restarted_or_started_elsewhere_is_still_a_member() {
    let mut cluster = Cluster::of(3).await;
    let setup = Setup { groups: vec!["own".to_owned()], ..Setup::default() };
    let n1 = cluster.nodes[1].clone();
    let worker = cluster.worker_on(&n1, "kept", setup).await;
    let name = worker.name().to_string();
    let first = pid_of(&worker);
    // Its own group comes back with its start; this one is kept for it.
    worker.join("kept-by-others").await.expect("joined");

    n1.cast(&name, Crash("once".to_owned())).await.expect("sent");
    let restarted = || n1.whereis(&name).is_some_and(|pid| pid != first);
    until("it runs again", CONVERGED, restarted).await;
    let second = n1.whereis(&name).expect("it runs again");
    assert_eq!(second.boot, first.boot, "on its node");
    for group in ["own", "kept-by-others"] {
        cluster.until_members(group, CONVERGED, &[second]).await;
    }

    drop((n1, worker));
    cluster.drop_node(1);
    let moved = || cluster.nodes[0].whereis(&name).is_some_and(|pid| pid.boot != second.boot);
    until("it runs elsewhere", RECOVERED, moved).await;
    let third = cluster.nodes[0].whereis(&name).expect("it runs elsewhere");
    for group in ["own", "kept-by-others"] {
        cluster.until_members(group, CONVERGED, &[third]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_come_as_they_arrive_and_the_first_are_enough() {
    let cluster = Cluster::of(2).await;
    let workers = members(&cluster, "quick", 3).await;
    let slow = cluster.nodes[0].spawn::<Probe>(Setup::default()).await.expect("spawned");
    slow.join("quick").await.expect("joined");
    let mut pids: Vec<_> = workers.iter().map(|(_, worker)| pid_of(worker)).collect();
    pids.push(pid_of(&slow));
    cluster.until_members("quick", CONVERGED, &pids).await;
    // Whatever it is asked waits behind this.
    slow.cast(Nap(secs(1))).await.expect("sent");

    let node = &cluster.nodes[1];
    let first = node.multi_call("quick", Add(1)).first(4).await;
    assert_eq!(first, [1; 4]);
    let mut replies = node.multi_call_detailed("quick", Add(1)).timeout(secs(4)).stream();
    let mut answered = Vec::new();
    for _ in &workers {
        let (pid, reply) = quickly(CONVERGED, replies.next()).await.expect("one for each");
        assert_eq!(reply, Ok(2));
        answered.push(pid);
    }
    let (last, reply) = replies.next().await.expect("one for each");
    assert_eq!((last, reply.is_ok()), (pid_of(&slow), true), "who is slow holds up nobody");
    assert_eq!(replies.next().await, None);
    answered.sort();
    let mut quick: Vec<_> = workers.iter().map(|(_, worker)| pid_of(worker)).collect();
    quick.sort();
    assert_eq!(answered, quick);
    // Beyond what there is, the deadline ends it.
    let all = node.multi_call("nobody", Add(1)).first(1).timeout(secs(1)).await;
    assert_eq!(all, Vec::<u64>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_member_says_of_itself_is_changed_by_many_at_once_and_nothing_is_lost() {
    let cluster = Cluster::of(3).await;
    let worker = cluster.nodes[0].register::<Probe>("counted", Setup::default()).await.expect("ok");
    cluster.until_all("counted", CONVERGED, Some(pid_of(&worker))).await;
    cluster.nodes[0].join_with("g", &worker, "0").await.expect("joined");
    let add = |meta: &[u8]| {
        let number: u32 = std::str::from_utf8(meta).expect("text").parse().unwrap_or_default();
        (number + 1).to_string().into_bytes()
    };
    let adders = cluster.nodes[..2].iter().map(|node| {
        let node = node.clone();
        tokio::spawn(async move {
            let worker = node.worker::<Probe>("counted");
            for _ in 0..100 {
                node.update_meta("g", &worker, add).await.expect("changed");
            }
        })
    });
    for adder in adders.collect::<Vec<_>>() {
        adder.await.expect("it ran");
    }
    until("all see the sum", CONVERGED, || {
        let sees = |node: &Swarm| node.members_with_meta("g").first().map(|(_, meta)| meta.clone());
        cluster.nodes.iter().all(|node| sees(node).as_deref() == Some(b"200"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_in_a_group_says_nothing_there() {
    let node = Cluster::of(1).await.nodes.remove(0);
    let worker = node.register::<Probe>("outside", Setup::default()).await.expect("ok");
    let outcome = node.update_meta("g", &worker, |_| b"here".to_vec()).await;
    assert_eq!(outcome.expect_err("it is not in it").code(), "not-member");
    assert_eq!(node.groups(), []);
    worker.join("g").await.expect("joined");
    let outcome = node.update_meta("g", &worker, |_| vec![0; 65_537]).await;
    assert_eq!(outcome.expect_err("too long").code(), "invalid-meta");
    let nobody = node.worker::<Probe>("nobody");
    let outcome = node.update_meta("g", &nobody, |_| b"here".to_vec()).await;
    assert_eq!(outcome.expect_err("nobody has the name").code(), "not-found");
    let said = node.update_meta("g", &worker, |_| b"here".to_vec()).await.expect("changed");
    assert_eq!(node.members_with_meta("g"), [(pid_of(&worker), said)]);
}
