//! Nodes that no names are placed on, by the lists of nodes: they use the whole API.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::{
    Add, CONVERGED, Cluster, Go, Other, Probe, Setup, code, listed, quickly, secs, shares, until,
    worker_on,
};
use std::collections::BTreeSet;
use std::time::Instant;
use swarm::{Builder, ClusterSecret, ExitReason, LeftOut, NodePattern, Stop, Swarm};

/// Nodes of these names, with these lists.
async fn cluster_of(names: &[&str], lists: impl Fn(Builder) -> Builder) -> Cluster {
    let mut cluster = Cluster { secret: ClusterSecret::generate(), nodes: Vec::new() };
    for name in names {
        add(&mut cluster, name, &lists).await;
    }
    cluster
}

async fn add(cluster: &mut Cluster, name: &str, lists: impl Fn(Builder) -> Builder) -> Swarm {
    let node = lists(cluster.builder(name)).start().await.expect("the node starts");
    cluster.nodes.push(node.clone());
    cluster.see_each_other().await;
    node
}

/// Registers names from all nodes in turn, and waits until all of them list these.
async fn register(cluster: &Cluster, prefix: &str, len: usize) {
    for at in 0..len {
        let by = &cluster.nodes[at % cluster.nodes.len()];
        let worker = by.register::<Probe>(format!("{prefix}{at}"), Setup::default()).await;
        worker.expect("some node takes it");
    }
    let full = |node: &Swarm| listed(node, prefix).len() == len;
    until("all nodes list all names", CONVERGED, || cluster.nodes.iter().all(full)).await;
}

/// The names of the nodes that run the names of a prefix.
fn hosts(cluster: &Cluster, prefix: &str) -> BTreeSet<String> {
    let shares = shares(&cluster.nodes[0], prefix);
    let hosts = cluster.nodes.iter().filter(|node| shares.contains_key(&node.node().boot));
    hosts.map(|node| node.node().to_string()).collect()
}

/// What the first node says of why a node takes no names.
fn left_out(cluster: &Cluster, name: &str) -> Option<LeftOut> {
    let members = cluster.nodes[0].nodes();
    let member = members.iter().find(|member| member.id.name.as_str() == name);
    let member = member.expect("it is a member");
    assert_eq!(member.share > 0.0, member.left_out.is_none(), "{member:?}");
    member.left_out.clone()
}

