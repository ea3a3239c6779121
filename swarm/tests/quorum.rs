//! A quorum: below it nothing runs, and nothing is forgotten.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use swarm::{Builder, Event, LeftOut, NodeId, Pid, StartError, StaticQuorumRing, Swarm};

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

/// Whether the member `of` has a seat, as `node` sees it.
fn left_out(node: &Swarm, of: &str) -> Option<LeftOut> {
    let members = node.nodes();
    let member = members.iter().find(|member| member.id.name.as_str() == of);
    member.expect("it is a member").left_out.clone()
}

async fn until_left_out(cluster: &Cluster, of: &str, want: Option<LeftOut>) {
    let what = format!("{of} is left out as {want:?} on all nodes");
    until(&what, RESUMED, || cluster.nodes.iter().all(|node| left_out(node, of) == want)).await;
}

/// Registers names through every node, and returns how many of them run on `on`.
async fn share_of(cluster: &Cluster, prefix: &str, on: &NodeId) -> usize {
    for (at, node) in cluster.nodes.iter().enumerate() {
        for nth in 0..15 {
            let name = format!("{prefix}-{at}-{nth}");
            let registered = node.register::<Probe>(&name, Setup::default()).timeout(RESUMED);
            registered.await.expect("there is a quorum");
        }
    }
    shares(&cluster.nodes[0], prefix).get(&on.boot).copied().unwrap_or_default()
}

/// Four nodes under a quorum of two, of which the last has no seat.
async fn with_one_too_many() -> Cluster {
    let mut cluster = of(3, 2).await;
    for name in ["n0", "n1", "n2"] {
        until_left_out(&cluster, name, None).await;
    }
    add(&mut cluster, "n3", 2).await;
    until_left_out(&cluster, "n3", Some(LeftOut::TooMany)).await;
    cluster
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_beyond_those_that_a_quorum_can_tell_apart_hosts_nothing() {
    let mut cluster = of(3, 2).await;
    for name in ["n0", "n1", "n2"] {
        until_left_out(&cluster, name, None).await;
    }
    let mut events: Vec<_> = cluster.nodes.iter().map(Swarm::events).collect();
    let fourth = under(2, cluster.builder("n3")).start().await.expect("the cluster goes on");
    events.push(fourth.events());
    cluster.nodes.push(fourth.clone());
    cluster.see_each_other().await;
    for (at, events) in events.iter_mut().enumerate() {
        // Its own may have been told before anybody listened.
        if at == 3 && left_out(&fourth, "n3") == Some(LeftOut::TooMany) {
            continue;
        }
        event(events, RESUMED, |event| match event {
            Event::TooManyNodes { scope: None, have: 4, most: 3 } => Some(()),
            _ => None,
        })
        .await;
    }
    until_left_out(&cluster, "n3", Some(LeftOut::TooMany)).await;
    assert_eq!(share_of(&cluster, "three-go-on", fourth.node()).await, 0);
    assert_eq!(shares(&fourth, "three-go-on").len(), 3, "each of the others has some");
    for node in &cluster.nodes {
        let told = node.explain("three-go-on-0-0").await.expect("it is told");
        let want = (fourth.node().clone(), LeftOut::TooMany);
        assert!(told.placed[0].left_out.contains(&want), "{told}");
        assert!(told.to_string().contains("n3 (it has no seat under the quorum)"), "{told}");
        assert!(told.quorum.is_some_and(|quorum| quorum.is_held && quorum.have == 3), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_says_goodbye_leaves_its_seat_to_the_one_that_waits() {
    let mut cluster = with_one_too_many().await;
    let fourth = cluster.nodes[3].node().clone();
    let gone = cluster.nodes.remove(1);
    gone.leave().await.expect("it leaves");
    until_left_out(&cluster, "n3", None).await;
    assert_ne!(share_of(&cluster, "taken-over", &fourth).await, 0);
    // It comes too late now.
    add(&mut cluster, "n1", 2).await;
    until_left_out(&cluster, "n1", Some(LeftOut::TooMany)).await;
    let late = cluster.nodes[3].node().clone();
    assert_eq!(share_of(&cluster, "too-late", &late).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_killed_keeps_its_seat_until_one_of_its_name_takes_it() {
    let mut cluster = with_one_too_many().await;
    let fourth = cluster.nodes[3].clone();
    share_of(&cluster, "before", fourth.node()).await;
    let killed = cluster.drop_node(2);
    let all_run = |node: &Swarm| {
        let names = listed(node, "before-");
        names.len() == 60 && names.iter().all(|(_, pid)| pid.boot != killed.boot)
    };
    until("the other two run its names", RESUMED, || cluster.nodes.iter().all(all_run)).await;
    assert_eq!(left_out(&fourth, "n3"), Some(LeftOut::TooMany));
    assert_eq!(share_of(&cluster, "two-go-on", fourth.node()).await, 0);
    // Nor has one that has never seen it.
    add(&mut cluster, "n4", 2).await;
    until_left_out(&cluster, "n4", Some(LeftOut::TooMany)).await;
    let newcomer = cluster.nodes[3].node().clone();
    assert_eq!(share_of(&cluster, "still-two", &newcomer).await, 0);
    // But one of its name.
    let again = add(&mut cluster, "n2", 2).await;
    until_left_out(&cluster, "n2", None).await;
    assert_ne!(share_of(&cluster, "again-three", again.node()).await, 0);
    for (name, node) in [("n3", fourth.node()), ("n4", &newcomer)] {
        assert_eq!(left_out(&again, name), Some(LeftOut::TooMany));
        assert_eq!(shares(&again, "").get(&node.boot), None, "{name} hosts nothing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_restarted_before_it_is_missed_has_its_seat() {
    let mut cluster = with_one_too_many().await;
    cluster.drop_node(1);
    // Its last boot may answer for a moment after its last handle has gone.
    let begun = std::time::Instant::now();
    let again = loop {
        match under(2, cluster.builder("n1")).start().await {
            Ok(node) => break node,
            Err(StartError::NameTaken { .. }) if begun.elapsed() < secs(30) => (),
            Err(error) => panic!("{error}"),
        }
    };
    cluster.nodes.push(again.clone());
    cluster.see_each_other().await;
    until_left_out(&cluster, "n1", None).await;
    until_left_out(&cluster, "n3", Some(LeftOut::TooMany)).await;
    assert_ne!(share_of(&cluster, "restarted", again.node()).await, 0);
}
