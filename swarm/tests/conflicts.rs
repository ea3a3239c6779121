//! Two copies of one name, as after a partition: nodes that each began alone, and then meet.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use std::sync::{Arc, Mutex};
use swarm::{BoxError, Config, Contender, Cx, Event, Handle, Keep, Swarm, Worker};

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

/// Two nodes that each have a copy of these names, and one resolver; then they meet. Returns how
/// often each of them asked it about each name.
async fn resolved_by(
    names: &[&str],
    resolver: impl Fn(&swarm::Name, &Contender, &Contender) -> Keep + Send + Sync + Clone + 'static,
) -> (Cluster, Vec<Vec<String>>) {
    let mut cluster = apart();
    let mut asked = Vec::new();
    for (node, counted) in [("a", 1), ("b", 10)] {
        let (resolver, asks) = (resolver.clone(), Arc::new(Mutex::new(Vec::new())));
        asked.push(Arc::clone(&asks));
        let builder = Cluster { secret: cluster.secret.clone(), nodes: Vec::new() }.builder(node);
        let builder = builder.resolver::<Probe>(move |name, first, second| {
            assert!(first.pid < second.pid && first.pid.boot == first.node.boot);
            asks.lock().expect("nobody panics while it is held").push(name.to_string());
            resolver(name, first, second)
        });
        let node = builder.start().await.expect("the node starts");
        cluster.nodes.push(node.clone());
        for name in names {
            register(&node, name, counted, Go::Resume).await;
        }
    }
    meet(&mut cluster).await;
    for name in names {
        let ended = || count(name, "a", died) + count(name, "b", died) > 0;
        until("one copy ends", secs(20), ended).await;
    }
    let asked = asked.iter().map(|asks| asks.lock().expect("not poisoned").clone());
    let asked = asked.collect();
    (cluster, asked)
}

fn died(life: &Life) -> bool {
    *life == Life::Died
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resolver_keeps_either_copy() {
    let names = ["keep-a-1", "keep-a-2", "keep-b-1", "keep-b-2"];
    let resolver = |name: &swarm::Name, first: &Contender, _: &Contender| {
        let wanted =
            if name.as_str().is_some_and(|name| name.starts_with("keep-a")) { "a" } else { "b" };
        if first.node.name.as_str() == wanted { Keep::First } else { Keep::Second }
    };
    let (cluster, asked) = resolved_by(&names, resolver).await;
    for name in names {
        until_agreed(&cluster, name, CONVERGED).await;
        let (kept, lost) = if name.starts_with("keep-a") { ("a", "b") } else { ("b", "a") };
        for node in &cluster.nodes {
            assert_eq!(node.call(name, Add(0)).await, Ok(11), "with the state of the other one");
        }
        let resolved = |of: &str| count(name, of, |life| matches!(life, Life::Resolved(_)));
        assert_eq!((resolved(kept), resolved(lost)), (1, 0), "{name}");
        until("the other one ends", CONVERGED, || count(name, lost, died) == 1).await;
        for asked in &asked {
            assert!(asked.iter().filter(|of| *of == name).count() <= 1, "{asked:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resolver_that_keeps_neither_frees_the_name() {
    let names: Vec<String> = (0..10).map(|at| format!("neither-{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (cluster, _) = resolved_by(&names, |_, _, _| Keep::Neither).await;
    for name in &names {
        until("both end", CONVERGED, || count(name, "a", died) == 1 && count(name, "b", died) == 1)
            .await;
        cluster.until_all(name, CONVERGED, None).await;
        let resolved = |life: &Life| matches!(life, Life::Resolved(_));
        assert_eq!(count(name, "a", resolved) + count(name, "b", resolved), 0);
        register(&cluster.nodes[0], name, 5, Go::Resume).await;
        until_agreed(&cluster, name, CONVERGED).await;
        assert_eq!(cluster.nodes[2].call(*name, Add(1)).await, Ok(6), "it was free");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resolver_that_panics_decides_nothing() {
    let (cluster, _) = resolved_by(&["bad-luck"], |_, _, _| panic!("bad luck")).await;
    until_agreed(&cluster, "bad-luck", CONVERGED).await;
    assert_eq!(cluster.nodes[2].call("bad-luck", Add(0)).await, Ok(11));
    assert_eq!(count("bad-luck", "a", died), 1, "the copy with the lower token");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resolver_of_a_kind_that_is_not_served_is_an_error() {
    let node = Swarm::builder("a").resolver::<Probe>(|_, _, _| Keep::First).start().await;
    let error = node.expect_err("refused").to_string();
    assert!(error.contains("resolver") && error.contains("probe"), "{error}");
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

fn address(text: &str) -> std::net::SocketAddr {
    text.parse().expect("an address")
}

/// One node's links speak IPv6 only, the other's IPv4, and the third's both: so the first two have
/// no session, ever, while their gossip is whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_ends_around_a_link_that_is_cut() {
    let mut cluster = apart();
    for (name, link, counted) in [("a", "[::1]:0", 1), ("b", "127.0.0.1:0", 10)] {
        let apart = Cluster { secret: cluster.secret.clone(), nodes: Vec::new() };
        let builder = apart.builder(name).bind_link(address(link));
        let node = builder.start().await.expect("the node starts: the loopback has IPv6, too");
        for (name, go) in [("cut-sum", Go::Resume), ("cut-anew", Go::Restart)] {
            register(&node, name, counted, go).await;
        }
        cluster.nodes.push(node);
    }
    let seeds: Vec<_> = cluster.nodes.iter().map(Swarm::local_addr).collect();
    let between = Swarm::builder("between").secret(cluster.secret.clone()).seeds(seeds);
    let between = between.bind_link(address("[::]:0"));
    let between = between.start().await.expect("the node starts");
    cluster.nodes.push(between.clone());
    cluster.see_each_other().await;
    for name in ["cut-sum", "cut-anew"] {
        let ended = || count(name, "a", died) + count(name, "b", died) == 1;
        until("one copy ends", secs(60), ended).await;
        until_agreed(&cluster, name, secs(30)).await;
    }
    let sum = quickly(secs(30), between.call("cut-sum", Add(0))).await;
    assert_eq!(sum, Ok(11), "with the state of the one that has ended: {:?}", lives("cut-sum"));
    let resolved = |name: &str| {
        let resolved = |life: &Life| matches!(life, Life::Resolved(_));
        count(name, "a", resolved) + count(name, "b", resolved)
    };
    assert_eq!((resolved("cut-sum"), resolved("cut-anew")), (1, 0));
    let told = cluster.nodes[0].snapshot().await.expect("the node runs");
    let has_session = |node: &Swarm| told.peers.iter().any(|peer| peer.node == *node.node());
    assert!(has_session(&between) && !has_session(&cluster.nodes[1]), "it was cut all the time");
}
