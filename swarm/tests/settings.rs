//! A node that differs in a setting that all must share is kept out, and told in which. The others
//! go on as if it were not there.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::{
    Add, CONVERGED, Cluster, DETECTED, Probe, Setup, code, event, listed, ms, quickly, secs, until,
};
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use swarm::{
    Builder, ClusterSecret, Config, Event, LeftOut, NodeName, Rendezvous, Ring, StartError,
    StaticQuorumRing, Strategy, Swarm, Weight,
};

/// A cluster that is set up like this, and a node that is set up like that: it must be kept out, for
/// the setting and what it is set to on either.
async fn check(
    like_this: impl Fn(Builder) -> Builder,
    like_that: impl Fn(Builder) -> Builder,
    want: (&str, &str, &str),
) {
    let mut cluster = Cluster { secret: ClusterSecret::generate(), nodes: Vec::new() };
    for name in ["m", "n"] {
        let node = like_this(cluster.builder(name)).start().await.expect("the node starts");
        cluster.nodes.push(node);
    }
    cluster.see_each_other().await;
    for at in 0..10 {
        let by = &cluster.nodes[at % 2];
        let register = by.register::<Probe>(format!("x-{at}"), Setup::default());
        register.timeout(secs(30)).await.expect("registered");
    }
    let complete = |node: &Swarm| listed(node, "x-").len() == 10;
    until("all list all names", CONVERGED, || cluster.nodes.iter().all(complete)).await;
    let [first, second] = [cluster.nodes[0].clone(), cluster.nodes[1].clone()];
    let (before, ring) = (listed(&first, "x-"), ring(&first).await);
    let is_over = Arc::new(AtomicBool::new(false));
    let calls = tokio::spawn(calls(second.clone(), Arc::clone(&is_over)));

    // One that dials, and one that is dialled.
    for name in ["a", "z"] {
        let (mut of_first, mut of_second) = (first.events(), second.events());
        let other = like_that(cluster.builder(name)).start();
        let error = quickly(secs(30), other).await.expect_err("it is kept out");
        let (setting, here, there) = want;
        match &error {
            StartError::SettingsDiffer { setting: of, here: on_it, there: on_them, .. } => {
                assert_eq!((&**of, &**on_it, &**on_them), want);
            }
            other => panic!("{other}"),
        }
        let text = error.to_string();
        let sentence = |peer| {
            format!("{setting} is {here}, but {there} on {peer}: all nodes must have the same")
        };
        assert!(["m", "n"].map(sentence).contains(&text), "{text}");
        assert_eq!((error.code(), error.is_retryable()), ("settings-differ", false));
        // Whoever of the others it has met first is told the same.
        let told = |event: &Event| match event {
            Event::LinkRefused { peer, reason, .. } if peer.as_str() == name => {
                reason.contains(setting).then(|| reason.clone())
            }
            Event::NodeUp { node } | Event::NodeDown { node } => panic!("{node} is none of ours"),
            _ => None,
        };
        let reason = tokio::select! {
            reason = event(&mut of_first, secs(30), told) => reason,
            reason = event(&mut of_second, secs(30), told) => reason,
        };
        let want = format!(
            "{setting} is {there} on this node and {here} on the other, all nodes must share it"
        );
        assert_eq!(reason, want);
        assert_eq!(listed(&first, "x-"), before, "nothing has moved");
        assert_eq!(self::ring(&first).await, ring);
        let new = format!("meanwhile-{name}");
        first.register::<Probe>(&new, Setup::default()).await.expect("the others go on");
    }
    is_over.store(true, Ordering::Relaxed);
    assert!(calls.await.expect("no call fails") > 0);
    // One that is set up as they are finds them as ever.
    let third = like_this(cluster.builder("b")).start().await.expect("the node starts");
    let sees = |node: &Swarm| node.nodes().iter().filter(|m| m.left_out.is_none()).count() == 3;
    let nodes = [&first, &second, &third];
    until("three nodes", secs(30), || nodes.iter().all(|node| sees(node))).await;
}

async fn ring(node: &Swarm) -> u64 {
    node.snapshot().await.expect("it runs").ring
}

/// Calls all names without a pause until it is over. Returns how often.
async fn calls(node: Swarm, is_over: Arc<AtomicBool>) -> u64 {
    let mut count = 0;
    while !is_over.load(Ordering::Relaxed) {
        for at in 0..10 {
            let call = node.call(format!("x-{at}"), Add(1)).timeout(secs(30));
            call.await.expect("it answers");
            count += 1;
        }
        tokio::time::sleep(ms(5)).await;
    }
    count
}

fn quorum(builder: Builder, quorum: usize) -> Builder {
    builder.strategy(StaticQuorumRing::new(quorum).expect("positive"))
}