async fn rings_are_equal(cluster: &Cluster) {
    let mut rings = BTreeSet::new();
    for node in &cluster.nodes {
        rings.insert(node.snapshot().await.expect("it runs").ring);
    }
    assert_eq!(rings.len(), 1, "all nodes agree");
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_nodes_of_the_allow_list_take_names() {
    let lists = |builder: Builder| builder.allow([r"^myapp-[\d]@.*$"]);
    let names = ["myapp-1@host", "other@host", "myapp-2@host"];
    let mut cluster = cluster_of(&names, lists).await;
    register(&cluster, "app-", 60).await;
    assert_eq!(hosts(&cluster, "app-"), set(["myapp-1@host", "myapp-2@host"]));
    assert_eq!(left_out(&cluster, "other@host"), Some(LeftOut::NotAllowed));
    assert_eq!(left_out(&cluster, "myapp-2@host"), None);
    let total: f64 = cluster.nodes[0].nodes().iter().map(|member| member.share).sum();
    assert!((total - 1.0).abs() < 1e-9, "the shares of those that take names: {total}");
    rings_are_equal(&cluster).await;

    // Who joins moves nothing unless it takes names.
    let before = listed(&cluster.nodes[0], "app-");
    add(&mut cluster, "another@host", lists).await;
    register(&cluster, "later-", 40).await;
    assert_eq!(hosts(&cluster, "later-"), set(["myapp-1@host", "myapp-2@host"]));
    assert_eq!(listed(&cluster.nodes[0], "app-"), before);
    let third = add(&mut cluster, "myapp-3@host", lists).await;
    let has_some = || shares(&third, "app-").contains_key(&third.node().boot);
    until("one of the list gets its share", CONVERGED, has_some).await;
    let first = &cluster.nodes[0];
    assert!(!hosts(&cluster, "app-").iter().any(|host| host.contains("other")), "{first:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_node_takes_no_names_unless_the_allow_list_has_it() {
    let entries = || [NodePattern::name("db.1"), "^web".into(), NodePattern::regex("old$")];
    let names = ["a", "db.1", "db-1", "web-1", "very-old"];
    let cluster = cluster_of(&names, |builder| builder.deny(entries())).await;
    register(&cluster, "deny-", 60).await;
    assert_eq!(hosts(&cluster, "deny-"), set(["a", "db-1"]));
    let denied = |pattern: &str| Some(LeftOut::Denied { pattern: pattern.to_owned() });
    assert_eq!(left_out(&cluster, "db.1"), denied("db.1"));
    assert_eq!(left_out(&cluster, "web-1"), denied("^web"));
    assert_eq!(left_out(&cluster, "very-old"), denied("old$"));
    rings_are_equal(&cluster).await;

    let both = |builder: Builder| builder.deny(entries()).allow(["^web", "very-old"]);
    let cluster = cluster_of(&["web-1", "a", "very-old"], both).await;
    register(&cluster, "both-", 40).await;
    assert_eq!(hosts(&cluster, "both-"), set(["very-old", "web-1"]), "allow wins");
    assert_eq!(left_out(&cluster, "a"), Some(LeftOut::NotAllowed));
}

#[tokio::test(flavor = "multi_thread")]
async fn shells_and_upgraders_take_no_names_by_default() {
    let names = ["a", "remsh-7@host", "a_upgrader_1@host", "a_maint_1@host"];
    let cluster = cluster_of(&names, |builder| builder).await;
    register(&cluster, "default-", 40).await;
    assert_eq!(hosts(&cluster, "default-"), set(["a"]));
    for (name, pattern) in names[1..].iter().zip(["^remsh.*$", "^.+_upgrader_.+$", "^.+_maint_.+$"])
    {
        let denied = LeftOut::Denied { pattern: pattern.to_owned() };
        assert_eq!(left_out(&cluster, name), Some(denied));
    }
    rings_are_equal(&cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_does_not_compile_is_named_and_nothing_starts() {
    let check = async |builder: Builder, want: &str| {
        let error = builder.start().await.expect_err("an entry is wrong");
        assert_eq!((error.code(), error.is_retryable()), ("invalid-config", false));
        assert_eq!(error.to_string(), want);
    };
    let new = || Swarm::builder("a").allow(["a"]).deny(["b"]);
    let want = r#"allow is "a(", it must be a regular expression (unclosed group)"#;
    check(new().allow(["a("]), want).await;
    // Also where the allow list makes the deny list count for nothing.
    let want = r#"deny is "[z-a]", it must be a regular expression (invalid character class range, the start must be <= the end)"#;
    check(new().deny(["ok".to_owned(), "[z-a]".to_owned()]), want).await;
    let want = r#"deny is "", it must be the name of a node or a regular expression"#;
    check(new().deny([""]), want).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_left_out_can_do_all_that_others_can() {
    let lists = |builder: Builder| builder.deny(["^observer$"]);
    let mut cluster = cluster_of(&["a", "b"], lists).await;
    register(&cluster, "early-", 10).await;
    let observer = add(&mut cluster, "observer", lists).await;
    let [a, b] = [cluster.nodes[0].clone(), cluster.nodes[1].clone()];
    let denied = LeftOut::Denied { pattern: "^observer$".to_owned() };
    let members = observer.nodes();
    let member = members.iter().find(|member| member.id == *observer.node());
    assert_eq!(member.expect("itself").left_out.as_ref(), Some(&denied));
    assert_eq!(left_out(&cluster, "observer").as_ref(), Some(&denied));

    let work = async {
        let early = listed(&a, "early-");
        until("it knows all", CONVERGED, || listed(&observer, "early-") == early).await;
        for (name, pid) in early {
            assert_eq!(observer.whereis(&name), Some(pid));
            assert_eq!(observer.whereis_at_owner(&name).await, Ok(Some(pid)));
            assert_eq!(observer.call(&name, Add(1)).await, Ok(1));
            observer.join("early", &observer.worker::<Probe>(&name)).await.expect("joined");
        }
        assert_eq!(observer.members("early").len(), 10);
        assert_eq!(observer.publish("early", Add(1)).await, 10);
        assert_eq!(observer.multi_call("early", Add(0)).await, [2; 10]);

        // What it registers runs elsewhere.
        register(&cluster, "late-", 30).await;
        assert_eq!(hosts(&cluster, "late-"), set(["a", "b"]));
        let found = observer.whereis_or_register::<Probe>("late-0", Setup::default()).await;
        let found = found.expect("it is there");
        let down = observer.monitor(found.pid().expect("it runs"));
        // Behind this it is watched: a stop takes another way, and could be there first.
        observer.call("late-0", Add(0)).await.expect("it answers");
        observer.stop("late-0", Stop::Kill).await.expect("stopped");
        assert_eq!(down.await.reason, ExitReason::Killed);
        assert_eq!(observer.whereis("late-0"), None);

        // What it runs itself is found by all.
        let own = observer.spawn::<Probe>(Setup::default()).await.expect("spawned");
        let pid = own.pid().expect("spawned");
        observer.register_pid("own", pid).await.expect("registered");
        b.register_pid("own-too", pid).await.expect("registered from elsewhere");
        for name in ["own", "own-too"] {
            cluster.until_all(name, CONVERGED, Some(pid)).await;
            let worker = a.worker::<Probe>(name);
            assert!(worker.call(Add(1)).await.expect("it answers") > 0);
        }
    };
    quickly(secs(40), work).await;
    rings_are_equal(&cluster).await;

    // However ready it says to be.
    observer.set_ready(false).await;
    observer.set_ready(true).await;
    register(&cluster, "ready-", 30).await;
    assert_eq!(hosts(&cluster, "ready-"), set(["a", "b"]));
    assert_eq!(left_out(&cluster, "observer"), Some(denied));

    // It has nothing to hand over; what others hand over does not go to it.
    let begun = Instant::now();
    observer.drain().await.expect("nothing is to be moved");
    assert!(begun.elapsed() < secs(2), "it took {:?}", begun.elapsed());
    observer.set_ready(true).await;
    let kept = worker_on(&observer, b.node(), "kept", Setup { count: 5, ..Setup::default() }).await;
    b.drain().await.expect("a takes all");
    assert_eq!(hosts(&cluster, "ready-"), set(["a"]));
    assert_eq!(observer.call(kept.name().to_string(), Add(1)).await, Ok(6));
    quickly(secs(10), observer.leave()).await.expect("it leaves");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_node_takes_names_a_registration_is_answered_at_once() {
    // The list of another application.
    let cluster = cluster_of(&["a", "b"], |builder| builder.allow(["^myapp-"])).await;
    for node in &cluster.nodes {
        let begun = Instant::now();
        let setup = Setup { go: Go::Restart, ..Setup::default() };
        assert_eq!(code(node.register::<Probe>("x", setup).await), "no-node-available");
        assert_eq!(code(node.register::<Other>("x", ()).await), "no-node-available");
        assert!(begun.elapsed() < secs(2), "it took {:?}", begun.elapsed());
        assert_eq!(node.whereis("x"), None);
        let own = node.spawn::<Probe>(Setup::default()).await.expect("spawned");
        let pid = own.pid().expect("spawned");
        let name = format!("of-{node:?}");
        node.register_pid(&name, pid).await.expect("a name by pid needs no placement");
        cluster.until_all(&name, CONVERGED, Some(pid)).await;
        quickly(secs(5), node.drain()).await.expect("nothing is to be moved");
    }
}
