//! Two copies of one name, as after a partition: nodes that each began alone, and then meet.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use swarm::{BoxError, Config, Cx, Event, Handle, Swarm, Worker};

/// Nodes that know nothing of each other, but have one secret.
fn apart() -> Cluster {
    Cluster { secret: swarm::ClusterSecret::generate(), nodes: Vec::new() }
}

/// A node that has never heard of the others.
async fn alone(cluster: &mut Cluster, name: &str, config: Config) -> Swarm {
    let apart = Cluster { secret: cluster.secret.clone(), nodes: Vec::new() };
    let node = apart.builder(name).config(config).start().await.expect("the node starts");
    cluster.nodes.push(node.clone());
    node
}

/// A node that knows all others, and serves no kind: they meet through it.
async fn meet(cluster: &mut Cluster) {
    let seeds: Vec<_> = cluster.nodes.iter().map(Swarm::local_addr).collect();
    let bridge = Swarm::builder("bridge").secret(cluster.secret.clone()).seeds(seeds);
    cluster.nodes.push(bridge.start().await.expect("the node starts"));
    cluster.see_each_other().await;
}

/// The process that has `name` on all nodes, once they agree on it.
async fn until_agreed(cluster: &Cluster, name: &str, within: std::time::Duration) {
    let agree = || {
        let pid = cluster.nodes[0].whereis(name);
        pid.is_some() && cluster.nodes.iter().all(|node| node.whereis(name) == pid)
    };
    until("all nodes agree", within, agree).await;
}

async fn register(node: &Swarm, name: &str, count: u64, go: Go) {
    let setup = Setup { count, go, ..Setup::default() };
    node.register::<Probe>(name, setup).await.expect("registered");
}

/// Waits until the copy on `node` has ended for another one.
async fn until_lost(events: &mut swarm::Events, name: &str) {
    event(events, secs(20), |event| match event {
        Event::ConflictResolved { name: of, .. } if of.as_str() == Some(name) => Some(()),
        _ => None,
    })
    .await;
}

