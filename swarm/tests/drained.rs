//! A node that has drained can be asked to drain again, and to leave.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

use futures_core::Stream;
use serde::{Deserialize, Serialize};
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;
use swarm::{BoxError, ClusterSecret, Cx, Handle, Message, Swarm, Worker};

#[derive(Clone, Serialize, Deserialize)]
struct Whereabouts;

impl Message for Whereabouts {
    const NAME: &'static str = "whereabouts";
    type Reply = String;
}

struct Device;

impl Worker for Device {
    const KIND: &'static str = "device";
    type Args = ();
    type State = ();
    type Accepts = (Whereabouts,);

    async fn start((): (), _: &mut Cx<Self>) -> Result<Self, BoxError> {
        Ok(Self)
    }
}

impl Handle<Whereabouts> for Device {
    async fn handle(&mut self, _: Whereabouts, cx: &mut Cx<Self>) -> String {
        cx.node().to_string()
    }
}

/// Longer than anything here takes, and than no answer at all would go unnoticed.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_node_drains_again_at_once_and_leaves() {
    let secret = ClusterSecret::generate();
    let builder = |name| Swarm::builder(name).secret(secret.clone()).worker::<Device>();
    let a = builder("a").start().await.expect("a starts");
    let b = builder("b").seeds([a.local_addr()]).start().await.expect("b starts");
    for n in 0..50 {
        a.register::<Device>(format!("device-{n}"), ()).await.expect("it is registered");
    }
    let done = async {
        // Two at once: the second must not take the first one's progress away.
        let (first, second) = tokio::join!(b.drain().into_future(), b.drain().into_future());
        first.expect("everything moves to a");
        second.expect("and so it does for who asked a moment later");
        b.drain().await.expect("nothing is left to move");
        b.leave().await.expect("it leaves");
    };
    tokio::time::timeout(PATIENCE, done).await.expect("each of them ends");
    for n in 0..50 {
        let on = a.call(format!("device-{n}"), Whereabouts).await.expect("it answers");
        assert_eq!(on, "a");
    }
    a.shutdown().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_progress_of_a_drain_is_a_stream() {
    let node = Swarm::builder("alone").worker::<Device>().start().await.expect("it starts");
    let mut drained = node.drain().progress().await.expect("it runs");
    let mut steps = Vec::new();
    let read = async {
        while let Some(step) = poll_fn(|cx| Pin::new(&mut drained).poll_next(cx)).await {
            steps.push(step.expect("there is nothing to move"));
        }
        // Whoever asks again after the end is told that it was the end.
        assert!(drained.next().await.is_none());
    };
    tokio::time::timeout(PATIENCE, read).await.expect("it ends");
    let last = steps.last().expect("at least the end is told");
    assert_eq!((last.left, last.total), (0, 0));
    node.shutdown().await.expect("it stops");
}
