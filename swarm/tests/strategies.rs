//! Strategies of users that answer nothing, nonsense or with a panic: the node goes on, and so does
//! all that runs.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::{
    Add, CONVERGED, Cluster, Probe, RECOVERED, Setup, code, event, listed, quickly, secs, shares,
    sorted, until, worker_on,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use swarm::{ClusterSecret, Event, Events, NodeName, Ring, Strategy, Swarm, Weight};

/// What a node's strategies do wrong: those that were made before so many others had been.
#[derive(Default)]
struct Faults {
    made: AtomicU32,
    add: AtomicU32,
    remove: AtomicU32,
    /// No more of them can be made.
    clone: AtomicBool,
}

impl Faults {
    /// All that were made until now fail in this.
    fn set(&self, what: &AtomicU32) {
        what.store(self.made.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// A ring, but for names that begin with what its answer is to be.
struct Odd {
    ring: Ring,
    stranger: NodeName,
    nth: u32,
    faults: Arc<Faults>,
}

impl Odd {
    fn new(faults: &Arc<Faults>) -> Self {
        let stranger = NodeName::new("stranger").expect("a name");
        let nth = faults.made.fetch_add(1, Ordering::Relaxed);
        Self { ring: Ring::new(), stranger, nth, faults: Arc::clone(faults) }
    }

    fn fail(&self, what: &str, before: &AtomicU32) {
        assert!(self.nth >= before.load(Ordering::Relaxed), "{what} fails");
    }
}

impl Clone for Odd {
    fn clone(&self) -> Self {
        assert!(!self.faults.clone.load(Ordering::Relaxed), "clone fails");
        Self { ring: self.ring.clone(), ..Self::new(&self.faults) }
    }
}

impl Strategy for Odd {
    fn add(&mut self, node: NodeName, weight: Weight) {
        self.fail("add", &self.faults.add);
        self.ring.add(node, weight);
    }

    fn remove(&mut self, node: &NodeName) {
        self.fail("remove", &self.faults.remove);
        self.ring.remove(node);
    }

    fn owner(&self, name: &[u8]) -> Option<&NodeName> {
        match name {
            [b'n', b'o', b'n', b'e', ..] => None,
            [b's', b't', b'r', b'a', b'y', ..] => Some(&self.stranger),
            [b'p', b'a', b'n', b'i', b'c', ..] => panic!("owner fails"),
            _ => self.ring.owner(name),
        }
    }

    fn owners(&self, name: &[u8], n: usize) -> Vec<&NodeName> {
        self.ring.owners(name, n)
    }
}

/// Nodes with such strategies, and what each of these is to do wrong.
async fn cluster_of(len: usize) -> (Cluster, Vec<Arc<Faults>>) {
    let mut cluster = Cluster { secret: ClusterSecret::generate(), nodes: Vec::new() };
    let mut faults = Vec::new();
    for _ in 0..len {
        faults.push(add(&mut cluster).await);
    }
    (cluster, faults)
}

async fn add(cluster: &mut Cluster) -> Arc<Faults> {
    let faults = Arc::default();
    let name = format!("n{}", cluster.nodes.len());
    let builder = cluster.builder(&name).strategy(Odd::new(&faults));
    cluster.nodes.push(builder.start().await.expect("it starts"));
    cluster.see_each_other().await;
    faults
}

async fn register(cluster: &Cluster, prefix: &str, len: usize) {
    for at in 0..len {
        let by = &cluster.nodes[at % cluster.nodes.len()];
        let setup = Setup { count: 100, ..Setup::default() };
        by.register::<Probe>(format!("{prefix}{at}"), setup).await.expect("registered");
    }
    let full = |node: &Swarm| listed(node, prefix).len() == len;
    until("all nodes list all names", CONVERGED, || cluster.nodes.iter().all(full)).await;
}

/// The kinds whose strategies failed and how, by kind, from the events up to now.
async fn failures(node: &Swarm, events: &mut Events) -> Vec<String> {
    let own = node.spawn::<Probe>(Setup::default()).await.expect("spawned");
    own.join("up-to-now").await.expect("joined");
    let pid = own.pid().expect("spawned");
    let mut failures = Vec::new();
    event(events, CONVERGED, |event| {
        match event {
            Event::StrategyFailed { scope: None, kind, reason } => {
                failures.push(format!("{kind}: {reason}"))
            }
            Event::GroupJoined { pid: of, .. } if *of == pid => return Some(()),
            _ => (),
        }
        None
    })
    .await;
    sorted(failures)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_without_an_owner_is_refused_and_others_are_not() {
    let (cluster, _) = cluster_of(2).await;
    let mut events: Vec<_> = cluster.nodes.iter().map(Swarm::events).collect();
    for at in 0..5 {
        for why in ["none", "stray", "panic"] {
            let name = format!("{why}-{at}");
            for node in &cluster.nodes {
                let registered = quickly(secs(2), node.register::<Probe>(&name, Setup::default()));
                assert_eq!(code(registered.await), "no-node-available", "{name}");
                assert_eq!(node.whereis_at_owner(&name).await, Ok(None));
            }
        }
        register(&cluster, &format!("sound-{at}-"), 10).await;
    }
    assert_eq!(shares(&cluster.nodes[0], "sound-").len(), 2, "both nodes have some");
    for (node, events) in cluster.nodes.iter().zip(&mut events) {
        let want = ["other: owner fails", "probe: owner fails"];
        assert_eq!(failures(node, events).await, want, "once, however many lookups fail");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strategy_that_panics_while_nodes_come_and_go_loses_no_name() {
    let (mut cluster, faults) = cluster_of(2).await;
    register(&cluster, "name-", 60).await;
    let before = listed(&cluster.nodes[0], "name-");
    let mut events: Vec<_> = cluster.nodes.iter().map(Swarm::events).collect();
    faults[0].set(&faults[0].add);
    add(&mut cluster).await;
    let third = cluster.nodes[2].clone();
    let settled = |node: &Swarm| {
        shares(node, "name-").contains_key(&third.node().boot)
            && listed(node, "name-") == listed(&third, "name-")
    };
    until("it gets its share", RECOVERED, || cluster.nodes.iter().all(settled)).await;
    for (name, _) in &before {
        let sum = third.call(name, Add(1)).timeout(secs(10)).await;
        assert_eq!(sum, Ok(101), "{name} has its state");
    }
    let want = ["other: add fails", "probe: add fails"];
    assert_eq!(failures(&cluster.nodes[0], &mut events[0]).await, want);
    assert_eq!(failures(&cluster.nodes[1], &mut events[1]).await, [""; 0]);

    faults[1].set(&faults[1].remove);
    third.leave().await.expect("it leaves");
    cluster.drop_node(2);
    drop(third);
    cluster.see_each_other().await;
    let [a, b] = [&cluster.nodes[0], &cluster.nodes[1]];
    let both = BTreeSet::from([a.node().boot, b.node().boot]);
    let all_here = |node: &Swarm| {
        let names = listed(node, "name-");
        names.len() == 60 && names.iter().all(|(_, pid)| both.contains(&pid.boot))
    };
    until("its names are back", RECOVERED, || all_here(a) && all_here(b)).await;
    for (name, _) in &before {
        assert_eq!(a.call(name, Add(1)).timeout(secs(10)).await, Ok(102), "{name} was handed back");
    }
    let failed = failures(&cluster.nodes[1], &mut events[1]).await;
    assert_eq!(failed, ["other: remove fails", "probe: remove fails"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_strategy_goes_on_with_what_it_runs_until_it_has_one() {
    let (cluster, faults) = cluster_of(2).await;
    let [a, b] = [&cluster.nodes[0], &cluster.nodes[1]];
    let here = worker_on(a, a.node(), "here", Setup::default()).await;
    let there = worker_on(a, b.node(), "there", Setup::default()).await;
    let mut events = a.events();
    faults[0].set(&faults[0].remove);
    faults[0].clone.store(true, Ordering::Relaxed);
    b.set_ready(false).await;
    let not_ready = || a.nodes().iter().any(|m| m.id == *b.node() && !m.ready);
    until("it is known", CONVERGED, not_ready).await;
    let refused = quickly(secs(2), a.register::<Probe>("refused", Setup::default()));
    assert_eq!(code(refused.await), "no-node-available");
    for node in [a, b] {
        for worker in [&here, &there] {
            let name = worker.name().to_string();
            node.call(&name, Add(1)).timeout(secs(10)).await.expect("it goes on");
        }
    }
    // Both rings, once: what was refused is no change.
    let failed = failures(a, &mut events).await;
    assert_eq!(failed, ["other: remove fails", "probe: remove fails"]);

    faults[0].clone.store(false, Ordering::Relaxed);
    b.set_ready(true).await;
    let ready = || a.nodes().iter().any(|m| m.id == *b.node() && m.ready);
    until("it is known", CONVERGED, ready).await;
    register(&cluster, "again-", 40).await;
    assert_eq!(shares(a, "again-").len(), 2, "both nodes have some");
    for (worker, sum) in [(&here, 3), (&there, 3)] {
        assert_eq!(b.call(worker.name().to_string(), Add(1)).await, Ok(sum), "with its state");
    }
}