/// Under a quorum of two, with one of its times set.
fn timed(set: fn(&mut swarm_handoff::Config)) -> impl Fn(Builder) -> Builder {
    move |builder| {
        let mut config = Config::default();
        set(&mut config.handoff);
        quorum(builder, 2).config(config)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_strategy() {
    let want = ("strategy", "rendezvous", "ring");
    check(|builder| builder, |builder| builder.strategy(Rendezvous::new()), want).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_quorum() {
    let want = ("strategy", "ring with a quorum of 3", "ring with a quorum of 2");
    check(|builder| quorum(builder, 2), |builder| quorum(builder, 3), want).await;
}

/// A user's strategy, which says what it was made with.
#[derive(Clone)]
struct Sized(Ring, u32);

impl Strategy for Sized {
    fn add(&mut self, node: NodeName, weight: Weight) {
        self.0.add(node, weight);
    }
    fn remove(&mut self, node: &NodeName) {
        self.0.remove(node);
    }
    fn owner(&self, name: &[u8]) -> Option<&NodeName> {
        self.0.owner(name)
    }
    fn owners(&self, name: &[u8], n: usize) -> Vec<&NodeName> {
        self.0.owners(name, n)
    }
    fn describe(&self) -> String {
        format!("sized {}", self.1)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_strategy_of_a_user() {
    let sized = |size| move |builder: Builder| builder.strategy(Sized(Ring::new(), size));
    check(sized(1), sized(2), ("strategy", "sized 2", "sized 1")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_allow_list() {
    let allow = |nodes: [&'static str; 2]| move |builder: Builder| builder.allow(nodes);
    let want = ("allow", "\".\", \"a\"", "\".\", \"b\"");
    check(allow(["b", "."]), allow(["a", "."]), want).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_deny_list() {
    let built_in = r#"regex "^.+_maint_.+$", regex "^.+_upgrader_.+$", regex "^remsh.*$""#;
    let there = format!("\"db\", {built_in}");
    let want = ("deny", built_in, &*there);
    check(|builder| builder.deny(["db"]), |builder| builder, want).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_lease() {
    let other = timed(|config| config.quorum_lease = ms(1400));
    check(timed(|_| ()), other, ("config.handoff.quorum_lease", "1.4s", "1.5s")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_interval_of_asking() {
    let other = timed(|config| config.quorum_ask = ms(200));
    check(timed(|_| ()), other, ("config.handoff.quorum_ask", "200ms", "250ms")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_grace() {
    let other = timed(|config| config.quorum_grace = ms(400));
    check(timed(|_| ()), other, ("config.handoff.quorum_grace", "400ms", "500ms")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_margin() {
    let other = timed(|config| config.quorum_margin = secs(4));
    check(timed(|_| ()), other, ("config.handoff.quorum_margin", "4s", "3s")).await;
}

/// Whoever does not declare a scope need not know how its names are placed.
#[tokio::test(flavor = "multi_thread")]
async fn another_strategy_of_a_scope() {
    let plain = |builder: Builder| builder.scope("games", |games| games.worker::<Probe>());
    let other = |builder: Builder| {
        builder.scope("games", |games| games.worker::<Probe>().strategy(Rendezvous::new()))
    };
    check(plain, other, ("scope games: strategy", "rendezvous", "ring")).await;
    let mut cluster = Cluster { secret: ClusterSecret::generate(), nodes: Vec::new() };
    for name in ["m", "n", "o"] {
        let builder = cluster.builder(name);
        let builder = if name == "n" { builder } else { other(builder) };
        cluster.nodes.push(builder.start().await.expect("the node starts"));
    }
    cluster.see_each_other().await;
    assert!(cluster.nodes[1].nodes().iter().all(|member| member.left_out.is_none()));
    for node in &cluster.nodes {
        let name = format!("of-{node:?}");
        let games = node.scope("games");
        let register = games.register::<Probe>(&name, Setup::default()).timeout(secs(30));
        register.await.expect("two declare it");
    }
}

/// Two that had not found each other when they started are both right: neither stops, and each keeps
/// the other out.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_meet_later_stay_apart() {
    let secret = ClusterSecret::generate();
    let free = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let later = free.local_addr().expect("bound");
    drop(free);
    let builder = |name: &str| Swarm::builder(name).secret(secret.clone()).worker::<Probe>();
    let first = builder("a").seeds([later]).start().await.expect("it runs alone");
    first.register::<Probe>("of-a", Setup::default()).timeout(secs(30)).await.expect("alone");
    let mut events = first.events();
    let second = builder("b").bind(later).strategy(Rendezvous::new()).start().await;
    let second = second.expect("it runs alone");
    let refused = event(&mut events, secs(60), |event| match event {
        Event::LinkRefused { reason, .. } => reason.contains("strategy").then_some(()),
        Event::NodeUp { node } => panic!("{node} is none of ours"),
        _ => None,
    });
    refused.await;
    for (node, other) in [(&first, &second), (&second, &first)] {
        let out = || {
            let members = node.nodes();
            let member = members.iter().find(|member| member.id == *other.node()).cloned();
            member.is_some_and(|member| member.left_out == Some(LeftOut::Settings))
        };
        until("each keeps the other out", secs(30), out).await;
        let own = format!("own-{node:?}");
        let register = node.register::<Probe>(&own, Setup::default()).timeout(secs(30));
        let worker = register.await.expect("each goes on");
        assert_eq!(worker.pid().map(|pid| pid.boot), Some(node.node().boot));
        let told = node.explain(&own).await.expect("it runs");
        assert!(told.placed[0].left_out.contains(&(other.node().clone(), LeftOut::Settings)));
        assert_eq!(other.whereis(&own), None);
        assert_eq!(
            code(other.call(&own, Add(1)).timeout(Duration::from_secs(1)).await),
            "not-found"
        );
    }
    // Its death is no news.
    let mut events = first.events();
    let gone = second.node().clone();
    second.shutdown().await.expect("stopped");
    let is_gone = || first.nodes().iter().all(|member| member.id != gone);
    until("it is no member any more", DETECTED + secs(30), is_gone).await;
    first.register::<Probe>("last", Setup::default()).await.expect("registered");
    let last = event(&mut events, secs(30), |event| match event {
        Event::NodeDown { .. } | Event::NodeLeft { .. } => panic!("it was none of ours: {event:?}"),
        Event::NameRegistered { name, .. } => (name.as_str() == Some("last")).then_some(()),
        _ => None,
    });
    last.await;
}
