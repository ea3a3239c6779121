//! The order of messages while their receivers move, seen from every node.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;
use swarm::{BoxError, Config, Cx, Handle, Handoff, Message, Swarm, Worker};
use tokio::sync::{mpsc, oneshot, watch};

/// What came of the messages of one sender: the last, and those that came after a later one or
/// twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Heard {
    count: u64,
    last: u64,
    late: Vec<u64>,
}

/// Keeps account of who said what.
#[derive(Default)]
struct Scribe {
    heard: BTreeMap<String, Heard>,
}

/// A message with the number that its sender gave it, from 1.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Numbered {
    sender: String,
    number: u64,
}

impl Message for Numbered {
    const NAME: &'static str = "numbered";
    type Reply = ();
}

/// Replies with what came of the messages of this sender.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct HeardOf(String);

impl Message for HeardOf {
    const NAME: &'static str = "heard-of";
    type Reply = Heard;
}

impl Worker for Scribe {
    const KIND: &'static str = "scribe";
    type Args = Vec<String>;
    type State = BTreeMap<String, Heard>;
    type Accepts = (Numbered, HeardOf);

    async fn start(groups: Vec<String>, cx: &mut Cx<Self>) -> Result<Self, BoxError> {
        for group in &groups {
            cx.join(group);
        }
        Ok(Self::default())
    }

    async fn begin_handoff(&mut self, _: &mut Cx<Self>) -> Handoff<Self::State> {
        Handoff::Resume(self.heard.clone())
    }

    async fn end_handoff(&mut self, heard: Self::State, cx: &mut Cx<Self>) {
        self.heard = heard;
        if cx.name().to_string() == HOLDS_UP
            && let Some(hold_up) = HOLD_UP.lock().expect("nobody panics while it is held").take()
        {
            hold_up.send(()).expect("the node that it came from lives");
        }
    }
}

impl Handle<Numbered> for Scribe {
    async fn handle(&mut self, Numbered { sender, number }: Numbered, _: &mut Cx<Self>) {
        let heard = self.heard.entry(sender).or_default();
        heard.count += 1;
        if number <= heard.last {
            heard.late.push(number);
        }
        heard.last = heard.last.max(number);
    }
}

impl Handle<HeardOf> for Scribe {
    async fn handle(&mut self, HeardOf(sender): HeardOf, _: &mut Cx<Self>) -> Heard {
        self.heard.get(&sender).cloned().unwrap_or_default()
    }
}

/// The scribe that holds up the node that it came from once it has moved.
const HOLDS_UP: &str = "holds-up";

static HOLD_UP: Mutex<Option<mpsc::UnboundedSender<()>>> = Mutex::new(None);

/// A node on a thread of its own, which stands still for a while when it is told to.
async fn on_its_own(builder: swarm::Builder) -> (Swarm, mpsc::UnboundedSender<()>) {
    let (hold_up, mut told) = mpsc::unbounded_channel();
    let (started, node) = oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let node = builder.start().await.expect("the node starts");
            assert!(started.send(node).is_ok(), "the test waits for it");
            while told.recv().await.is_some() {
                std::thread::sleep(ms(400));
            }
        });
    });
    (node.await.expect("it has started"), hold_up)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_at_the_old_node_is_not_overtaken_by_what_goes_to_the_new_one() {
    let mut cluster = Cluster::of(1).await;
    let (old, hold_up) = on_its_own(cluster.builder("old").worker::<Scribe>()).await;
    cluster.nodes.push(old.clone());
    let new = cluster.builder("new").worker::<Scribe>().ready(false);
    let new = new.start().await.expect("the node starts");
    cluster.nodes.push(new.clone());
    cluster.see_each_other().await;
    let sender = cluster.nodes[0].clone();
    let scribe = sender.register::<Scribe>(HOLDS_UP, Vec::new()).await.expect("registered");
    assert_eq!(scribe.pid().expect("registered").boot, old.node().boot);
    *HOLD_UP.lock().expect("nobody panics while it is held") = Some(hold_up.clone());
    new.set_ready(true).await;
    old.set_ready(false).await;
    let mut number = 0;
    let mut after = 0;
    // Some go by the old node, until the sender knows better.
    while after < 100 {
        number += 1;
        let moved = sender.whereis(HOLDS_UP).is_some_and(|pid| pid.boot == new.node().boot);
        after += usize::from(moved);
        let cast = sender.cast(HOLDS_UP, Numbered { sender: "one".into(), number });
        cast.timeout(secs(30)).await.expect("it is served");
        if number % 20 == 0 {
            tokio::time::sleep(ms(1)).await;
        }
    }
    let heard = sender.call(HOLDS_UP, HeardOf("one".into())).timeout(secs(30)).await;
    assert_eq!(heard, Ok(Heard { count: number, last: number, late: Vec::new() }));
}

