//! Memory of a sender, measured: in a program of its own, so that no other test's counts.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;

#[test]
#[ignore = "a node that other tests start as a process of its own"]
fn node_process() {
    run_as_node();
}

/// How much memory this process has, in bytes.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("it can be read");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it says so");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
    kib * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn no_cast_to_a_slow_worker_elsewhere_is_lost_and_the_sender_stays_small() {
    const SENDERS: u64 = 4;
    const EACH: u64 = 50_000;
    let cluster = Cluster::of(1).await;
    let _child = cluster.add_process("there").await;
    let a = &cluster.nodes[0];
    let there = a.nodes().into_iter().find(|m| m.id.name.as_str() == "there").expect("in").id;
    let worker = worker_on(a, &there, "slow", Setup::default()).await;
    assert_eq!(worker.call(Add(0)).await, Ok(0));
    let before = memory();
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let worker = worker.clone();
            tokio::spawn(async move {
                let mut most = 0;
                for at in 0..EACH {
                    if at % 10_000 == 2_500 * sender {
                        worker.cast(Nap(ms(100))).await.expect("sent");
                    }
                    worker.cast(Add(1)).timeout(secs(30)).await.expect("sent");
                    if at % 1000 == 0 {
                        most = memory().max(most);
                    }
                }
                most
            })
        })
        .collect();
    let mut most = 0;
    for sender in senders {
        most = sender.await.expect("all are sent").max(most);
    }
    let handled = worker.call(Add(0)).timeout(secs(60)).await;
    assert_eq!(handled, Ok(SENDERS * EACH), "all have arrived, once each");
    let grown = most.saturating_sub(before);
    assert!(grown < 32 << 20, "the sender grew by {} MiB", grown >> 20);
}
