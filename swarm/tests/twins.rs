//! Two nodes of one name that find each other after both have started.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use std::net::{SocketAddr, UdpSocket};
use swarm::{CallError, ClusterSecret, Event, Swarm};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_learns_late_that_its_name_is_taken_says_so_and_stops() {
    let secret = ClusterSecret::generate();
    let start = |name, bind: SocketAddr, seed| {
        let builder = Swarm::builder(name).bind(bind).secret(secret.clone()).seeds([seed]);
        async { builder.worker::<Probe>().start().await.expect("it starts") }
    };
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    // Where nobody is yet.
    let later = UdpSocket::bind(any).and_then(|socket| socket.local_addr());
    let later = later.expect("a port is free");
    let builder = Swarm::builder("first").secret(secret.clone());
    let first = builder.worker::<Probe>().start().await.expect("it starts");
    let holder = start("twin", any, first.local_addr()).await;
    let worker = holder.register::<Probe>("kept", Setup::default()).await.expect("registered");
    let twin = start("twin", any, later).await;
    assert_eq!(twin.nodes().len(), 1, "it is alone so far");
    let mut events = twin.events();

    let bridge = start("bridge", later, first.local_addr()).await;
    let mut told = None;
    while let Some(event) = quickly(RECOVERED, events.next()).await {
        if let Event::NameTaken { holder } = event {
            told = Some(holder);
        }
    }
    assert_eq!(told, Some(holder.local_addr()), "it is told why, and then that it has stopped");
    let error = twin.call("kept", Add(0)).await.expect_err("it has stopped");
    assert_eq!(error, CallError::NodeStopped);
    for node in [&first, &holder, &bridge] {
        until("the others are three", CONVERGED, || node.nodes().len() == 3).await;
        worker.call(Add(0)).await.expect("nobody else notices");
    }
}
