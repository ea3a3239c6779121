//! Many: nodes that start at once, messages that come faster than they are handled.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;
use swarm::{CallError, CastError, ClusterSecret, Stage, Swarm};

/// Addresses that are free, below those that a system gives out by itself: nobody else gets one of
/// them meanwhile.
fn addresses(len: usize) -> Vec<SocketAddr> {
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).expect("below 10,000");
    let sockets = (first..).filter_map(|port| UdpSocket::bind(("127.0.0.1", port)).ok());
    sockets.take(len).map(|socket| socket.local_addr().expect("bound")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_four_nodes_started_at_once_form_one_cluster_and_serve() {
    const NODES: usize = 24;
    let begun = Instant::now();
    let (secret, addresses) = (ClusterSecret::generate(), addresses(NODES));
    let seeds = addresses[..3].to_vec();
    let starts: Vec<_> = addresses
        .iter()
        .enumerate()
        .map(|(at, address)| {
            let builder = Swarm::builder(format!("n{at}"))
                .bind(*address)
                .seeds(seeds.clone())
                .secret(secret.clone())
                .worker::<Probe>();
            tokio::spawn(builder.start())
        })
        .collect();
    let mut nodes = Vec::new();
    for start in starts {
        nodes.push(start.await.expect("no panic").expect("it starts"));
    }
    let cluster = Cluster { secret, nodes };
    cluster.see_each_other().await;
    let formed = begun.elapsed();

    let registers: Vec<_> = cluster
        .nodes
        .iter()
        .enumerate()
        .map(|(at, node)| {
            let node = node.clone();
            tokio::spawn(async move {
                for of in 0..4 {
                    let name = format!("many-{at}-{of}");
                    node.register::<Probe>(&name, Setup::default())
                        .timeout(secs(60))
                        .await
                        .unwrap_or_else(|error| panic!("{name} through {node:?}: {error}"));
                }
            })
        })
        .collect();
    for register in registers {
        register.await.expect("registered through each");
    }
    let registered = begun.elapsed();
    let all = NODES * 4;
    let known = |node: &Swarm| listed(node, "many-").len() == all;
    until("every node lists all", secs(30), || cluster.nodes.iter().all(known)).await;
    let calls: Vec<_> = cluster
        .nodes
        .iter()
        .map(|node| {
            let node = node.clone();
            tokio::spawn(async move {
                for at in 0..NODES {
                    let name = format!("many-{at}-{}", at % 4);
                    let call = node.call(&name, Add(1)).timeout(secs(60));
                    call.await.unwrap_or_else(|error| panic!("{name} from {node:?}: {error}"));
                }
            })
        })
        .collect();
    for call in calls {
        call.await.expect("called from each");
    }
    for at in 0..NODES {
        let sum = cluster.nodes[at].call(format!("many-{at}-{}", at % 4), Add(0)).await;
        assert_eq!(sum, Ok(NODES as u64), "each was called once from each");
    }
    let first = listed(&cluster.nodes[0], "many-");
    assert!(cluster.nodes.iter().all(|node| listed(node, "many-") == first), "all agree");
    println!("formed {formed:?}, registered {registered:?}, served {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_mailbox_makes_senders_wait_or_says_full() {
    let cluster = Cluster::of(1).await;
    let node = &cluster.nodes[0];
    let worker = node.spawn::<Probe>(Setup::default()).await.expect("spawned");
    worker.cast(Nap(secs(1))).await.expect("sent");
    let mut sent = 0;
    let error = loop {
        match worker.try_cast(Add(1)) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        assert!(sent <= 1024, "the default limit");
    };
    assert!(sent >= 1023, "{sent}");
    assert!(matches!(error, CastError::Full { .. }), "{error}");
    assert_eq!((error.code(), error.is_retryable()), ("full", true));
    assert!(error.to_string().starts_with("no room for message add to "), "{error}");

    let error = loop {
        // It may have taken the nap out of its mailbox only now.
        match worker.cast(Add(1)).timeout(ms(50)).await {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
    };
    assert!(sent <= 1025, "the limit, and what it handles: {sent}");
    match &error {
        CastError::Timeout { stage, after, .. } => {
            assert_eq!((*stage, *after), (Stage::Queued, ms(50)));
        }
        other => panic!("{other}"),
    }
    assert!(error.to_string().contains("found no room within 50ms"), "{error}");
    let error = worker.call(Add(1)).timeout(ms(50)).await.expect_err("no room");
    assert!(matches!(error, CallError::Timeout { stage: Stage::Queued, .. }), "{error}");

    worker.cast(Add(1)).await.expect("it waits for room, and gets it");
    sent += 1;
    assert_eq!(worker.call(Add(0)).await, Ok(sent), "what was accepted was handled, the rest not");
}

#[tokio::test(flavor = "multi_thread")]
async fn publish_counts_out_those_without_room() {
    let cluster = Cluster::of(1).await;
    let node = &cluster.nodes[0];
    let full = node.spawn::<Probe>(Setup::default()).await.expect("spawned");
    let free = node.spawn::<Probe>(Setup::default()).await.expect("spawned");
    for worker in [&full, &free] {
        worker.join("some").await.expect("joined");
    }
    full.cast(Nap(secs(20))).await.expect("sent");
    // Once more when it has taken the nap out of its mailbox.
    while full.cast(Add(1)).timeout(ms(200)).await.is_ok() {}
    assert_eq!(node.publish("some", Add(1)).timeout(ms(100)).await, 1);
    assert_eq!(free.call(Add(0)).await, Ok(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_on_another_node_learns_that_a_mailbox_is_full() {
    let cluster = Cluster::of(2).await;
    let [a, b] = [&cluster.nodes[0], &cluster.nodes[1]];
    let worker = b.spawn::<Probe>(Setup::default()).await.expect("spawned");
    let there = a.at(worker.address());
    assert_eq!(there.call(Add(0)).await, Ok(0));
    there.cast(Nap(secs(2))).await.expect("sent");
    let mut sent = 0;
    let begun = Instant::now();
    let error = loop {
        match there.try_cast(Add(1)) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        assert!(begun.elapsed() < secs(2), "{sent} were accepted");
    };
    assert!(matches!(error, CastError::Full { .. }), "{error}");
    let neighbour = b.spawn::<Probe>(Setup::default()).await.expect("spawned");
    let quick = quickly(secs(1), a.at(neighbour.address()).call(Add(1))).await;
    assert_eq!(quick, Ok(1), "another process of that node is reached all the while");
    there.cast(Add(1)).await.expect("it waits for room, and gets it");
    assert_eq!(there.call(Add(0)).await, Ok(sent + 1), "what was accepted arrives");
}
