//! Things that happen at the same time as others that they are about.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use std::collections::BTreeSet;
use swarm::{ClusterSecret, Pid, RegisterError, Swarm};

#[tokio::test(flavor = "multi_thread")]
async fn joins_and_leaves_follow_names_that_are_being_moved() {
    let cluster = Cluster::of(3).await;
    let leaving = &cluster.nodes[1];
    let names: Vec<_> = (0..60).map(|at| format!("joining-{at}")).collect();
    for name in &names {
        let worker = leaving.register::<Probe>(name, Setup::default()).await.expect("registered");
        worker.join("before").await.expect("it joins");
    }
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let joiners: Vec<_> = (0..3)
        .map(|of| {
            let (node, stopped, names) =
                (cluster.nodes[of].clone(), stopped.clone(), names.clone());
            tokio::spawn(async move {
                let mut rounds = 0;
                while !*stopped.borrow() {
                    for name in names.iter().skip(of).step_by(3) {
                        let worker = node.worker::<Probe>(name);
                        let joined = worker.join(format!("{name}-{rounds}")).await;
                        joined.unwrap_or_else(|error| panic!("{name}, round {rounds}: {error}"));
                        if rounds == 0 {
                            worker.leave("before").await.expect("it leaves");
                        }
                    }
                    rounds += 1;
                }
                rounds
            })
        })
        .collect();
    quickly(secs(20), leaving.drain()).await.expect("everything moves");
    stop.send(true).expect("the joiners listen");
    let mut rounds = Vec::new();
    for joiner in joiners {
        rounds.push(joiner.await.expect("no join failed"));
    }
    cluster.until_members("before", CONVERGED, &[]).await;
    for (at, name) in names.iter().enumerate() {
        let pid = leaving.whereis(name).expect("it runs");
        assert_ne!(pid.boot, leaving.node().boot, "{name}");
        for round in 0..rounds[at % 3] {
            cluster.until_members(&format!("{name}-{round}"), CONVERGED, &[pid]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_told_of_an_end_does_not_find_the_process_any_more() {
    let cluster = Cluster::of(2).await;
    let [a, b] = [&cluster.nodes[0], &cluster.nodes[1]];
    let name = cluster.worker_on(b, "ending", Setup::default()).await.name().to_string();
    for round in 0..50 {
        let worker = a.worker::<Probe>(&name);
        worker.join("ending").await.expect("it joins");
        let pid = worker.pid().expect("it runs");
        let down = a.monitor(pid);
        worker.cast(Quit()).await.expect("sent");
        assert_eq!(quickly(CONVERGED, down).await.pid, pid);
        let registered = a.register::<Probe>(&name, Setup::default()).into_future();
        assert_eq!(a.whereis(&name), None, "round {round}");
        assert_eq!(listed(a, &name), [], "round {round}");
        assert_eq!(a.members("ending"), [], "round {round}");
        assert_eq!(a.members_with_meta("ending"), [], "round {round}");
        let registered = registered.await.unwrap_or_else(|error| panic!("round {round}: {error}"));
        let next = registered.pid().expect("it runs");
        assert_eq!(next.boot, b.node().boot, "round {round}: it is the one that is asked about");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_kinds_that_different_nodes_serve_one_gets_a_name() {
    let secret = ClusterSecret::generate();
    let builder = |name| Swarm::builder(name).secret(secret.clone());
    let a = builder("a").worker::<Probe>().start().await.expect("it starts");
    let seed = [a.local_addr()];
    let b = builder("b").seeds(seed).worker::<Other>().start().await.expect("it starts");
    let c = builder("c").seeds(seed).start().await.expect("it starts");
    let cluster = Cluster { secret, nodes: vec![a, b, c] };
    cluster.see_each_other().await;
    let [a, b, c] = &cluster.nodes[..] else { unreachable!("there are three") };
    let process = a.spawn::<Probe>(Setup::default()).await.expect("spawned").pid().expect("it is");
    for at in 0..30 {
        let name = format!("either-{at}");
        let (probe, other, given) = tokio::join!(
            a.register::<Probe>(&name, Setup::default()).into_future(),
            b.register::<Other>(&name, ()).into_future(),
            c.register_pid(&name, process).into_future(),
        );
        let won = [probe.is_ok(), other.is_ok(), given.is_ok()];
        let winners = won.iter().filter(|won| **won).count();
        assert_eq!(winners, 1, "{name}: {probe:?} {other:?} {given:?}");
        let mut told = BTreeSet::<Pid>::new();
        for error in [probe.err(), other.err(), given.err()].into_iter().flatten() {
            match error {
                RegisterError::AlreadyRegistered { pid, .. } => drop(told.insert(pid)),
                error => panic!("{name}: {error}"),
            }
        }
        assert_eq!(told.len(), 1, "{name}: {told:?}");
        cluster.until_all(&name, CONVERGED, told.first().copied()).await;
    }
}
