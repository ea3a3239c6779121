//! Links and monitors between processes of different nodes: each end is told once, with its reason,
//! whatever becomes of queues and sessions in between.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::{Cluster, DETECTED, ms, quickly, secs};
use serde::{Deserialize, Serialize};
use std::time::Instant;
use swarm::{
    BoxError, ClusterSecret, Config, Cx, ExitReason, Handle, Message, Monitor, Pid, Ref, Stop,
    Swarm, Worker,
};

macro_rules! message {
    ($name:ident ($($field:ty),*) = $wire:literal) => {
        #[derive(Clone, Debug, Serialize, Deserialize)]
        struct $name($($field),*);

        impl Message for $name {
            const NAME: &'static str = $wire;
            type Reply = ();
        }
    };
}

message!(Ping() = "ping");
message!(Boom() = "boom");
message!(Long(Vec<u8>) = "long");
// Links with a process, joins a group, and then goes on, stops or panics.
message!(Tie(Pid, String, Then) = "tie");

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Then {
    GoOn,
    Stop,
    Panic,
}

/// A process that is linked with others.
struct Tied;

impl Worker for Tied {
    const KIND: &'static str = "tied";
    type Args = ();
    type State = ();
    type Accepts = (Ping, Boom, Long, Tie);

    async fn start((): (), _: &mut Cx<Self>) -> Result<Self, BoxError> {
        Ok(Self)
    }
}

impl Handle<Ping> for Tied {
    async fn handle(&mut self, _: Ping, _: &mut Cx<Self>) {}
}

impl Handle<Boom> for Tied {
    async fn handle(&mut self, _: Boom, _: &mut Cx<Self>) {
        panic!("boom")
    }
}

impl Handle<Long> for Tied {
    async fn handle(&mut self, _: Long, _: &mut Cx<Self>) {}
}

impl Handle<Tie> for Tied {
    async fn handle(&mut self, Tie(other, group, then): Tie, cx: &mut Cx<Self>) {
        cx.link(other);
        cx.join(group);
        match then {
            Then::GoOn => (),
            Then::Stop => cx.stop(),
            Then::Panic => panic!("boom"),
        }
    }
}

async fn cluster(names: &[&str], configure: impl Fn(&str) -> Config) -> Cluster {
    let mut cluster = Cluster { secret: ClusterSecret::generate(), nodes: Vec::new() };
    for name in names {
        let builder = cluster.builder(name).worker::<Tied>().config(configure(name));
        cluster.nodes.push(builder.start().await.expect("the node starts"));
    }
    cluster.see_each_other().await;
    cluster
}

async fn spawn(node: &Swarm) -> (Ref<Tied>, Pid) {
    let process = node.spawn::<Tied>(()).await.expect("spawned");
    let pid = process.pid().expect("it lives");
    (process, pid)
}

fn panicked() -> ExitReason {
    ExitReason::Panicked { message: "boom".to_owned() }
}

/// A process on each of two nodes, to call it from the other.
struct Pair(Ref<Tied>, Ref<Tied>);

impl Pair {
    async fn of(a: &Swarm, b: &Swarm) -> Self {
        Self(spawn(a).await.0, spawn(b).await.0)
    }

    /// All that either node has sent has arrived at the other, and what that has sent for it.
    async fn settle(&self, a: &Swarm, b: &Swarm) {
        for _ in 0..2 {
            let call = a.at(self.1.address()).call(Ping()).timeout(secs(30)).await;
            call.expect("b answers");
            let call = b.at(self.0.address()).call(Ping()).timeout(secs(30)).await;
            call.expect("a answers");
        }
    }
}

/// Links `from` with `to`, of another node. Once it returns, its node has sent the link.
async fn tie(cluster: &Cluster, from: &Ref<Tied>, to: Pid) {
    let group = format!("tied-{from:?}");
    from.call(Tie(to, group.clone(), Then::GoOn)).await.expect("it lives");
    // The link was sent before the group was joined.
    cluster.until_count(&group, secs(30), 1).await;
}

