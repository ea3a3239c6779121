//! Names of every sort and in every number, and groups of every mood.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Instant;
use swarm::{
    BoxError, CallError, Cx, ExitReason, Handle, Message, Name, Pid, RegisterError, Stop, Swarm,
    Worker,
};

/// Waits until all nodes have these lists of a prefix, which are the same ones.
async fn until_listed(cluster: &Cluster, prefix: &str, want: &[(Name, Pid)]) {
    let what = format!("every node lists {} names", want.len());
    let all = || cluster.nodes.iter().all(|node| listed(node, prefix) == want);
    until(&what, CONVERGED, all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_tasks_of_one_node_one_gets_a_name_whichever_way_they_ask() {
    let cluster = Cluster::of(2).await;
    for at in 0..40 {
        let node = &cluster.nodes[at % 2];
        let mut tasks = Vec::new();
        for task in 0..10 {
            let (node, name) = (node.clone(), format!("ten-{at}"));
            // Half of the names are given to processes, half placed, some of them both ways.
            let by_pid = at < 15 || at < 25 && task % 2 == 0;
            tasks.push(tokio::spawn(async move {
                if by_pid {
                    let process = node.spawn::<Probe>(Setup::default()).await.expect("spawned");
                    let pid = process.pid().expect("spawned");
                    return node.register_pid(&name, pid).await.map(|()| pid);
                }
                let worker = node.register::<Probe>(&name, Setup::default()).await?;
                Ok(worker.pid().expect("whoever got Ok reads its own write"))
            }));
        }
        let (mut won, mut told) = (Vec::new(), Vec::new());
        for task in tasks {
            match task.await.expect("no task panics") {
                Ok(pid) => won.push(pid),
                Err(RegisterError::AlreadyRegistered { pid, .. }) => told.push(pid),
                Err(error) => panic!("ten-{at}: {error}"),
            }
        }
        assert_eq!((won.len(), told.len()), (1, 9), "ten-{at}");
        assert!(told.iter().all(|pid| *pid == won[0]), "ten-{at}: {won:?} {told:?}");
        cluster.until_all(&format!("ten-{at}"), CONVERGED, Some(won[0])).await;
    }
}

/// A name as a program may have it.
#[derive(Serialize)]
enum Place {
    Room { floor: i8, number: u32 },
    Lobby,
}

/// The same values, made anew each time.
fn values() -> Vec<Name> {
    let name = |name: Result<Name, _>| name.expect("a name");
    vec![
        name(Name::new("")),
        name(Name::new("1")),
        name(Name::new("日本 🦀")),
        name(Name::from_value(&1_u64)),
        name(Name::from_value(&-1_i64)),
        name(Name::from_value(&u64::MAX)),
        name(Name::from_value(&())),
        name(Name::from_value(&Some("1"))),
        name(Name::from_value(&("device", 7_u8))),
        name(Name::from_value(&("device", 8_u8))),
        name(Name::from_value(&(("device", 7_u8), [1_u16, 2]))),
        name(Name::from_value(&Place::Lobby)),
        name(Name::from_value(&Place::Room { floor: -1, number: 101 })),
        name(Name::from_value(&serde_bytes::Bytes::new(b""))),
        name(Name::from_value(&serde_bytes::Bytes::new(&[0xc1, 0, 0xff]))),
        name(Name::from_value(&serde_bytes::Bytes::new(&[7; 1000]))),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_are_equal_name_the_same_process_on_every_node() {
    let cluster = Cluster::of(3).await;
    let mut pids = BTreeMap::new();
    for (at, name) in values().into_iter().enumerate() {
        let by = &cluster.nodes[at % 3];
        let pid = if at % 2 == 0 {
            by.register::<Probe>(&name, Setup::default()).await.map(|worker| worker.pid())
        } else {
            let process = by.spawn::<Probe>(Setup::default()).await.expect("spawned");
            let pid = process.pid().expect("spawned");
            by.register_pid(&name, pid).await.map(|()| Some(pid))
        };
        let pid = pid.map(|pid| pid.expect("registered"));
        match pid {
            Ok(pid) => assert_eq!(pids.insert(name, pid), None),
            // A string is the same name, whatever it was wrapped in.
            Err(RegisterError::AlreadyRegistered { name: of, pid }) => {
                assert_eq!((pids.get(&of), of.as_str()), (Some(&pid), Some("1")));
            }
            Err(error) => panic!("{name:?}: {error}"),
        }
    }
    assert_eq!(pids.len(), values().len() - 1, "all others are names of their own");
    for name in values() {
        let pid = pids[&name];
        let found = || cluster.nodes.iter().all(|node| node.whereis(&name) == Some(pid));
        until("every node finds it", CONVERGED, found).await;
        for node in &cluster.nodes {
            match node.register::<Probe>(&name, Setup::default()).await.map(drop) {
                Err(RegisterError::AlreadyRegistered { name: of, pid: held }) => {
                    assert_eq!((&of, held), (&name, pid));
                }
                other => panic!("{name:?}: {other:?}"),
            }
            assert_eq!(node.call(&name, Add(0)).await, Ok(0), "{name:?}");
        }
    }
    let all: Vec<_> = pids.into_iter().collect();
    for node in &cluster.nodes {
        assert_eq!(sorted(node.registered().collect()), all);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_names_are_one_list_on_three_nodes() {
    let cluster = Cluster::of(3).await;
    let tasks: Vec<_> = (0..30)
        .map(|task| {
            let node = cluster.nodes[task % 3].clone();
            tokio::spawn(async move {
                let process = node.spawn::<Probe>(Setup::default()).await.expect("spawned");
                let pid = process.pid().expect("spawned");
                let mut names = Vec::new();
                for at in (task..10_000).step_by(30) {
                    let name = Name::new(format!("many-{at}")).expect("a name");
                    // By pid, and every tenth as the ring says.
                    let pid = if at % 10 == 9 {
                        let placed = node.register::<Other>(&name, ()).await.expect("registered");
                        placed.pid().expect("registered")
                    } else {
                        node.register_pid(&name, pid).await.expect("registered");
                        pid
                    };
                    names.push((name, pid));
                }
                names
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.expect("all are registered"));
    }
    let all = sorted(all);
    until_listed(&cluster, "many-", &all).await;
    for node in &cluster.nodes {
        assert_eq!(node.registered().count(), 10_000);
        assert_eq!(
            node.registered().prefix("many-99").count(),
            111,
            "99, 990 to 999, 9900 to 9999"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_keeps_its_other_names_and_takes_all_along_when_it_ends() {
    let cluster = Cluster::of(3).await;
    let mut took = Vec::new();
    for at in 0..30 {
        let home = &cluster.nodes[at % 3];
        let worker = home.spawn::<Probe>(Setup::default()).await.expect("spawned");
        let pid = worker.pid().expect("spawned");
        let [a, b, c] = ["a", "b", "c"].map(|of| format!("{of}-{at}"));
        for (n, name) in [&a, &b, &c].into_iter().enumerate() {
            cluster.nodes[n].register_pid(name, pid).await.expect("registered");
        }
        worker.join("holders").await.expect("joined");
        cluster.nodes[(at + 1) % 3].unregister(&a).await.expect("taken away");
        cluster.until_all(&a, CONVERGED, None).await;
        for name in [&b, &c] {
            cluster.until_all(name, CONVERGED, Some(pid)).await;
        }
        cluster.until_members("holders", CONVERGED, &[pid]).await;

        let down = home.monitor(pid);
        let ended = Instant::now();
        match at % 3 {
            0 => worker.stop(Stop::Kill).await.expect("killed"),
            1 => worker.cast(Quit()).await.expect("sent"),
            _ => worker.cast(Crash("on purpose".to_owned())).await.expect("sent"),
        }
        quickly(CONVERGED, down).await;
        assert_eq!((home.whereis(&b), home.whereis(&c)), (None, None), "its end was seen here");
        assert_eq!(home.members("holders"), []);
        for name in [&b, &c] {
            cluster.until_all(name, CONVERGED, None).await;
        }
        cluster.until_members("holders", CONVERGED, &[]).await;
        took.push(ended.elapsed());
    }
    let took = sorted(took);
    assert!(took[took.len() / 2] < ms(100), "half of them: {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_of_an_unknown_name_waits_for_nothing() {
    let mut cluster = Cluster::of(2).await;
    let slow = Setup { begin: Begin::Sleep(secs(60)), ..Setup::default() };
    let starting: Vec<_> = (0..10)
        .map(|at| {
            let (node, slow) = (cluster.nodes[at % 2].clone(), slow.clone());
            tokio::spawn(async move {
                let registered = node.register::<Probe>(format!("slow-{at}"), slow);
                registered.timeout(secs(3)).await.map(drop)
            })
        })
        .collect();
    // One joins and one leaves while names start and lookups go on.
    let looked = |node: &Swarm| {
        let mut took = Vec::new();
        for at in 0..2_000 {
            let begun = Instant::now();
            assert_eq!(node.whereis(format!("unknown-{at}")), None);
            assert_eq!(node.whereis(format!("slow-{}", at % 10)), None, "it has not started");
            took.push(begun.elapsed());
        }
        let took = sorted(took);
        assert!(took[took.len() * 99 / 100] < ms(5), "{:?}", took.last());
    };
    let third = cluster.builder("n2").start();
    let third = tokio::spawn(third);
    while !third.is_finished() {
        cluster.nodes.iter().for_each(looked);
        tokio::task::yield_now().await;
    }
    let third = third.await.expect("no panic").expect("it starts");
    looked(&third);
    cluster.nodes.push(third.clone());
    cluster.see_each_other().await;
    let leaving = tokio::spawn(async move { third.shutdown().await });
    while !leaving.is_finished() {
        cluster.nodes.iter().for_each(looked);
        tokio::task::yield_now().await;
    }
    leaving.await.expect("no panic").expect("it stops");
    cluster.nodes.iter().for_each(looked);
    for start in starting {
        assert_eq!(code(start.await.expect("no panic")), "timeout");
    }
}

/// Answers as it is in the mood.
struct Moody(Mood);

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Mood {
    Well,
    Panics,
    Sleeps,
}

#[derive(Clone, Serialize, Deserialize)]
struct How;

impl Message for How {
    const NAME: &'static str = "how";
    type Reply = String;
}

impl Worker for Moody {
    const KIND: &'static str = "moody";
    type Args = Mood;
    type State = ();
    type Accepts = (How,);

    async fn start(mood: Mood, _: &mut Cx<Self>) -> Result<Self, BoxError> {
        Ok(Self(mood))
    }
}

impl Handle<How> for Moody {
    async fn handle(&mut self, _: How, cx: &mut Cx<Self>) -> String {
        match self.0 {
            Mood::Well => cx.pid().to_string(),
            Mood::Panics => panic!("a bad day"),
            Mood::Sleeps => std::future::pending().await,
        }
    }
}

/// Two that answer, one that panics, one that never answers, and one that does not know the
/// question: in this order, some on either node.
async fn five_moods(cluster: &Cluster, group: &str) -> Vec<Pid> {
    let mut pids = Vec::new();
    let moods = [Mood::Well, Mood::Well, Mood::Panics, Mood::Sleeps];
    for (at, mood) in moods.into_iter().enumerate() {
        let node = &cluster.nodes[at % 2];
        let worker = node.spawn::<Moody>(mood).await.expect("spawned");
        worker.join(group).await.expect("joined");
        pids.push(worker.pid().expect("spawned"));
    }
    let mute = cluster.nodes[0].spawn::<Other>(()).await.expect("spawned");
    mute.join(group).await.expect("joined");
    pids.push(mute.pid().expect("spawned"));
    cluster.until_members(group, CONVERGED, &pids).await;
    pids
}

#[tokio::test(flavor = "multi_thread")]
async fn of_five_members_two_answer_and_of_the_others_it_is_said_why_not() {
    let mut cluster = Cluster::of(0).await;
    for name in ["n0", "n1"] {
        let node = cluster.builder(name).worker::<Moody>().start().await.expect("it starts");
        cluster.nodes.push(node);
    }
    cluster.see_each_other().await;
    let plain = five_moods(&cluster, "plain").await;
    let detailed = five_moods(&cluster, "detailed").await;
    let caller = &cluster.nodes[1];
    let begun = Instant::now();
    let (replies, outcomes) = tokio::join!(
        caller.multi_call("plain", How).into_future(),
        caller.multi_call_detailed("detailed", How).into_future(),
    );
    let took = begun.elapsed();
    assert!((secs(5)..ms(6500)).contains(&took), "five seconds by default: {took:?}");
    assert_eq!(sorted(replies), sorted(vec![plain[0].to_string(), plain[1].to_string()]));

    assert_eq!(outcomes.len(), 5, "one for each member");
    let outcomes: BTreeMap<_, _> = outcomes.into_iter().collect();
    for pid in &detailed[..2] {
        assert_eq!(outcomes[pid], Ok(pid.to_string()));
    }
    match &outcomes[&detailed[2]] {
        Err(CallError::Stopped { reason: ExitReason::Panicked { message }, .. }) => {
            assert_eq!(message, "a bad day");
        }
        other => panic!("{other:?}"),
    }
    match &outcomes[&detailed[3]] {
        Err(CallError::Timeout { after, .. }) => assert_eq!(*after, secs(5)),
        other => panic!("{other:?}"),
    }
    match &outcomes[&detailed[4]] {
        Err(CallError::NotHandled { message, .. }) => assert_eq!(*message, "how"),
        other => panic!("{other:?}"),
    }
    let well = caller.members("plain");
    assert_eq!(well.len(), 4, "who panicked has left: {well:?}");
}
