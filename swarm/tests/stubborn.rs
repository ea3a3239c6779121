//! Moves of workers that do not do their part, or to nodes that cannot.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use serde::{Deserialize, Serialize};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;
use swarm::{BoxError, Builder, Config, Cx, Handle, Handoff, Message, Swarm, Worker};

/// The node of [`Child`].
#[test]
#[ignore = "it is a node of another process"]
fn node_process() {
    run_as_node();
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Count(u64);

impl Message for Count {
    const NAME: &'static str = "count";
    type Reply = (String, u64);
}

/// Cannot start on the node `b` for as long as that has not what it needs.
struct Picky(u64);

static CAN_START: AtomicBool = AtomicBool::new(false);
static TRIED: AtomicUsize = AtomicUsize::new(0);

impl Worker for Picky {
    const KIND: &'static str = "picky";
    type Args = u64;
    type State = u64;
    type Accepts = (Count,);

    async fn start(from: u64, cx: &mut Cx<Self>) -> Result<Self, BoxError> {
        if cx.node().name.as_str() == "b" && !CAN_START.load(Ordering::Relaxed) {
            TRIED.fetch_add(1, Ordering::Relaxed);
            return Err("its database is not up".into());
        }
        Ok(Self(from))
    }

    async fn begin_handoff(&mut self, _: &mut Cx<Self>) -> Handoff<u64> {
        Handoff::Resume(self.0)
    }

    async fn end_handoff(&mut self, count: u64, _: &mut Cx<Self>) {
        self.0 = count;
    }
}

impl Handle<Count> for Picky {
    async fn handle(&mut self, Count(n): Count, cx: &mut Cx<Self>) -> (String, u64) {
        self.0 += n;
        (cx.node().to_string(), self.0)
    }
}

/// Two nodes, of which `b` is not ready yet: what is registered runs on `a`.
async fn two(with: impl Fn(Builder) -> Builder) -> (Swarm, Swarm) {
    let mut cluster = Cluster::of(0).await;
    for (name, is_ready) in [("a", true), ("b", false)] {
        let node = with(cluster.builder(name)).ready(is_ready).start().await;
        cluster.nodes.push(node.expect("the node starts"));
    }
    cluster.see_each_other().await;
    let b = cluster.nodes.remove(1);
    (cluster.nodes.remove(0), b)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_cannot_start_a_worker_gets_it_soon_after_it_can() {
    let (a, b) = two(|builder| builder.worker::<Picky>()).await;
    a.register::<Picky>("picky", 5).await.expect("registered");
    assert_eq!(a.call("picky", Count(2)).await, Ok(("a".to_owned(), 7)));
    until("the other node knows it", secs(30), || b.whereis("picky").is_some()).await;
    b.set_ready(true).await;
    // All is to go to `b`.
    a.set_ready(false).await;
    let begun = Instant::now();
    while TRIED.load(Ordering::Relaxed) < 5 {
        let counted = quickly(secs(30), b.call("picky", Count(0))).await;
        assert_eq!(counted, Ok(("a".to_owned(), 7)), "its source goes on serving");
        assert!(begun.elapsed() < secs(120), "tried {TRIED:?} times");
        tokio::time::sleep(ms(20)).await;
    }
    CAN_START.store(true, Ordering::Relaxed);
    let can = Instant::now();
    while a.call("picky", Count(0)).await != Ok(("b".to_owned(), 7)) {
        assert!(can.elapsed() < secs(10), "it starts where it belongs within 10 s");
        tokio::time::sleep(ms(20)).await;
    }
    assert!(begun.elapsed() - can.elapsed() > secs(5), "it is tried less and less often");
}

/// Its `die` never returns.
struct Clinger(u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Dies,
    IsGone,
    Takes,
    Handles,
}

static STEPS: Mutex<Vec<(Step, Instant)>> = Mutex::new(Vec::new());

fn step(step: Step) {
    STEPS.lock().expect("nobody panics while it is held").push((step, Instant::now()));
}

/// Tells when the worker that has it is no more.
struct Dying;

impl Drop for Dying {
    fn drop(&mut self) {
        step(Step::IsGone);
    }
}

impl Worker for Clinger {
    const KIND: &'static str = "clinger";
    type Args = u64;
    type State = u64;
    type Accepts = (Count,);

    async fn start(from: u64, _: &mut Cx<Self>) -> Result<Self, BoxError> {
        Ok(Self(from))
    }

    async fn begin_handoff(&mut self, _: &mut Cx<Self>) -> Handoff<u64> {
        Handoff::Resume(self.0)
    }

    async fn end_handoff(&mut self, count: u64, _: &mut Cx<Self>) {
        step(Step::Takes);
        self.0 = count;
    }

    async fn die(self, _: &mut Cx<Self>) {
        step(Step::Dies);
        let _dying = Dying;
        std::future::pending().await
    }
}

impl Handle<Count> for Clinger {
    async fn handle(&mut self, Count(n): Count, cx: &mut Cx<Self>) -> (String, u64) {
        if cx.node().name.as_str() == "b" {
            step(Step::Handles);
        }
        self.0 += n;
        (cx.node().to_string(), self.0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_worker_that_does_not_die_is_killed_before_the_new_one_runs() {
    const GRACE: std::time::Duration = secs(1);
    let (a, b) = two(|builder| {
        let mut config = Config::default();
        config.process.grace = GRACE;
        builder.worker::<Clinger>().config(config)
    })
    .await;
    a.register::<Clinger>("clinger", 5).await.expect("registered");
    assert_eq!(a.call("clinger", Count(2)).await, Ok(("a".to_owned(), 7)));
    b.set_ready(true).await;
    a.set_ready(false).await;
    let is_dying =
        || STEPS.lock().expect("not poisoned").iter().any(|(step, _)| *step == Step::Dies);
    until("the old one is to end", secs(30), is_dying).await;
    // Whoever calls it waits until the new one runs.
    let counted = a.call("clinger", Count(1)).timeout(secs(30)).await;
    assert_eq!(counted, Ok(("b".to_owned(), 8)));
    let steps = STEPS.lock().expect("not poisoned").clone();
    let order: Vec<Step> = steps.iter().map(|(step, _)| *step).collect();
    assert_eq!(order, [Step::Dies, Step::IsGone, Step::Takes, Step::Handles]);
    let took = steps[1].1 - steps[0].1;
    assert!(took >= GRACE - ms(50), "it had its grace: {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_leaving_node_cannot_hand_over_starts_anew_elsewhere() {
    let mut config = Config::default();
    config.process.handoff_timeout = ms(300);
    let (a, b) = two(|builder| builder.config(config.clone())).await;
    let ways = [("moves", Go::Resume, 7), ("silent", Go::Never, 0), ("stays", Go::Ignore, 0)];
    for (name, go, _) in &ways {
        let setup = Setup { go: go.clone(), ..Setup::default() };
        a.register::<Probe>(*name, setup).await.expect("registered");
        assert_eq!(a.call(*name, Add(7)).await, Ok(7));
    }
    b.set_ready(true).await;
    let takes = |node: &Swarm| node.nodes().iter().any(|m| m.id == *b.node() && m.ready);
    until("there is a node to go to", secs(30), || takes(&a)).await;
    a.leave().timeout(secs(2)).await.expect("it leaves all the same");
    for (name, _, count) in &ways {
        let counted = b.call(*name, Add(0)).timeout(secs(30)).await;
        assert_eq!(counted, Ok(*count), "{name}: {:?}", lives(name));
        let was_asked = lives(name).contains(&("a".to_owned(), Life::Asked));
        assert!(was_asked, "{name} is asked for what it takes along");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_had_come_to_starts_anew_elsewhere() {
    let cluster = Cluster::of(1).await;
    let mut child = cluster.add_process("killed").await;
    let here = &cluster.nodes[0];
    let members = here.nodes();
    let there = members.iter().find(|member| member.id.name.as_str() == "killed");
    let there = there.expect("it is a member").id.clone();
    let setup = Setup { count: 4, ..Setup::default() };
    let worker = worker_on(here, &there, "clean", setup).await;
    assert_eq!(worker.call(Add(7)).await, Ok(11));
    child.kill();
    let is_here = || worker.pid().is_some_and(|pid| pid.boot == here.node().boot);
    until("it runs here", secs(40), is_here).await;
    assert_eq!(worker.call(Add(0)).timeout(secs(30)).await, Ok(4), "from its arguments");
    assert!(!lives(&worker.name().to_string()).iter().any(|(_, l)| matches!(l, Life::Resumed(_))));
}
