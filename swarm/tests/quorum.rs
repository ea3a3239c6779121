//! A quorum: below it nothing runs, and nothing is forgotten.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use swarm::{Builder, Event, Pid, StaticQuorumRing, Swarm};

fn under(quorum: usize, builder: Builder) -> Builder {
    builder.strategy(StaticQuorumRing::new(quorum).expect("a positive integer"))
}

/// Nodes `n0`, `n1`, … that want so many of them.
async fn of(len: usize, quorum: usize) -> Cluster {
    let mut cluster = Cluster::of(0).await;
    for at in 0..len {
        add(&mut cluster, &format!("n{at}"), quorum).await;
    }
    cluster
}

async fn add(cluster: &mut Cluster, name: &str, quorum: usize) -> Swarm {
    let node = under(quorum, cluster.builder(name)).start().await.expect("the node starts");
    cluster.nodes.push(node.clone());
    cluster.see_each_other().await;
    node
}

/// After this what waited for the quorum runs again: those that are left agree, and wait until
/// nobody else can run it.
const RESUMED: std::time::Duration = secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn below_the_quorum_there_is_no_node_for_a_name_and_with_it_there_is() {
    let mut cluster = of(2, 3).await;
    for node in &cluster.nodes {
        let refused = node.register::<Probe>("early", Setup::default());
        assert_eq!(code(quickly(secs(1), refused).await), "no-node-available");
        assert_eq!((node.whereis("early"), node.registered().count()), (None, 0));
    }
    // What the ring does not place needs no quorum.
    let free = cluster.nodes[0].spawn::<Probe>(Setup::default()).await.expect("spawned");
    free.join("g").await.expect("joined");
    let pid = free.pid().expect("it lives");
    cluster.nodes[0].register_pid("by-pid", pid).await.expect("registered");

    add(&mut cluster, "n2", 3).await;
    for node in &cluster.nodes {
        let name = format!("late-{}", node.node().name);
        let mut registered = node.register::<Probe>(&name, Setup::default()).await;
        let begun = std::time::Instant::now();
        while registered.is_err() && begun.elapsed() < CONVERGED {
            registered = node.register::<Probe>(&name, Setup::default()).await;
        }
        registered.expect("three are there");
    }
    assert_eq!(cluster.nodes[0].whereis("by-pid"), Some(pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_stops_when_the_quorum_is_lost_and_runs_again_when_it_is_back() {
    let mut cluster = of(3, 3).await;
    let mut pids = Vec::new();
    for at in 0..20 {
        let setup = Setup { groups: vec!["all".to_owned()], ..Setup::default() };
        let name = format!("kept-{at}");
        cluster.nodes[0].register::<Probe>(&name, setup).await.expect("registered");
        pids.push(cluster.nodes[0].whereis(&name).expect("it runs"));
    }
    cluster.nodes[0].update_name_meta("kept-0", |_| b"said".to_vec()).await.expect("changed");
    cluster.until_members("all", CONVERGED, &pids).await;
    let placed = |node: &Swarm| listed(node, "kept-").len();
    let lost = cluster.nodes[2].node().clone();
    let mut events = cluster.nodes[0].events();
    cluster.drop_node(2);
    event(&mut events, DETECTED, |event| match event {
        Event::QuorumLost { want: 3, .. } => Some(()),
        _ => None,
    })
    .await;
    for node in &cluster.nodes {
        until("nothing is left", DETECTED, || placed(node) == 0).await;
        until("nobody is in the group", CONVERGED, || node.members("all").is_empty()).await;
        let refused = node.register::<Probe>("another", Setup::default());
        assert_eq!(code(quickly(secs(1), refused).await), "no-node-available");
        let refused = node.register::<Probe>("kept-0", Setup::default());
        assert_eq!(code(quickly(secs(1), refused).await), "no-node-available", "it waits");
    }

    // Who is stopped meanwhile does not come back.
    let stopped = pids.iter().position(|pid| pid.boot != lost.boot).expect("some ran elsewhere");
    let how = swarm::Stop::Kill;
    cluster.nodes[0].stop(format!("kept-{stopped}"), how).await.expect("it waited");
    add(&mut cluster, "n3", 3).await;
    until("all others run again", RESUMED, || cluster.nodes.iter().all(|node| placed(node) == 19))
        .await;
    let names = listed(&cluster.nodes[0], "kept-");
    assert!(names.iter().all(|(_, pid)| !pids.contains(pid)), "as new processes: {names:?}");
    let members: Vec<Pid> = names.iter().map(|(_, pid)| *pid).collect();
    cluster.until_count("all", CONVERGED, members.len()).await;
    if stopped != 0 {
        let said = cluster.nodes[1].name_meta("kept-0").await;
        assert_eq!(said, Ok(Some(b"said".to_vec())));
    }
    event(&mut events, CONVERGED, |event| {
        matches!(event, Event::QuorumRegained { scope: None }).then_some(())
    })
    .await;
    assert_eq!(cluster.nodes[1].whereis(format!("kept-{stopped}")), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_quorum_the_names_of_a_dead_node_run_elsewhere() {
    let mut cluster = of(3, 2).await;
    for at in 0..20 {
        let name = format!("moved-{at}");
        cluster.nodes[0].register::<Probe>(&name, Setup::default()).await.expect("registered");
    }
    let lost = cluster.drop_node(2);
    let all_run = |node: &Swarm| {
        let names = listed(node, "moved-");
        names.len() == 20 && names.iter().all(|(_, pid)| pid.boot != lost.boot)
    };
    until("all run", RESUMED, || cluster.nodes.iter().all(all_run)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_nodes_than_a_quorum_can_tell_apart_are_warned_of() {
    let mut cluster = of(3, 2).await;
    let mut events: Vec<_> = cluster.nodes.iter().map(Swarm::events).collect();
    add(&mut cluster, "n3", 2).await;
    for events in &mut events {
        event(events, CONVERGED, |event| match event {
            Event::TooManyNodes { scope: None, have: 4, most: 3 } => Some(()),
            _ => None,
        })
        .await;
    }
}
