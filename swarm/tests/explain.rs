//! What a node says of why a name runs where it runs.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::{Begin, CONVERGED, Cluster, Crash, Other, Probe, Setup, code, ms, secs, until};
use std::time::{Duration, Instant};
use swarm::{
    ClusterSecret, Explanation, LateFate, LeftOut, NodeName, RegisterError, Ring, RingStanding,
    StaticQuorumRing, Strategy, Swarm, Weight, Whereabouts, Worker,
};

async fn explain(node: &Swarm, name: &str) -> Explanation {
    let told = node.explain(name).timeout(secs(30)).await.expect("the node runs");
    assert!(told.is_whole, "{told}");
    assert_eq!((told.name.as_str(), &told.node), (Some(name), node.node()));
    told
}

/// Waits until a node explains a name in a way.
async fn until_explained(
    node: &Swarm,
    name: &str,
    what: &str,
    holds: impl Fn(&Explanation) -> bool,
) -> Explanation {
    let begun = Instant::now();
    loop {
        let told = explain(node, name).await;
        if holds(&told) {
            return told;
        }
        assert!(begun.elapsed() < secs(30), "{what}:\n{told}");
        tokio::time::sleep(ms(5)).await;
    }
}

fn ring_of(nodes: &[&Swarm]) -> Ring {
    let mut ring = Ring::new();
    for node in nodes {
        ring.add(node.node().name.clone(), Weight::default());
    }
    ring
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_and_its_successors_are_those_of_the_ring() {
    let cluster = Cluster::of(3).await;
    let ring = ring_of(&cluster.nodes.iter().collect::<Vec<_>>());
    let agrees = |told: &Explanation| matches!(told.ring, RingStanding::Agreed { .. });
    for node in &cluster.nodes {
        until_explained(node, "x-0", "all agree", agrees).await;
    }
    for at in 0..30 {
        let name = format!("x-{at}");
        let by = &cluster.nodes[at % 3];
        let worker = by.register::<Probe>(&name, Setup::default()).await.expect("registered");
        let pid = worker.pid().expect("it runs");
        cluster.until_all(&name, CONVERGED, Some(pid)).await;
        for node in &cluster.nodes {
            let told = explain(node, &name).await;
            let [placed] = &told.placed[..] else { panic!("it is a probe:\n{told}") };
            assert_eq!(placed.kind, Probe::KIND);
            let told_names: Vec<&NodeName> =
                placed.owner.iter().chain(&placed.successors).map(|node| &node.name).collect();
            assert_eq!(told_names, ring.owners(name.as_bytes(), 3), "{told}");
            assert_eq!(told.hash, swarm_ring::hash_name(name.as_bytes()));
            let owner = placed.owner.clone().expect("one of them");
            assert_eq!(told.at, Whereabouts::Runs { node: owner, pid }, "{told}");
            assert_eq!(told.token.map(|token| token.boot), Some(pid.boot));
            assert!(placed.left_out.is_empty() && told.rivals.is_empty(), "{told}");
            assert!(matches!(told.ring, RingStanding::Agreed { .. }), "{told}");
            assert_eq!((told.quorum, &told.late), (None, &None));
        }
    }
    // A restart raises the token.
    let before = explain(&cluster.nodes[0], "x-0").await.token;
    let (node, pid) = (&cluster.nodes[1], cluster.nodes[1].whereis("x-0"));
    assert_eq!(code(node.call("x-0", Crash("once".to_owned())).await), "stopped");
    let is_back = || node.whereis("x-0").is_some_and(|now| Some(now) != pid);
    until("it is back", CONVERGED, is_back).await;
    let told = explain(&cluster.nodes[1], "x-0").await;
    assert!(told.token > before, "{before:?} before:\n{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_takes_no_names_is_told_with_the_reason() {
    let mut cluster = Cluster { secret: ClusterSecret::generate(), nodes: Vec::new() };
    let first = cluster.builder("a").deny(["denied"]).start().await.expect("the node starts");
    cluster.nodes.push(first.clone());
    let builder = |name: &str| {
        let seeds = [first.local_addr()];
        Swarm::builder(name).secret(cluster.secret.clone()).seeds(seeds).deny(["denied"])
    };
    let nodes = [
        builder("b").worker::<Probe>().ready(false),
        builder("denied").worker::<Probe>(),
        builder("e").worker::<Other>(),
    ];
    for node in nodes {
        cluster.nodes.push(node.start().await.expect("the node starts"));
    }
    cluster.see_each_other().await;
    let why = |of: &str| match of {
        "b" => LeftOut::NotReady,
        "denied" => LeftOut::Denied { pattern: "denied".to_owned() },
        _ => LeftOut::KindNotServed,
    };
    for node in &cluster.nodes {
        // Nobody has the name: so each kind is told of.
        let told = explain(node, "nobody's").await;
        assert_eq!((&told.at, told.token), (&Whereabouts::Nobody, None), "{told}");
        let kinds: Vec<&str> = told.placed.iter().map(|placed| &*placed.kind).collect();
        assert_eq!(kinds, [Other::KIND, Probe::KIND]);
        for placed in &told.placed {
            let mut left_out = vec!["b", "denied"];
            if placed.kind == Probe::KIND {
                left_out.push("e");
            }
            let left_out: Vec<_> = left_out.into_iter().map(|of| (of, why(of))).collect();
            let told: Vec<_> = placed.left_out.iter().collect();
            let told: Vec<_> =
                told.iter().map(|(node, why)| (node.name.as_str(), why.clone())).collect();
            assert_eq!(told, left_out, "{placed}");
        }
        let probe = &told.placed[1];
        assert_eq!(probe.owner.as_ref(), Some(first.node()), "the only one that is left");
        assert!(probe.successors.is_empty(), "{probe}");
    }
    let text = explain(&first, "nobody's").await.to_string();
    let line = "takes no probe: b (it is not ready), denied (it is denied by \"denied\"), \
                e (it does not serve the kind)";
    assert!(text.lines().any(|found| found == line), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_a_scope_is_explained_there() {
    let mut cluster = Cluster { secret: ClusterSecret::generate(), nodes: Vec::new() };
    for name in ["a", "b"] {
        let mut builder = cluster.builder(name);
        if name == "a" {
            builder = builder.scope("games", |games| games.worker::<Probe>());
        }
        cluster.nodes.push(builder.start().await.expect("the node starts"));
    }
    cluster.see_each_other().await;
    let [a, b] = [cluster.nodes[0].clone(), cluster.nodes[1].clone()];
    b.scope("games").register::<Probe>("x", Setup::default()).await.expect("a takes it");
    let told = explain(&b.scope("games"), "x").await;
    assert_eq!(told.scope.as_deref(), Some("games"));
    assert!(matches!(&told.at, Whereabouts::Runs { node, .. } if node == a.node()), "{told}");
    let placed = &told.placed[0];
    assert_eq!((&*placed.kind, placed.owner.as_ref()), (Probe::KIND, Some(a.node())));
    assert_eq!(placed.left_out, [(b.node().clone(), LeftOut::ScopeNotDeclared)]);
    let outside = explain(&b, "x").await;
    assert_eq!((outside.at, outside.scope), (Whereabouts::Nobody, None));
    assert_eq!(outside.placed.len(), 2, "both kinds that are served outside all scopes");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_places_what_was_registered_by_pid() {
    let cluster = Cluster::of(2).await;
    let process = cluster.nodes[0].spawn::<Probe>(Setup::default()).await.expect("spawned");
    let pid = process.pid().expect("it runs");
    cluster.nodes[1].register_pid("by-pid", pid).await.expect("registered");
    cluster.until_all("by-pid", CONVERGED, Some(pid)).await;
    for node in &cluster.nodes {
        let told = explain(node, "by-pid").await;
        let at = Whereabouts::Runs { node: cluster.nodes[0].node().clone(), pid };
        assert_eq!((&told.at, told.placed.len()), (&at, 0), "{told}");
    }
    let error = cluster.nodes[0].explain("x".repeat(2_000)).await.expect_err("no name");
    assert_eq!(error.code(), "invalid-name");
    cluster.nodes[0].shutdown().await.expect("stopped");
    let error = cluster.nodes[0].explain("by-pid").await.expect_err("it has stopped");
    assert_eq!(error.code(), "node-stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_runs_into_its_deadline_is_ended_and_every_node_says_so() {
    let cluster = Cluster::of(3).await;
    let setup = Setup { begin: Begin::Sleep(secs(120)), ..Setup::default() };
    for at in 0..4 {
        let name = format!("late-{at}");
        let by = &cluster.nodes[at % 3];
        let register = {
            let (by, name, setup) = (by.clone(), name.clone(), setup.clone());
            tokio::spawn(async move {
                by.register::<Probe>(name, setup).timeout(secs(2)).await.map(drop)
            })
        };
        let owner = explain(by, &name).await.placed.iter().find_map(|placed| {
            (placed.kind == Probe::KIND).then(|| placed.owner.clone().expect("three serve it"))
        });
        let owner = owner.expect("it is served");
        if at < 2 {
            // While it starts, every node says where, also those that have not been asked for it.
            for node in &cluster.nodes {
                let starting = Whereabouts::Starting { node: owner.clone() };
                let what = "it is starting";
                until_explained(node, &name, what, |told| told.at == starting).await;
            }
        }
        let ended = register.await.expect("no panic");
        assert!(matches!(ended, Err(RegisterError::Timeout { .. })), "{ended:?}");
        for node in &cluster.nodes {
            let told = until_explained(node, &name, "its late start has ended", |told| {
                let fate = told.late.as_ref().map(|late| &late.fate);
                fate == Some(&LateFate::Ended { node: owner.clone() })
            });
            let told = told.await;
            assert_eq!(told.at, Whereabouts::Nobody, "{told}");
            let late = told.late.as_ref().expect("told");
            assert!(late.ago < secs(60), "{late}");
        }
        by.register::<Probe>(&name, Setup::default()).await.expect("the name is free");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_whose_caller_goes_away_leaves_a_start_that_is_told_of() {
    let cluster = Cluster::of(2).await;
    for at in 0..20 {
        let name = format!("dropped-{at}");
        let by = &cluster.nodes[at % 2];
        // Some are over when the caller goes, some are not, some have not begun.
        let takes = Duration::from_millis(5);
        let setup = Setup { begin: Begin::Sleep(takes), ..Setup::default() };
        let waits = Duration::from_micros(500 * at as u64);
        let outcome =
            tokio::time::timeout(waits, by.register::<Probe>(&name, setup).into_future()).await;
        if let Ok(registered) = outcome {
            registered.expect("registered");
            continue;
        }
        // Whichever it is, what is told and what is there are the same, on either node.
        let told = until_explained(by, &name, "the fate is settled", |told| {
            match told.late.as_ref().map(|late| &late.fate) {
                Some(LateFate::Registered { node }) => {
                    matches!(&told.at, Whereabouts::Runs { node: at, .. } if at == node)
                }
                Some(LateFate::Ended { .. } | LateFate::NotStarted) => {
                    told.at == Whereabouts::Nobody
                }
                // It was answered in time, and the caller did not look.
                None => matches!(told.at, Whereabouts::Runs { .. }),
                _ => false,
            }
        });
        let runs = match told.await.at {
            Whereabouts::Runs { pid, .. } => Some(pid),
            _ => None,
        };
        cluster.until_all(&name, CONVERGED, runs).await;
        assert_eq!(by.whereis_at_owner(&name).await, Ok(runs));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn below_a_quorum_the_text_says_what_is_missing() {
    let quorum = || StaticQuorumRing::new(2).expect("positive");
    let mut cluster = Cluster { secret: ClusterSecret::generate(), nodes: Vec::new() };
    for name in ["a", "b"] {
        let node = cluster.builder(name).strategy(quorum()).start().await.expect("it starts");
        cluster.nodes.push(node);
    }
    cluster.see_each_other().await;
    let by = cluster.nodes[0].clone();
    let worker = by.register::<Probe>("x", Setup::default()).timeout(secs(30)).await;
    worker.expect("two of two");
    let told = until_explained(&by, "x", "the quorum is held", |told| {
        told.quorum.is_some_and(|quorum| quorum.is_held)
    });
    let quorum = told.await.quorum.expect("the strategy wants one");
    assert_eq!((quorum.have, quorum.want), (2, 2));
    let other = cluster.nodes.remove(1);
    other.shutdown().await.expect("stopped");
    let told = until_explained(&by, "x", "the quorum is lost", |told| {
        told.quorum.is_some_and(|quorum| !quorum.is_held && quorum.have == 1)
            && !matches!(told.at, Whereabouts::Runs { .. })
    });
    let told = told.await;
    assert_eq!(told.placed[0].owner, None, "{told}");
    let text = told.to_string();
    let want = "quorum: not held, nothing runs here: 1 nodes are seen, 2 are needed";
    assert!(text.contains(want), "{text}");
    assert!(text.contains("should run: as probe nowhere, the ring names nobody"), "{text}");
}

/// Places names, and panics when it is asked for successors.
#[derive(Clone, Default)]
struct Faulty(Ring);

impl Strategy for Faulty {
    fn add(&mut self, node: NodeName, weight: Weight) {
        self.0.add(node, weight);
    }
    fn remove(&mut self, node: &NodeName) {
        self.0.remove(node);
    }
    fn owner(&self, name: &[u8]) -> Option<&NodeName> {
        self.0.owner(name)
    }
    fn owners(&self, _: &[u8], _: usize) -> Vec<&NodeName> {
        panic!("no successors")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strategy_that_panics_over_successors_hurts_nobody() {
    let node = Swarm::builder("a").worker::<Probe>().strategy(Faulty::default()).start().await;
    let node = node.expect("the node starts");
    node.register::<Probe>("x", Setup::default()).await.expect("registered");
    let told = explain(&node, "x").await;
    assert_eq!(told.placed[0].owner.as_ref(), Some(node.node()), "{told}");
    assert!(told.placed[0].successors.is_empty(), "{told}");
    until("it goes on", CONVERGED, || node.whereis("x").is_some()).await;
}