fn count(name: &str, of: &str, wanted: impl Fn(&Life) -> bool) -> usize {
    lives(name).iter().filter(|(node, life)| node == of && wanted(life)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_winner_takes_in_the_state_of_each_loser_once() {
    let mut cluster = apart();
    for (node, counted) in [("a", 1), ("b", 10), ("c", 100)] {
        let node = alone(&mut cluster, node, Config::default()).await;
        register(&node, "dup-sum", counted, Go::Resume).await;
    }
    let mut lost = [cluster.nodes[0].events(), cluster.nodes[1].events()];
    // The copy of the node that began last wins; the others ask again before it answers.
    let busy = cluster.nodes[2].clone();
    let nap =
        tokio::spawn(async move { busy.call("dup-sum", Nap(secs(5))).timeout(secs(9)).await });
    meet(&mut cluster).await;
    for events in &mut lost {
        until_lost(events, "dup-sum").await;
    }
    assert_eq!(nap.await.expect("no panic"), Ok(100), "nothing happens within a handler");
    until_agreed(&cluster, "dup-sum", CONVERGED).await;
    for node in &cluster.nodes {
        assert_eq!(node.call("dup-sum", Add(0)).await, Ok(111));
    }
    let lived = lives("dup-sum");
    // Where two of them meet first, one hands the other's state on with its own.
    let n_taken = lived.iter().filter(|(_, life)| matches!(life, Life::Resolved(_))).count();
    assert_eq!(n_taken, 2, "once for each that ends: {lived:?}");
    for node in ["a", "b"] {
        until("it cleans up", CONVERGED, || count("dup-sum", node, |l| *l == Life::Died) == 1)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_winner_that_is_about_to_move_keeps_the_state_of_the_loser() {
    let mut cluster = apart();
    let a = alone(&mut cluster, "a", Config::default()).await;
    register(&a, "dup-move", 1, Go::Resume).await;
    let b = alone(&mut cluster, "b", Config::default()).await;
    register(&b, "dup-move", 10, Go::Resume).await;
    let mut events = b.events();
    let busy = b.clone();
    let nap =
        tokio::spawn(async move { busy.call("dup-move", Nap(secs(4))).timeout(secs(9)).await });
    // It is asked to move, and cannot answer yet.
    let d = Swarm::builder("d").secret(cluster.secret.clone()).seeds([b.local_addr()]);
    cluster.nodes.push(d.worker::<Probe>().start().await.expect("the node starts"));
    b.set_ready(false).await;
    let begun = |event: &Event| matches!(event, Event::MoveBegun { .. }).then_some(());
    event(&mut events, secs(9), begun).await;
    let mut lost = a.events();
    meet(&mut cluster).await;
    until_lost(&mut lost, "dup-move").await;
    assert_eq!(nap.await.expect("no panic"), Ok(10));
    until_agreed(&cluster, "dup-move", CONVERGED).await;
    for node in &cluster.nodes {
        assert_eq!(node.call("dup-move", Add(0)).await, Ok(11), "{:?}", lives("dup-move"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loser_that_hangs_ends_without_its_state() {
    let mut cluster = apart();
    let mut config = Config::default();
    config.handoff.freeze_timeout = ms(500);
    let a = alone(&mut cluster, "a", config).await;
    register(&a, "dup-hangs", 1, Go::Resume).await;
    let b = alone(&mut cluster, "b", Config::default()).await;
    register(&b, "dup-hangs", 10, Go::Resume).await;
    let hangs = a.clone();
    let nap = tokio::spawn(async move { hangs.call("dup-hangs", Nap(secs(600))).await });
    let mut lost = a.events();
    meet(&mut cluster).await;
    until_lost(&mut lost, "dup-hangs").await;
    nap.await.expect("no panic").expect_err("it never answers");
    until_agreed(&cluster, "dup-hangs", CONVERGED).await;
    assert_eq!(a.call("dup-hangs", Add(0)).await, Ok(10));
    assert_eq!(count("dup-hangs", "a", |life| *life == Life::Asked), 0, "it never came to that");
    assert_eq!(count("dup-hangs", "b", |life| matches!(life, Life::Resolved(_))), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loser_that_hands_nothing_over_stops() {
    let mut cluster = apart();
    let ways = [("dup-anew", Go::Restart), ("dup-stays", Go::Ignore), ("dup-panics", Go::Panic)];
    for (node, counted) in [("a", 1), ("b", 10)] {
        let node = alone(&mut cluster, node, Config::default()).await;
        for (name, go) in &ways {
            register(&node, name, counted, go.clone()).await;
        }
    }
    meet(&mut cluster).await;
    for (name, _) in &ways {
        until("the loser stops", secs(20), || count(name, "a", |l| *l == Life::Died) == 1).await;
        until_agreed(&cluster, name, CONVERGED).await;
        assert_eq!(count(name, "b", |life| matches!(life, Life::Resolved(_))), 0, "{name}");
    }
}

/// A worker of the same kind, of a release whose state is another one.
struct Changed;

impl Worker for Changed {
    const KIND: &'static str = Probe::KIND;
    type Args = Setup;
    type State = String;
    type Accepts = (Quit,);

    async fn start(_: Setup, _: &mut Cx<Self>) -> Result<Self, BoxError> {
        Ok(Self)
    }
}

impl Handle<Quit> for Changed {
    async fn handle(&mut self, _: Quit, cx: &mut Cx<Self>) {
        cx.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_cannot_be_taken_in_is_told() {
    let mut cluster = apart();
    let a = alone(&mut cluster, "a", Config::default()).await;
    register(&a, "dup-odd", 1, Go::Resume).await;
    let b = Swarm::builder("b").secret(cluster.secret.clone()).worker::<Changed>();
    let b = b.start().await.expect("the node starts");
    cluster.nodes.push(b.clone());
    b.register::<Changed>("dup-odd", Setup::default()).await.expect("registered");
    let (mut lost, mut told) = (a.events(), b.events());
    meet(&mut cluster).await;
    until_lost(&mut lost, "dup-odd").await;
    let reason = event(&mut told, secs(9), |event| match event {
        Event::ConflictStateLost { name, reason } if name.as_str() == Some("dup-odd") => {
            Some(reason.clone())
        }
        _ => None,
    });
    assert!(reason.await.contains("does not decode"));
}
