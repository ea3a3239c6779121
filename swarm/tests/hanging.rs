//! Workers and nodes that hang: whoever deals with them goes on.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use std::time::Instant;
use swarm::{ExitReason, Stop};

#[test]
#[ignore = "a node that other tests start as a process of its own"]
fn node_process() {
    run_as_node();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_handler_hangs_is_stopped_from_any_node() {
    let cluster = Cluster::of(2).await;
    let [a, b] = [&cluster.nodes[0], &cluster.nodes[1]];
    for (at, node) in [a, b, a, b].into_iter().enumerate() {
        let how = if at < 2 { Stop::Graceful(ms(300)) } else { Stop::Kill };
        let worker = cluster.worker_on(b, &format!("hangs-{at}"), Setup::default()).await;
        let name = worker.name().to_string();
        let down = a.monitor(worker.pid().expect("it runs"));
        let hung = {
            let worker = worker.clone();
            tokio::spawn(async move { worker.call(Nap(secs(600))).timeout(secs(600)).await })
        };
        // It is in its handler once another message waits for it in vain.
        while worker.call(Add(1)).timeout(ms(100)).await.is_ok() {}
        let begun = Instant::now();
        quickly(CONVERGED, node.stop(&name, how)).await.expect("it is stopped");
        let took = begun.elapsed();
        if let Stop::Graceful(grace) = how {
            assert!(took >= grace, "{name} had its time: {took:?}");
        }
        assert_eq!(node.whereis(&name), None);
        assert_eq!(quickly(CONVERGED, down).await.reason, ExitReason::Killed);
        assert_eq!(code(hung.await.expect("no panic")), "stopped");
        let again = node.register::<Probe>(&name, Setup::default()).await;
        again.expect("its name is free").stop(Stop::Kill).await.expect("stopped");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_leaves_in_its_time_though_the_only_other_one_is_frozen() {
    let cluster = Cluster::of(1).await;
    let child = cluster.add_process("frozen").await;
    let node = &cluster.nodes[0];
    for at in 0..40 {
        let name = format!("stuck-{at}");
        node.register::<Probe>(name, Setup::default()).await.expect("registered");
    }
    assert_eq!(shares(node, "stuck-").len(), 2, "both nodes have some");
    child.freeze();
    let begun = Instant::now();
    // What it asks is not answered: the drain ends with its time, then the goodbye with its own.
    node.leave().timeout(secs(2)).await.expect("it leaves");
    let took = begun.elapsed();
    assert!(took < secs(2 + 1 + 2) + CONVERGED, "drain, linger and goodbye: {took:?}");
    assert_eq!(code(node.snapshot().await), "node-stopped");
}
