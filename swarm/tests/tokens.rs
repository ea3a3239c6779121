//! Fencing tokens rise with every start and move of a name.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use serde::{Deserialize, Serialize};
use swarm::{BoxError, Cx, Handle, Handoff, Message, Stop, Swarm, Token, Worker};

struct Holder;

/// Replies with the token; a worker that is told to crashes afterwards.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Show;

impl Message for Show {
    const NAME: &'static str = "show";
    type Reply = Token;
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Fall;

impl Message for Fall {
    const NAME: &'static str = "fall";
    type Reply = ();
}

impl Worker for Holder {
    const KIND: &'static str = "holder";
    type Args = ();
    type State = ();
    type Accepts = (Show, Fall);

    async fn start((): (), _: &mut Cx<Self>) -> Result<Self, BoxError> {
        Ok(Self)
    }

    async fn begin_handoff(&mut self, _: &mut Cx<Self>) -> Handoff<()> {
        Handoff::Restart
    }
}

impl Handle<Show> for Holder {
    async fn handle(&mut self, _: Show, cx: &mut Cx<Self>) -> Token {
        cx.token()
    }
}

impl Handle<Fall> for Holder {
    async fn handle(&mut self, _: Fall, _: &mut Cx<Self>) {
        panic!("as it was told");
    }
}

/// The token of `name`, which is above all before.
async fn rises(node: &Swarm, name: &str, last: &mut Token, after: &str) {
    let token = node.call(name, Show).await.expect("it is served");
    assert!(token > *last, "{token} after {last}, after {after}");
    *last = token;
}

#[tokio::test(flavor = "multi_thread")]
async fn they_rise_with_every_start_and_move_also_after_a_stop() {
    let mut cluster = Cluster::of(0).await;
    for name in ["a", "b"] {
        let node = cluster.builder(name).worker::<Holder>().start().await.expect("it starts");
        cluster.nodes.push(node);
    }
    cluster.see_each_other().await;
    let name = "fenced";
    let mut last = Token::default();
    for _ in 0..3 {
        let node = &cluster.nodes[0];
        let fenced = node.register::<Holder>(name, ()).await.expect("registered");
        rises(node, name, &mut last, "a start").await;
        fenced.stop(Stop::Kill).await.expect("stopped");
        cluster.until_all(name, CONVERGED, None).await;
    }
    for _ in 0..3 {
        let node = &cluster.nodes[0];
        let fenced = node.register::<Holder>(name, ()).await.expect("registered");
        rises(node, name, &mut last, "a start").await;
        let _ = node.call(name, Fall).await.expect_err("it falls");
        rises(node, name, &mut last, "a restart").await;
        let home = fenced.pid().expect("registered").boot;
        let home = cluster.nodes.iter().find(|node| node.node().boot == home).expect("one of them");
        home.set_ready(false).await;
        let has_moved = || node.whereis(name).is_some_and(|pid| pid.boot != home.node().boot);
        until("it has moved", secs(20), has_moved).await;
        rises(node, name, &mut last, "a move").await;
        home.set_ready(true).await;
        node.unregister(name).await.expect("stopped");
        cluster.until_all(name, CONVERGED, None).await;
    }
    // A node that was not there has it next.
    let late = cluster.builder("c").worker::<Holder>().start().await.expect("it starts");
    cluster.nodes.push(late.clone());
    cluster.see_each_other().await;
    for node in &cluster.nodes[..2] {
        node.set_ready(false).await;
    }
    let ready = |node: &Swarm| node.nodes().iter().filter(|member| member.ready).count() == 1;
    until("only one is ready", CONVERGED, || cluster.nodes.iter().all(ready)).await;
    let fenced = late.register::<Holder>(name, ()).await.expect("registered");
    assert_eq!(fenced.pid().expect("registered").boot, late.node().boot);
    rises(&late, name, &mut last, "a start elsewhere").await;
    fenced.stop(Stop::Kill).await.expect("stopped");
}
