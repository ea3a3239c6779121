//! Large states: they move in chunks, up to what is set, and what is above that stays where it is.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use serde::{Deserialize, Serialize};
use swarm::{BoxError, Config, Cx, Event, Handle, Handoff, Message, Swarm, Worker};

const MIB: usize = 1 << 20;

/// Carries so many bytes, no two neighbours of which are alike.
struct Carrier {
    cargo: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Cargo(#[serde(with = "serde_bytes")] Vec<u8>);

/// Replies with how much there is, once it has looked at all of it, and with the node's name.
#[derive(Serialize, Deserialize)]
struct Weigh;

impl Message for Weigh {
    const NAME: &'static str = "weigh";
    type Reply = (usize, String);
}

fn byte(at: usize) -> u8 {
    (at % 251) as u8
}

impl Worker for Carrier {
    const KIND: &'static str = "carrier";
    type Args = usize;
    type State = Cargo;
    type Accepts = (Weigh,);

    async fn start(len: usize, _: &mut Cx<Self>) -> Result<Self, BoxError> {
        Ok(Self { cargo: (0..len).map(byte).collect() })
    }

    async fn begin_handoff(&mut self, _: &mut Cx<Self>) -> Handoff<Cargo> {
        // What comes back is this, or the move has lost it.
        let mut cargo = self.cargo.clone();
        cargo.push(byte(cargo.len()));
        Handoff::Resume(Cargo(cargo))
    }

    async fn end_handoff(&mut self, Cargo(cargo): Cargo, _: &mut Cx<Self>) {
        self.cargo = cargo;
    }

    async fn resolve_conflict(&mut self, Cargo(other): Cargo, _: &mut Cx<Self>) {
        self.cargo.extend(other);
    }
}

impl Handle<Weigh> for Carrier {
    async fn handle(&mut self, _: Weigh, cx: &mut Cx<Self>) -> (usize, String) {
        let is_whole = self.cargo.iter().enumerate().all(|(at, found)| *found == byte(at));
        (if is_whole { self.cargo.len() } else { 0 }, cx.node().name.to_string())
    }
}

/// Two nodes, of which only the first takes names.
async fn two(config: &Config) -> Cluster {
    let mut cluster = Cluster { secret: swarm::ClusterSecret::generate(), nodes: Vec::new() };
    for name in ["n0", "n1"] {
        let node = cluster.builder(name).worker::<Carrier>().config(config.clone());
        cluster.nodes.push(node.start().await.expect("the node starts"));
    }
    cluster.see_each_other().await;
    cluster.nodes[1].set_ready(false).await;
    let knows = |node: &Swarm| node.nodes().iter().filter(|member| member.ready).count() == 1;
    until("one takes names", CONVERGED, || cluster.nodes.iter().all(knows)).await;
    cluster
}

fn limit(state_bytes_max: usize) -> Config {
    let mut config = Config::default();
    config.handoff.state_bytes_max = state_bytes_max;
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn states_of_many_mebibytes_move_where_that_is_set() {
    let cluster = two(&limit(64 * MIB)).await;
    let (from, to) = (&cluster.nodes[0], &cluster.nodes[1]);
    // More than there is room for at once, and one that fits into its offer.
    let sizes = [20 * MIB, 30 * MIB, 40 * MIB, 100, 64 * 1024];
    for (at, len) in sizes.iter().enumerate() {
        from.register::<Carrier>(format!("large-{at}"), *len).await.expect("registered");
    }
    to.set_ready(true).await;
    from.set_ready(false).await;
    let boot = to.node().boot;
    for (at, len) in sizes.iter().enumerate() {
        let name = format!("large-{at}");
        until("it moves", secs(60), || to.whereis(&name).is_some_and(|pid| pid.boot == boot)).await;
        let weighed = to.call(&name, Weigh).timeout(secs(30)).await;
        assert_eq!(weighed, Ok((len + 1, "n1".to_owned())), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_above_the_limit_stays_where_it_is() {
    let cluster = two(&Config::default()).await;
    let (from, to) = (&cluster.nodes[0], &cluster.nodes[1]);
    let mut events = from.events();
    for (name, len) in [("stays", 17 * MIB), ("goes", 2 * MIB)] {
        from.register::<Carrier>(name, len).await.expect("registered");
    }
    to.set_ready(true).await;
    from.set_ready(false).await;
    let outcome = event(&mut events, secs(30), |event| match event {
        Event::MoveEnded { name, outcome, .. } if name.as_str() == Some("stays") => {
            Some(outcome.clone())
        }
        _ => None,
    });
    let why = "its state has 17825798 bytes, handoff.state_bytes_max is 16777216";
    let outcome = outcome.await;
    assert!(outcome.ends_with(why), "{outcome}");
    let weighed = to.call("stays", Weigh).timeout(secs(30)).await;
    assert_eq!(weighed, Ok((17 * MIB, "n0".to_owned())), "it goes on");
    let boot = to.node().boot;
    until("others move", secs(60), || to.whereis("goes").is_some_and(|pid| pid.boot == boot)).await;
    let weighed = to.call("goes", Weigh).timeout(secs(30)).await;
    assert_eq!(weighed, Ok((2 * MIB + 1, "n1".to_owned())));
}

/// It would be sent again and again, and refused by the link each time.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_too_large_to_hand_over_ends_without_its_state() {
    let secret = swarm::ClusterSecret::generate();
    let mut nodes = Vec::new();
    let mut seeds = Vec::new();
    for (name, len) in [("a", 17 * MIB), ("b", 1000)] {
        let node = Swarm::builder(name).secret(secret.clone()).worker::<Carrier>();
        let node = node.config(limit(32 * MIB)).start().await.expect("the node starts");
        node.register::<Carrier>("twice", len).await.expect("registered");
        seeds.push(node.local_addr());
        nodes.push(node);
    }
    let mut events = nodes[0].events();
    // The one of the node that began later stays; they meet through a third.
    let bridge = Swarm::builder("bridge").secret(secret).seeds(seeds).config(limit(32 * MIB));
    nodes.push(bridge.start().await.expect("the node starts"));
    let lost = event(&mut events, secs(60), |event| match event {
        Event::ConflictStateLost { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    let why = "it has 17825798 bytes, a conflict hands over 16777216 at most";
    assert_eq!(lost.await, why);
    let kept = |event: &Event| matches!(event, Event::ConflictResolved { .. }).then_some(());
    event(&mut events, secs(60), kept).await;
    let agree = || {
        let pid = nodes[0].whereis("twice");
        pid.is_some() && nodes.iter().all(|node| node.whereis("twice") == pid)
    };
    until("one copy is left", secs(30), agree).await;
}
