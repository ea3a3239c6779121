//! What once went wrong.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use serde::{Deserialize, Serialize};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use swarm::{BoxError, Cx, DrainError, Event, Handle, Message, RegisterError, Stop, Swarm, Worker};

/// Polls a future once.
async fn polled(future: impl Future) {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let _ = future.as_mut().poll(cx);
        Poll::Ready(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_goes_on_without_its_caller() {
    let mut cluster = Cluster::of(2).await;
    let mut events = cluster.nodes[0].events();
    let leaving = cluster.nodes.remove(1);
    polled(leaving.shutdown()).await;
    let id = leaving.node().clone();
    event(&mut events, RECOVERED, |event| match event {
        Event::NodeLeft { node } if *node == id => Some(()),
        _ => None,
    })
    .await;
    quickly(secs(10), leaving.shutdown()).await.expect("it has stopped");
    assert_eq!(code(leaving.snapshot().await), "node-stopped");
}

/// Ends its own node.
struct Ender;

#[derive(Clone, Serialize, Deserialize)]
struct End;

impl Message for End {
    const NAME: &'static str = "end";
    type Reply = ();
}

impl Worker for Ender {
    const KIND: &'static str = "ender";
    type Args = ();
    type State = ();
    type Accepts = (End,);

    async fn start((): (), _: &mut Cx<Self>) -> Result<Self, BoxError> {
        Ok(Self)
    }
}

impl Handle<End> for Ender {
    async fn handle(&mut self, _: End, cx: &mut Cx<Self>) {
        let _ = cx.swarm().leave().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_can_end_its_own_node() {
    let swarm = Swarm::builder("n").worker::<Ender>().start().await.expect("it starts");
    let worker = swarm.register::<Ender>("ender", ()).await.expect("registered");
    worker.cast(End).await.expect("sent");
    let mut events = swarm.events();
    let ended = async { while events.next().await.is_some() {} };
    quickly(secs(20), ended).await;
    quickly(secs(1), swarm.shutdown()).await.expect("it has stopped");
    assert_eq!(code(swarm.leave().await), "node-stopped");
    assert!(swarm.events().next().await.is_none(), "a stopped node has no news");
    assert_eq!(code(swarm.spawn::<Ender>(()).await), "node-stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_does_not_wait_for_workers_that_start_or_never_end() {
    let cluster = Cluster::of(1).await;
    let node = &cluster.nodes[0];
    let crashing = node.register::<Probe>("crashing", Setup::default()).await.expect("registered");
    let _ = crashing.call(Crash("again and again".to_owned())).await;
    let slow = Setup { begin: Begin::Sleep(secs(60)), ..Setup::default() };
    let starting = node.register::<Probe>("slow", slow).timeout(secs(30));
    // In this order: the start is under way when the node closes.
    let (started, stopped) =
        tokio::join!(quickly(secs(12), starting), quickly(secs(10), node.shutdown()));
    stopped.expect("it stops");
    assert!(started.is_err(), "the node has stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_to_nobody_says_so_and_the_node_leaves_all_the_same() {
    let cluster = Cluster::of(1).await;
    let node = &cluster.nodes[0];
    node.register::<Probe>("x", Setup::default()).await.expect("registered");
    let error = quickly(secs(5), node.drain()).await.expect_err("nobody takes it");
    assert_eq!(error, DrainError::Nowhere { left: 1, total: 1 });
    quickly(secs(10), node.leave()).await.expect("it leaves");
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_calls_a_drain_off() {
    let cluster = Cluster::of(2).await;
    let node = &cluster.nodes[1];
    let stubborn = Setup { go: Go::Never, ..Setup::default() };
    let worker = cluster.worker_on(node, "stubborn", stubborn).await;
    let drain = node.drain().into_future();
    let (drained, ()) = tokio::join!(quickly(secs(4), drain), async {
        let asked =
            || lives(&worker.name().to_string()).iter().any(|(_, life)| *life == Life::Asked);
        until("the drain has begun", secs(5), asked).await;
        node.set_ready(true).await;
    });
    assert_eq!(code(drained), "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nameless_process_of_another_node_can_be_stopped() {
    let cluster = Cluster::of(2).await;
    let (here, there) = (&cluster.nodes[0], &cluster.nodes[1]);
    let process = there.spawn::<Probe>(Setup::default()).await.expect("spawned");
    let remote = here.at(process.address());
    let stopped = quickly(secs(5), remote.stop(Stop::Graceful(secs(1)))).await;
    stopped.expect("it is stopped");
    assert_eq!(code(process.call(Add(1)).await), "not-found");
    assert_eq!(code(remote.stop(Stop::Kill).await), "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_given_to_a_process_is_free_once_that_is_stopped() {
    let cluster = Cluster::of(2).await;
    let (here, there) = (&cluster.nodes[0], &cluster.nodes[1]);
    let process = there.spawn::<Probe>(Setup::default()).await.expect("spawned");
    let pid = process.pid().expect("it has one");
    here.register_pid("given", pid).await.expect("registered");
    quickly(secs(4), here.stop("given", Stop::Kill)).await.expect("stopped");
    assert_eq!(here.whereis("given"), None);
    // What was said of the first one does not count for the next: it is started again.
    let worker = here.register::<Probe>("given", Setup::default()).await.expect("it is free");
    let before = worker.pid();
    let _ = worker.call(Crash("once".to_owned())).await;
    until("it runs again", secs(5), || worker.pid().is_some_and(|pid| Some(pid) != before)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_give_one_name_at_once_one_does() {
    let cluster = Cluster::of(3).await;
    let mut pids = Vec::new();
    for node in &cluster.nodes {
        let process = node.spawn::<Probe>(Setup::default()).await.expect("spawned");
        pids.push(process.pid().expect("it has one"));
    }
    for at in 0..30 {
        let name = format!("raced-{at}");
        let give = |n: usize| cluster.nodes[n].register_pid(&name, pids[n]).into_future();
        let worker = cluster.nodes[2].register::<Probe>(&name, Setup::default()).into_future();
        let (a, b, c) = tokio::join!(give(0), give(1), worker);
        let winners = usize::from(a.is_ok()) + usize::from(b.is_ok()) + usize::from(c.is_ok());
        assert_eq!(winners, 1, "{name}: {a:?} {b:?} {c:?}");
        for error in [a.err(), b.err(), c.err()].into_iter().flatten() {
            assert!(matches!(error, RegisterError::AlreadyRegistered { .. }), "{name}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_registers_while_a_node_goes_is_not_told_that_there_is_none() {
    let mut cluster = Cluster::of(2).await;
    for round in 0..10 {
        let going = cluster.add(&format!("going-{round}")).await;
        cluster.nodes.pop();
        let callers: Vec<_> = (0..16)
            .map(|caller| {
                let (node, going) = (cluster.nodes[caller % 2].clone(), going.clone());
                tokio::spawn(async move {
                    for at in 0.. {
                        let name = format!("meanwhile-{round}-{caller}-{at}");
                        let registered = node.register::<Other>(&name, ()).await;
                        registered.unwrap_or_else(|error| panic!("{name}: {error}"));
                        if going.snapshot().await.is_err() && node.nodes().len() == 2 {
                            return;
                        }
                    }
                })
            })
            .collect();
        let left = match round % 2 {
            0 => going.shutdown().await,
            _ => going.leave().await,
        };
        left.expect("it stops");
        for caller in callers {
            quickly(secs(20), caller).await.expect("every registration is served");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_right_after_a_crash_waits_for_the_restart() {
    let cluster = Cluster::of(2).await;
    let names: Vec<_> = (0..40).map(|at| format!("crashing-{at}")).collect();
    for name in &names {
        let setup = Setup { count: 7, ..Setup::default() };
        cluster.nodes[0].register::<Probe>(name, setup).await.expect("registered");
    }
    for name in &names {
        for node in &cluster.nodes {
            let crashed = node.call(name, Crash("on purpose".to_owned())).await;
            assert_eq!(code(crashed), "stopped", "{name}");
            assert_eq!(node.call(name, Add(1)).await, Ok(8), "{name} from {node:?}");
        }
    }
}
