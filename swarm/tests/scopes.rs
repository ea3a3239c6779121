//! Scopes: several swarms in one cluster, on the nodes that declare them.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use swarm::{
    Event, GroupChange, NameChange, NodeName, ScopeBuilder, StartError, StaticQuorumRing, Stop,
    Strategy, Swarm, Weight,
};

/// Both kinds.
fn both(scope: ScopeBuilder<'_>) -> ScopeBuilder<'_> {
    scope.worker::<Probe>().worker::<Other>()
}

/// One more node, with these scopes. All nodes see it when this returns.
async fn add(cluster: &mut Cluster, name: &str, scopes: &[&str]) {
    let builder = cluster.builder(name);
    let builder = scopes.iter().fold(builder, |builder, scope| builder.scope(scope, both));
    cluster.nodes.push(builder.start().await.expect("the node starts"));
    cluster.see_each_other().await;
}

async fn of(len: usize, scopes: &[&str]) -> Cluster {
    let mut cluster = Cluster::of(0).await;
    for at in 0..len {
        add(&mut cluster, &format!("n{at}"), scopes).await;
    }
    cluster
}

/// Handles of a node: outside all scopes, and in two.
fn handles(node: &Swarm) -> [Swarm; 3] {
    [node.clone(), node.scope("one"), node.scope("two")]
}

#[tokio::test(flavor = "multi_thread")]
async fn one_name_in_two_scopes_is_two_workers() {
    let cluster = of(3, &["one", "two"]).await;
    let mut pids = Vec::new();
    for (at, handle) in handles(&cluster.nodes[0]).iter().enumerate() {
        let setup = Setup { count: at as u64, ..Setup::default() };
        let worker = handle.register::<Probe>("same", setup).await.expect("registered");
        assert_eq!(worker.name().to_string(), "same");
        assert_eq!(
            code(handle.register::<Probe>("same", Setup::default()).await),
            "already-registered"
        );
        pids.push(worker.pid().expect("it runs"));
    }
    pids.sort();
    pids.dedup();
    assert_eq!(pids.len(), 3);
    for node in &cluster.nodes {
        for (at, handle) in handles(node).iter().enumerate() {
            until("it is found", CONVERGED, || handle.whereis("same").is_some()).await;
            assert_eq!(handle.call("same", Add(10)).await, Ok(at as u64 + 10 * (1 + index(node))));
            assert_eq!(handle.whereis_at_owner("same").await, Ok(handle.whereis("same")));
            assert_eq!(
                (handle.registered().count(), handle.registered().next().is_some()),
                (1, true)
            );
            assert_eq!(handle.registered().prefix("sa").count(), 1);
            assert_eq!(handle.registered().prefix("x").count(), 0);
            let (_, name) = handle.worker::<Probe>("same").call(Where()).await.expect("it runs");
            assert_eq!(name, "same");
        }
    }
    let [none, one, two] = handles(&cluster.nodes[1]);
    let same = one.registered().next().expect("it is there").0;
    assert_eq!((same.scope(), same.as_str()), (Some("one"), Some("same")));
    assert_eq!(two.whereis(&same), one.whereis("same"), "a name stays in its scope");
    let address = one.worker::<Probe>("same").address();
    assert_eq!(none.at(address).pid(), one.whereis("same"));
    one.stop("same", Stop::Kill).await.expect("stopped");
    assert_eq!(one.whereis("same"), None);
    assert!(none.whereis("same").is_some() && two.whereis("same").is_some());
}

/// How many nodes come before a node of [`of`].
fn index(node: &Swarm) -> u64 {
    node.node().name.as_str()[1..].parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_handle_tells_of_is_of_its_scope() {
    let cluster = of(2, &["one", "two"]).await;
    let [none, one, two] = handles(&cluster.nodes[0]);
    let mut names = [none.watch_names(""), one.watch_names(""), two.watch_names("sa")];
    let mut groups = [none.watch_group("g"), one.watch_group("g"), two.watch_group("g")];
    let mut events = [none.events(), one.events(), two.events()];
    for names in &mut names {
        assert_eq!(names.next().await, Some(NameChange::Complete));
    }
    for groups in &mut groups {
        assert_eq!(groups.next().await, Some(GroupChange::Complete));
    }
    let setup = || Setup { groups: vec!["g".to_owned()], ..Setup::default() };
    let mut pids = Vec::new();
    // In this order: so what one heard of another would come before its own.
    for handle in [&two, &one, &none] {
        let worker = handle.register::<Probe>("same", setup()).await.expect("registered");
        pids.insert(0, worker.pid().expect("it runs"));
    }
    for at in 0..3 {
        match quickly(CONVERGED, names[at].next()).await {
            Some(NameChange::Held { name, pid }) => {
                assert_eq!((name.as_str(), pid), (Some("same"), pids[at]));
            }
            other => panic!("{other:?}"),
        }
        let joined = GroupChange::Member { pid: pids[at], meta: Vec::new() };
        assert_eq!(quickly(CONVERGED, groups[at].next()).await, Some(joined));
        let pid = event(&mut events[at], CONVERGED, |event| match event {
            Event::GroupJoined { pid, .. } => Some(*pid),
            _ => None,
        });
        assert_eq!(pid.await, pids[at]);
    }
    for (at, handle) in [&none, &one, &two].into_iter().enumerate() {
        assert_eq!(handle.members("g"), [pids[at]]);
        let listed: Vec<_> = handle.groups();
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert_eq!(handle.publish("g", Add(1)).await, 1);
        assert_eq!(handle.multi_call("g", Add(1)).await, [2]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_run_where_their_scope_and_kind_are_declared() {
    let mut cluster = of(1, &[]).await;
    let outside = cluster.nodes[0].clone();
    let one = outside.scope("one");
    let nobody = one.register::<Probe>("x", Setup::default());
    assert_eq!(code(quickly(secs(3), nobody).await), "no-node-available");
    let builder = cluster.builder("n1").scope("one", |scope| scope.worker::<Probe>());
    let inside = builder.start().await.expect("the node starts");
    cluster.nodes.push(inside.clone());
    cluster.see_each_other().await;
    for at in 0..10 {
        let name = format!("x-{at}");
        let worker = one.register::<Probe>(&name, Setup::default()).await.expect("registered");
        assert_eq!(worker.pid().expect("it runs").boot, inside.node().boot);
        assert_eq!(worker.call(Add(1)).await, Ok(1), "an observer has the whole API");
    }
    let nobody = one.register::<Other>("y", ());
    assert_eq!(code(quickly(secs(3), nobody).await), "no-node-available", "not in this scope");
    assert_eq!(code(one.spawn::<Probe>(Setup::default()).await), "unknown-kind");
    let nameless = inside.scope("one").spawn::<Probe>(Setup::default()).await.expect("spawned");
    nameless.join("theirs").await.expect("joined");
    until("it is seen", CONVERGED, || one.members("theirs").len() == 1).await;
    assert!(outside.members("theirs").is_empty());
    let members = outside.nodes();
    let declared = |at: usize| members[at].scopes.keys().cloned().collect::<Vec<_>>();
    assert_eq!((declared(0), declared(1)), (vec![], vec!["one".to_owned()]));
    assert!(members[1].scopes["one"].contains("probe") && members[1].kinds.contains("other"));
}

#[tokio::test(flavor = "multi_thread")]
async fn they_move_and_are_restarted_as_all_names_are() {
    let mut cluster = of(3, &["one"]).await;
    let one = cluster.nodes[0].scope("one");
    let begin = Begin::Using("other".to_owned());
    let setup = Setup { begin, ..Setup::default() };
    let first = one.register::<Probe>("first", setup).await.expect("registered");
    for node in &cluster.nodes {
        let two = || node.scope("one").registered().count() == 2;
        until("what a worker registers is in its scope", CONVERGED, two).await;
        assert_eq!((node.registered().count(), node.groups().len()), (0, 0));
    }
    first.stop(Stop::Kill).await.expect("stopped");
    for at in 0..30 {
        one.register::<Probe>(format!("x-{at}"), Setup::default()).await.expect("registered");
        one.call(format!("x-{at}"), Add(at)).await.expect("it runs");
    }
    let drained = cluster.nodes[1].clone();
    drained.drain().await.expect("there is room elsewhere");
    assert!(!shares(&one, "").contains_key(&drained.node().boot));
    for at in 0..30 {
        assert_eq!(one.call(format!("x-{at}"), Add(0)).await, Ok(at), "with its state");
    }
    cluster.drop_node(2);
    let all_run = || {
        let shares = shares(&one, "x-");
        shares.len() == 1 && shares.get(&one.node().boot) == Some(&30)
    };
    until("all run on the last node", RECOVERED, all_run).await;
}

/// Puts every name on the last node.
#[derive(Clone, Default)]
struct Last(Vec<NodeName>);

impl Strategy for Last {
    fn add(&mut self, node: NodeName, _: Weight) {
        self.remove(&node);
        self.0.push(node);
        self.0.sort();
    }
    fn remove(&mut self, node: &NodeName) {
        self.0.retain(|known| known != node);
    }
    fn owner(&self, _: &[u8]) -> Option<&NodeName> {
        self.0.last()
    }
    fn owners(&self, _: &[u8], n: usize) -> Vec<&NodeName> {
        self.0.iter().rev().take(n).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_scope_has_its_own_strategy() {
    let mut cluster = Cluster::of(0).await;
    for name in ["n0", "n1"] {
        let builder = cluster.builder(name);
        let builder = builder.scope("last", |scope| both(scope).strategy(Last::default()));
        cluster.nodes.push(builder.start().await.expect("the node starts"));
    }
    cluster.see_each_other().await;
    let node = cluster.nodes[0].clone();
    for at in 0..20 {
        let name = format!("x-{at}");
        for handle in [&node, &node.scope("last")] {
            handle.register::<Probe>(&name, Setup::default()).await.expect("registered");
        }
    }
    assert_eq!(shares(&node, "x-").len(), 2, "by the ring");
    let last = shares(&node.scope("last"), "x-");
    assert_eq!(last.get(&cluster.nodes[1].node().boot), Some(&20), "by its own strategy");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_below_its_quorum_stops_alone() {
    let quorum = || StaticQuorumRing::new(2).expect("positive");
    let mut cluster = Cluster::of(0).await;
    for name in ["n0", "n1", "n2"] {
        let builder = cluster.builder(name);
        // The first node counts for nothing in the scope.
        let builder = match name {
            "n0" => builder,
            _ => builder.scope("singles", |scope| both(scope).strategy(quorum())),
        };
        cluster.nodes.push(builder.start().await.expect("the node starts"));
    }
    cluster.see_each_other().await;
    let node = cluster.nodes[1].clone();
    let singles = node.scope("singles");
    for at in 0..10 {
        let name = format!("x-{at}");
        for handle in [&node, &singles] {
            handle.register::<Probe>(&name, Setup::default()).await.expect("registered");
        }
    }
    let (mut outside, mut inside) = (node.events(), singles.events());
    cluster.drop_node(2);
    let lost = |event: &Event| match event {
        Event::QuorumLost { scope, want: 2, .. } => Some(scope.clone()),
        _ => None,
    };
    let scope = event(&mut inside, DETECTED, lost).await;
    assert_eq!(scope.as_deref(), Some("singles"));
    until("nothing of it runs", DETECTED, || singles.registered().count() == 0).await;
    let refused = singles.register::<Probe>("another", Setup::default());
    assert_eq!(code(quickly(secs(1), refused).await), "no-node-available");
    until("what is outside runs", RECOVERED, || node.registered().count() == 10).await;
    node.register::<Probe>("another", Setup::default()).await.expect("as before");
    let name = event(&mut outside, CONVERGED, |event| match event {
        Event::QuorumLost { .. } => panic!("not outside of it"),
        Event::NameRestarted { name, .. } => Some(name.clone()),
        _ => None,
    });
    assert_eq!(name.await.scope(), None);

    let builder = cluster.builder("n3");
    let builder = builder.scope("singles", |scope| both(scope).strategy(quorum()));
    cluster.nodes.push(builder.start().await.expect("the node starts"));
    let within = RECOVERED + secs(10);
    until("all of it run again", within, || singles.registered().count() == 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_scope_is_an_error() {
    for name in ["", "a\0b", &"x".repeat(65)] {
        let error = Swarm::builder("n0").scope(name, both).start().await.expect_err("refused");
        match error {
            StartError::Config(error) => assert_eq!(error.setting, "scope"),
            other => panic!("{other:?}"),
        }
    }
    let node = Swarm::builder("n0").worker::<Probe>().start().await.expect("the node starts");
    for name in ["", "a\0b", &"x".repeat(65)] {
        let none = node.scope(name);
        assert_eq!(code(none.register::<Probe>("x", Setup::default()).await), "invalid-name");
        assert_eq!(code(none.spawn::<Probe>(Setup::default()).await), "unknown-kind");
        assert_eq!(code(none.call("x", Add(1)).await), "invalid-name");
        assert_eq!(
            (none.whereis("x"), none.members("x").len(), none.registered().count()),
            (None, 0, 0)
        );
    }
    let long = "x".repeat(1000);
    let scope = node.scope("y".repeat(64));
    assert_eq!(code(scope.register::<Probe>(&long, Setup::default()).await), "invalid-name");
}
