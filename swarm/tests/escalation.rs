//! Workers that crash too often where they are, and are tried elsewhere.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use std::time::Duration;
use swarm::{
    BoxError, Cx, Escalation, Event, Events, Handle, Intensity, Name, Restart, Swarm, Worker,
};

/// Ends when it is told to, and is moved when it has twice.
struct Fragile;

impl Worker for Fragile {
    const KIND: &'static str = "fragile";
    const RESTART: Restart = Restart::Permanent;
    const INTENSITY: Intensity = Intensity { restarts: 1, within: Duration::from_secs(60) };
    const ESCALATION: Escalation = Escalation::Move;
    type Args = ();
    type State = ();
    type Accepts = (Crash, Where);

    async fn start((): (), cx: &mut Cx<Self>) -> Result<Self, BoxError> {
        cx.join("started");
        Ok(Self)
    }
}

impl Handle<Crash> for Fragile {
    async fn handle(&mut self, Crash(text): Crash, _: &mut Cx<Self>) {
        panic!("{text}");
    }
}

impl Handle<Where> for Fragile {
    async fn handle(&mut self, _: Where, cx: &mut Cx<Self>) -> (String, String) {
        (cx.node().to_string(), cx.token().epoch.to_string())
    }
}

async fn of(len: usize) -> Cluster {
    let mut cluster = Cluster::of(0).await;
    for at in 0..len {
        let builder = cluster.builder(&format!("n{at}")).worker::<Fragile>();
        cluster.nodes.push(builder.start().await.expect("the node starts"));
    }
    cluster.see_each_other().await;
    cluster
}

/// Crashes the worker where it runs now, as often as it takes.
async fn crash_twice(node: &Swarm, name: &str, on: &str) {
    for n in 0..2 {
        let before = node.whereis(name);
        let crashed = node.call(name, Crash(format!("crash {n} on {on}"))).await;
        assert_eq!(code(crashed), "stopped");
        let moved_on = || node.whereis(name) != before;
        until("it has ended", CONVERGED, moved_on).await;
        if n == 0 {
            until("it is back", CONVERGED, || node.whereis(name).is_some()).await;
        }
    }
}

/// Who is asked to run the name next, and why.
async fn escalated(events: &mut Events, name: &str) -> (String, String) {
    event(events, secs(20), |event| match event {
        Event::NameEscalated { name: of, reason, to } if of.as_str() == Some(name) => {
            Some((to.to_string(), reason.clone()))
        }
        Event::NameLost { name, .. } => panic!("{name} is lost"),
        _ => None,
    })
    .await
}

async fn lost(events: &mut Events, name: &str) -> String {
    event(events, secs(20), |event| match event {
        Event::NameLost { name: of, reason } if of.as_str() == Some(name) => Some(reason.clone()),
        _ => None,
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_crashes_too_often_is_tried_on_each_node_and_then_given_up() {
    let cluster = of(3).await;
    let node = cluster.nodes[0].clone();
    let worker = node.register::<Fragile>("glass", ()).await.expect("registered");
    worker.join("kept").await.expect("joined");
    node.update_name_meta("glass", |_| b"careful".to_vec()).await.expect("said");
    let mut events: Vec<_> = cluster.nodes.iter().map(Swarm::events).collect();
    let mut seen: Vec<String> = Vec::new();
    let mut last = 0;
    for round in 0..3 {
        let (on, token) = node.call("glass", Where()).await.expect("it runs");
        assert!(!seen.contains(&on), "{on} again, after {seen:?}");
        let token: u64 = token.parse().expect("a number");
        assert!(token > last, "{token} after {last}");
        last = token;
        let host = cluster.nodes.iter().position(|n| n.node().to_string() == on);
        let host = host.expect("one of the nodes");
        crash_twice(&node, "glass", &on).await;
        seen.push(on.clone());
        if round == 2 {
            assert_eq!(
                lost(&mut events[host], "glass").await,
                format!("panicked: crash 1 on {on}")
            );
            break;
        }
        let (to, reason) = escalated(&mut events[host], "glass").await;
        assert_eq!(reason, format!("panicked: crash 1 on {on}"));
        let target = cluster.nodes.iter().find(|n| n.node().to_string() == to).expect("a node");
        let boot = target.node().boot;
        let runs_there =
            || cluster.nodes.iter().all(|n| n.whereis("glass").is_some_and(|p| p.boot == boot));
        until("it runs there", CONVERGED, runs_there).await;
        let pid = node.whereis("glass").expect("it runs");
        cluster.until_members("kept", CONVERGED, &[pid]).await;
        assert_eq!(target.name_meta("glass").await, Ok(Some(b"careful".to_vec())));
    }
    cluster.until_all("glass", CONVERGED, None).await;
    cluster.until_members("kept", CONVERGED, &[]).await;
    node.register::<Fragile>("glass", ()).await.expect("the name is free");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stays_where_it_was_taken_over_also_when_the_ring_changes() {
    let mut cluster = of(2).await;
    let node = cluster.nodes[0].clone();
    node.register::<Fragile>("vase", ()).await.expect("registered");
    let (on, _) = node.call("vase", Where()).await.expect("it runs");
    crash_twice(&node, "vase", &on).await;
    until("it runs again", CONVERGED, || node.whereis("vase").is_some()).await;
    let (now_on, _) = node.call("vase", Where()).await.expect("it runs");
    assert_ne!(now_on, on);
    let pid = node.whereis("vase");
    // Names move when a node comes, and not this one.
    for at in 0..40 {
        node.register::<Probe>(format!("other-{at}"), Setup::default()).await.expect("registered");
    }
    let new = cluster.add("n2").await;
    let moved = || shares(&node, "other-").contains_key(&new.node().boot);
    until("others have moved", secs(20), moved).await;
    assert_eq!(node.whereis("vase"), pid);
    let name = Name::new("vase").expect("a name");
    node.stop(&name, swarm::Stop::Kill).await.expect("stopped");
    cluster.until_all("vase", CONVERGED, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_else_serves_the_kind_the_name_is_free() {
    let mut cluster = of(1).await;
    cluster.add("n1").await;
    let node = cluster.nodes[0].clone();
    node.register::<Fragile>("cup", ()).await.expect("registered");
    let mut events = node.events();
    crash_twice(&node, "cup", "n0").await;
    assert_eq!(lost(&mut events, "cup").await, "panicked: crash 1 on n0");
    cluster.until_all("cup", CONVERGED, None).await;
}