async fn reason(monitor: Monitor) -> ExitReason {
    quickly(secs(30), monitor).await.reason
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_is_no_normal_one_ends_the_other_end() {
    let cluster = cluster(&["a", "b"], |_| Config::default()).await;
    let [a, b] = [&cluster.nodes[0], &cluster.nodes[1]];
    let pair = Pair::of(a, b).await;
    for at in 0..8 {
        let ((p, p_pid), (q, q_pid)) = (spawn(a).await, spawn(b).await);
        tie(&cluster, &p, q_pid).await;
        let monitors = [a.monitor(p_pid), b.monitor(p_pid), a.monitor(q_pid), b.monitor(q_pid)];
        pair.settle(a, b).await;
        let (ends, ends_pid) = if at % 2 == 0 { (&p, p_pid) } else { (&q, q_pid) };
        let want = match at {
            0..4 => {
                ends.cast(Boom()).await.expect("it lives");
                panicked()
            }
            _ => {
                ends.stop(Stop::Kill).await.expect("it lives");
                ExitReason::Killed
            }
        };
        for monitor in monitors {
            let down = quickly(secs(30), monitor).await;
            match down.pid == ends_pid {
                true => assert_eq!(down.reason, want),
                false => assert_eq!(down.reason, ExitReason::Linked { pid: ends_pid }),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_normal_end_leaves_the_other_end_alone() {
    let cluster = cluster(&["a", "b"], |_| Config::default()).await;
    let [a, b] = [&cluster.nodes[0], &cluster.nodes[1]];
    let pair = Pair::of(a, b).await;
    for at in 0..6 {
        let ((p, p_pid), (q, q_pid)) = (spawn(a).await, spawn(b).await);
        tie(&cluster, &p, q_pid).await;
        pair.settle(a, b).await;
        let ((ends, ends_pid), stays) = match at % 2 {
            0 => ((&p, p_pid), &q),
            _ => ((&q, q_pid), &p),
        };
        let monitors = cluster.nodes.iter().map(|node| node.monitor(ends_pid));
        let monitors: Vec<_> = monitors.collect();
        ends.stop(Stop::Graceful(secs(5))).await.expect("it lives");
        for monitor in monitors {
            reason(monitor).await;
        }
        pair.settle(a, b).await;
        stays.call(Ping()).timeout(secs(30)).await.expect("it lives on");
    }
}

/// The other end hears of the link when this one is gone: of how it ended, not that it is gone.
#[tokio::test(flavor = "multi_thread")]
async fn who_links_and_ends_at_once_ends_the_other_end_only_by_a_panic() {
    let cluster = cluster(&["a", "b"], |_| Config::default()).await;
    let [a, b] = [&cluster.nodes[0], &cluster.nodes[1]];
    let mut stay = Vec::new();
    for at in 0..40 {
        let ((p, p_pid), (q, q_pid)) = (spawn(a).await, spawn(b).await);
        let then = if at % 2 == 0 { Then::Stop } else { Then::Panic };
        let monitor = b.monitor(q_pid);
        p.cast(Tie(q_pid, format!("at-once-{at}"), then)).await.expect("it lives");
        match then {
            Then::Panic => {
                assert_eq!(reason(monitor).await, ExitReason::Linked { pid: p_pid });
            }
            _ => stay.push((q, monitor)),
        }
    }
    // One that is made now is sent behind all of these.
    let pair = Pair::of(a, b).await;
    tie(&cluster, &pair.0, pair.1.pid().expect("it lives")).await;
    pair.settle(a, b).await;
    for (q, monitor) in stay {
        q.call(Ping()).timeout(secs(30)).await.expect("it lives on");
        let ended = tokio::time::timeout(ms(20), monitor).await;
        assert!(ended.is_err(), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_dies_ends_what_is_linked_with_its_processes() {
    let mut cluster = cluster(&["a", "b"], |_| Config::default()).await;
    let [a, b] = [cluster.nodes[0].clone(), cluster.nodes[1].clone()];
    let ((p, p_pid), (q, q_pid)) = (spawn(&a).await, spawn(&b).await);
    let (other, other_pid) = spawn(&a).await;
    tie(&cluster, &p, q_pid).await;
    let monitor = a.monitor(p_pid);
    drop((b, q));
    cluster.drop_node(1);
    let down = quickly(DETECTED + secs(30), monitor).await;
    assert_eq!(down.reason, ExitReason::Linked { pid: q_pid });
    other.call(Ping()).await.expect("it has no link");
    assert!(tokio::time::timeout(ms(20), a.monitor(other_pid)).await.is_err());
}

/// Frames of monitors and of ends by the thousand, through queues that hold a few hundred.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_monitors_through_a_full_queue_tell_ten_thousand_times() {
    let small = |_: &str| {
        let mut config = Config::default();
        config.quic.message_queue_bytes = 1_024;
        config
    };
    let cluster = cluster(&["a", "b"], small).await;
    let [a, b] = [&cluster.nodes[0], &cluster.nodes[1]];
    let mut processes = Vec::new();
    for _ in 0..100 {
        processes.push(spawn(b).await);
    }
    let watch = |at: usize| a.monitor(processes[at % 100].1);
    let monitors: Vec<Monitor> = (0..10_000).map(watch).collect();
    // So that none comes too late.
    let begun = Instant::now();
    let served = || async { a.snapshot().await.expect("it runs").unsent_watches };
    while served().await > 0 {
        assert!(begun.elapsed() < secs(60), "the monitors do not get through");
        tokio::time::sleep(ms(5)).await;
    }
    Pair::of(a, b).await.settle(a, b).await;
    for (process, _) in &processes {
        process.cast(Boom()).await.expect("it lives");
    }
    for monitor in monitors {
        assert_eq!(quickly(secs(60), monitor).await.reason, panicked());
    }
    let begun = Instant::now();
    while b.snapshot().await.expect("it runs").untaken_ends > 0 {
        assert!(begun.elapsed() < secs(60), "ends are kept that were taken");
        tokio::time::sleep(ms(5)).await;
    }
}

/// One node closes the session at each frame that is too long for it; what was on its way is lost.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_is_lost_with_its_session_is_told_on_the_next() {
    let strict = |name: &str| {
        let mut config = Config::default();
        if name == "b" {
            config.quic.message_len_max = 2_048;
        }
        // It is dialled anew at once, however often.
        config.link.backoff_max = config.link.backoff_min;
        config.link.larger_waits = ms(50);
        config
    };
    let cluster = cluster(&["a", "b"], strict).await;
    let [a, b] = [&cluster.nodes[0], &cluster.nodes[1]];
    let (target, _) = spawn(b).await;
    let target = a.at(target.address());
    for _ in 0..4 {
        let mut watched = Vec::new();
        for _ in 0..40 {
            let (process, pid) = spawn(b).await;
            watched.push((process, a.monitor(pid)));
        }
        for (process, _) in &watched {
            let process = a.at(process.address());
            let begun = Instant::now();
            // The last break may not be over.
            while process.call(Ping()).timeout(secs(1)).await.is_err() {
                assert!(begun.elapsed() < secs(30), "no session comes up");
            }
        }
        let ends = async {
            for (process, _) in &watched {
                process.cast(Boom()).await.expect("it lives");
                tokio::task::yield_now().await;
            }
        };
        let breaks = target.cast(Long(vec![7; 4_096]));
        let ((), broken) = tokio::join!(ends, breaks.into_future());
        broken.expect("it is sent, and not taken");
        for (_, monitor) in watched {
            assert_eq!(reason(monitor).await, panicked());
        }
    }
}