const NAMES: usize = 12;

/// Four nodes that move at once what is not where it belongs, and names on all of them.
async fn scribes(prefix: &str) -> Cluster {
    let mut config = Config::default();
    config.handoff.hold_down = ms(20);
    config.handoff.flap_hold = Duration::ZERO;
    let mut cluster = Cluster::of(0).await;
    for at in 0..4 {
        let node = cluster.builder(&format!("n{at}")).worker::<Scribe>().config(config.clone());
        cluster.nodes.push(node.start().await.expect("the node starts"));
    }
    cluster.see_each_other().await;
    for at in 0..NAMES {
        let name = format!("{prefix}-{at}");
        let groups = vec![format!("group-of-{name}")];
        cluster.nodes[0].register::<Scribe>(&name, groups).await.expect("registered");
    }
    let known = |node: &Swarm| listed(node, &format!("{prefix}-")).len() == NAMES;
    until("all nodes know them", CONVERGED, || cluster.nodes.iter().all(known)).await;
    cluster
}

/// Lets two nodes be ready and not in turns, so that names leave each and come back. Returns how
/// many moves this made.
async fn to_and_fro(cluster: &Cluster, prefix: &str, turns: usize) -> usize {
    let prefix = format!("{prefix}-");
    let watcher = &cluster.nodes[0];
    let mut places = listed(watcher, &prefix);
    let mut moves = 0;
    for turn in 0..turns {
        let node = &cluster.nodes[1 + turn / 2 % 2];
        let ready = turn % 2 == 1;
        node.set_ready(ready).await;
        let as_it_should = || shares(watcher, &prefix).contains_key(&node.node().boot) == ready;
        until("the names have moved", secs(30), as_it_should).await;
        let now = listed(watcher, &prefix);
        moves += now.iter().zip(&places).filter(|(now, then)| now != then).count();
        places = now;
    }
    moves
}

/// Where each sender is, and to whom it sends.
fn pairs(cluster: &Cluster, prefix: &str) -> Vec<(Swarm, String, String)> {
    let to = |node: &Swarm, at| {
        let sender = node.node().to_string();
        (node.clone(), format!("{prefix}-{at}"), sender)
    };
    cluster.nodes.iter().flat_map(|node| (0..NAMES).map(move |at| to(node, at))).collect()
}

/// Lets every node send to every name, twenty messages at a time, while these move; `judge` sees
/// what has come of them after each twenty.
async fn while_they_move<F: Future<Output = ()> + Send + 'static>(
    prefix: &str,
    send: fn(Swarm, String, Numbered) -> F,
    judge: fn(&Heard, u64) -> bool,
) {
    let cluster = scribes(prefix).await;
    let (stop, stopped) = watch::channel(false);
    let senders: Vec<_> = pairs(&cluster, prefix)
        .into_iter()
        .map(|(node, name, sender)| {
            let stopped = stopped.clone();
            tokio::spawn(async move {
                let mut number = 0;
                while !*stopped.borrow() {
                    for _ in 0..20 {
                        number += 1;
                        let sender = sender.clone();
                        send(node.clone(), name.clone(), Numbered { sender, number }).await;
                    }
                    let heard = node.call(&name, HeardOf(sender.clone())).timeout(secs(30));
                    let heard = heard.await.expect("it is served");
                    assert!(judge(&heard, number), "{heard:?} of {number} from {sender} by {name}");
                }
                number
            })
        })
        .collect();
    let moves = to_and_fro(&cluster, prefix, 12).await;
    stop.send(true).expect("the senders listen");
    let mut sent = 0;
    for sender in senders {
        sent += sender.await.expect("all is as it should be");
    }
    assert!(moves >= 20 && sent >= 10_000, "{moves} moves, {sent} messages");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_sender_casts_arrives_once_and_in_order_through_many_moves() {
    let send = |node: Swarm, name: String, message| async move {
        node.cast(&name, message).timeout(secs(30)).await.expect("it is served");
    };
    let all = |heard: &Heard, sent| *heard == Heard { count: sent, last: sent, late: Vec::new() };
    while_they_move("cast", send, all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_arrives_at_most_once_and_in_order_through_many_moves() {
    let send = |node: Swarm, name: String, message| async move {
        let group = format!("group-of-{name}");
        let told = node.publish(&group, message).await;
        assert!(told <= 1, "{group} has one member, {told} were told");
    };
    while_they_move("told", send, |heard, _| heard.late.is_empty()).await;
}
