//! What is said of names.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use swarm::Swarm;

/// Counts in what is said of a name.
fn add(meta: &[u8]) -> Vec<u8> {
    let number = std::str::from_utf8(meta).expect("text").parse().unwrap_or(0_u32);
    (number + 1).to_string().into_bytes()
}

/// Waits until all nodes say the same of `name`.
async fn until_all_say(cluster: &Cluster, name: &str, want: Option<&[u8]>) {
    for node in &cluster.nodes {
        let said = async || node.name_meta(name).await.expect("it answers");
        quickly(CONVERGED, async {
            while said().await.as_deref() != want {
                tokio::time::sleep(ms(2)).await;
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_a_name_is_changed_by_many_at_once_and_nothing_is_lost() {
    let cluster = Cluster::of(3).await;
    let owner = &cluster.nodes[2];
    let worker = cluster.worker_on(owner, "said", Setup::default()).await;
    let placed = worker.name().to_string();
    // A name of a process that has another one already.
    let pid = worker.pid().expect("it runs");
    owner.register_pid("by-pid", pid).await.expect("registered");
    for name in [placed.as_str(), "by-pid"] {
        assert_eq!(owner.name_meta(name).await, Ok(Some(Vec::new())), "nothing yet");
        let adders = cluster.nodes[..2].iter().map(|node| {
            let (node, name) = (node.clone(), name.to_owned());
            tokio::spawn(async move {
                for _ in 0..100 {
                    node.update_name_meta(&name, add).await.expect("changed");
                }
            })
        });
        for adder in adders.collect::<Vec<_>>() {
            adder.await.expect("it ran");
        }
        until_all_say(&cluster, name, Some(b"200")).await;
    }
    assert_eq!(owner.update_name_meta(&placed, add).await, Ok(b"201".to_vec()));
    let own = owner.name_meta(&placed).await;
    assert_eq!(own, Ok(Some(b"201".to_vec())), "who changed it sees it at once");
    owner.unregister("by-pid").await.expect("free");
    until_all_say(&cluster, "by-pid", None).await;
    owner.register_pid("by-pid", pid).await.expect("registered");
    until_all_say(&cluster, "by-pid", Some(b"")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_a_name_outlives_its_process_its_node_and_a_move() {
    let mut cluster = Cluster::of(2).await;
    let first = cluster.worker_on(&cluster.nodes[1], "kept", Setup::default()).await;
    let name = first.name().to_string();
    let change = |node: &Swarm, said: &str| {
        let (node, name, said) = (node.clone(), name.clone(), said.as_bytes().to_vec());
        async move { node.update_name_meta(&name, |_| said.clone()).await.expect("changed") }
    };
    change(&cluster.nodes[0], "before the crash").await;
    let pid = first.pid().expect("it runs");
    let _ = first.call(Crash("on purpose".to_owned())).await;
    until("it runs again", CONVERGED, || first.pid().is_some_and(|now| now != pid)).await;
    until_all_say(&cluster, &name, Some(b"before the crash")).await;

    change(&cluster.nodes[0], "before the move").await;
    let leaving = cluster.nodes.remove(1);
    leaving.drain().timeout(secs(10)).await.expect("all goes");
    let home = cluster.nodes[0].node().boot;
    until("it has moved", CONVERGED, || {
        cluster.nodes[0].whereis(&name).is_some_and(|pid| pid.boot == home)
    })
    .await;
    until_all_say(&cluster, &name, Some(b"before the move")).await;
    leaving.shutdown().await.expect("it stops");

    let mut child = cluster.add_process("victim").await;
    let node = cluster.nodes[0].clone();
    let victim = cluster.nodes[0].nodes().iter().find(|m| m.id.name.as_str() == "victim").cloned();
    let boot = victim.expect("it is there").id.boot;
    // A name that runs there.
    let mut theirs = None;
    for at in 0..200 {
        let name = format!("theirs-{at}");
        node.register::<Probe>(&name, Setup::default()).await.expect("registered");
        if node.whereis(&name).is_some_and(|pid| pid.boot == boot) {
            theirs = Some(name);
            break;
        }
    }
    let theirs = theirs.expect("it has a share");
    node.update_name_meta(&theirs, |_| b"before the death".to_vec()).await.expect("changed");
    child.kill();
    until("it runs here", DETECTED + CONVERGED, || {
        node.whereis(&theirs).is_some_and(|pid| pid.boot == home)
    })
    .await;
    until_all_say(&cluster, &theirs, Some(b"before the death")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_of_a_name_that_nobody_has() {
    let node = Cluster::of(1).await.nodes.remove(0);
    assert_eq!(node.name_meta("nobody").await, Ok(None));
    assert_eq!(code(node.update_name_meta("nobody", add).await), "not-found");
    let none = "x".repeat(100_000);
    assert_eq!(code(node.name_meta(&none).await), "invalid-name");
    assert_eq!(code(node.update_name_meta(&none, add).await), "invalid-name");
    node.register::<Probe>("long", Setup::default()).await.expect("registered");
    let error = node.update_name_meta("long", |_| vec![0; 65_537]).await.expect_err("too long");
    assert_eq!(error.code(), "invalid-meta");
    assert_eq!(
        error.to_string(),
        "metadata of 65537 bytes for long, at most 65536 are kept on every node"
    );
    let most = node.update_name_meta("long", |_| vec![7; 65_536]).await.expect("as much as may be");
    assert_eq!(node.name_meta("long").await, Ok(Some(most)));
    node.shutdown().await.expect("it stops");
    assert_eq!(code(node.name_meta("long").await), "node-stopped");
    assert_eq!(code(node.update_name_meta("long", add).await), "node-stopped");
}

#[test]
#[ignore = "a node that other tests start as a process of its own"]
fn node_process() {
    run_as_node();
}
