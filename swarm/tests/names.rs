//! Names: registering, finding and taking them away, as seen from every node.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use std::time::Instant;
use swarm::{
    BoxError, CallError, CastError, Cx, ExitReason, Handle, Pid, RegisterError, SpawnError, Stop,
    Swarm, UnregisterError, Worker,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_name_runs_once_in_the_whole_cluster() {
    let cluster = Cluster::of(2).await;
    let setup = Setup { groups: vec!["all".to_owned()], ..Setup::default() };
    let worker = cluster.nodes[0].register::<Probe>("singleton", setup).await.expect("registered");
    let pid = worker.pid().expect("whoever got Ok reads its own write");
    cluster.until_all("singleton", CONVERGED, Some(pid)).await;
    cluster.until_members("all", CONVERGED, &[pid]).await;
    for node in &cluster.nodes {
        let (at, name) = node.call("singleton", Where()).await.expect("it answers");
        assert_eq!(name, "singleton");
        let runs = cluster.nodes.iter().find(|node| node.node().boot == pid.boot);
        assert_eq!(at, runs.expect("it runs on one of them").node().to_string());
    }
    assert_eq!(lives("singleton").len(), 1, "started once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_name_answers_the_same_pid_on_every_node() {
    let cluster = Cluster::of(3).await;
    for at in 0..100 {
        let name = format!("taken-{at}");
        let by = &cluster.nodes[at % 3];
        let worker = by.register::<Probe>(&name, Setup::default()).await.expect("registered");
        let pid = worker.pid().expect("registered");
        // At once, without waiting for any view.
        for node in &cluster.nodes {
            let error = node.register::<Probe>(&name, Setup::default()).await;
            match error.expect_err("taken") {
                RegisterError::AlreadyRegistered { name: taken, pid: holder } => {
                    assert_eq!((taken.as_str(), holder), (Some(&*name), pid));
                }
                other => panic!("{name} from {node:?}: {other}"),
            }
            assert_eq!(node.whereis(&name), Some(pid), "{node:?} has learned it with the answer");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_race_for_a_name_one_wins_and_all_others_learn_its_pid() {
    let cluster = Cluster::of(5).await;
    for at in 0..40 {
        let name = format!("race-{at}");
        let race: Vec<_> = (0..20)
            .map(|task| {
                let (node, name) = (cluster.nodes[(at + task) % 5].clone(), name.clone());
                tokio::spawn(async move {
                    let registered = node.register::<Probe>(&name, Setup::default()).await;
                    (registered.map(|worker| worker.pid()), node.whereis(&name))
                })
            })
            .collect();
        let mut won = Vec::new();
        let mut lost = Vec::new();
        for racer in race {
            match racer.await.expect("no racer panics") {
                (Ok(pid), _) => won.push(pid.expect("reads its own write")),
                (Err(RegisterError::AlreadyRegistered { pid, .. }), _) => lost.push(pid),
                (Err(error), _) => panic!("{name}: {error}"),
            }
        }
        assert_eq!((won.len(), lost.len()), (1, 19), "{name}");
        assert!(lost.iter().all(|pid| *pid == won[0]), "{name}: {won:?} {lost:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whereis_or_register_finds_or_registers_and_never_says_taken() {
    let cluster = Cluster::of(3).await;
    let first = cluster.nodes[0].whereis_or_register::<Probe>("wor", Setup::default()).await;
    let pid = first.expect("new").pid();
    for node in &cluster.nodes {
        let again = node.whereis_or_register::<Probe>("wor", Setup::default()).await;
        assert_eq!(again.expect("found").pid(), pid);
    }
    let race: Vec<_> = (0..30)
        .map(|task| {
            let node = cluster.nodes[task % 3].clone();
            tokio::spawn(async move {
                node.whereis_or_register::<Probe>("wor-race", Setup::default()).await
            })
        })
        .collect();
    let mut pids = Vec::new();
    for racer in race {
        pids.push(racer.await.expect("no panic").expect("found or registered").pid());
    }
    assert!(pids[0].is_some() && pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");

    for node in &cluster.nodes {
        let error = node.whereis_or_register::<Other>("wor", ()).await.expect_err("another kind");
        match &error {
            RegisterError::KindMismatch { pid: holder, held, want, .. } => {
                assert_eq!((Some(*holder), held.as_str(), *want), (pid, "probe", "other"));
            }
            other => panic!("{other}"),
        }
        assert_eq!(error.code(), "kind-mismatch");
        assert!(!error.is_retryable());
        assert!(error.to_string().contains("wor is held by"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_is_registered_by_its_pid_from_any_node() {
    let cluster = Cluster::of(2).await;
    let [a, b] = [&cluster.nodes[0], &cluster.nodes[1]];
    let one = a.spawn::<Probe>(Setup::default()).await.expect("spawned");
    let two = b.spawn::<Probe>(Setup::default()).await.expect("spawned");
    let (one_pid, two_pid) = (one.pid().expect("spawned"), two.pid().expect("spawned"));

    b.register_pid("by-pid", one_pid).await.expect("a process of another node");
    b.register_pid("by-pid", one_pid).await.expect("twice is once");
    a.register_pid("by-pid", one_pid).await.expect("from its own node, too");
    for node in [a, b] {
        match node.register_pid("by-pid", two_pid).await.expect_err("taken") {
            RegisterError::AlreadyRegistered { pid, .. } => assert_eq!(pid, one_pid),
            error => panic!("{error}"),
        }
    }
    assert_eq!(b.call("by-pid", Add(2)).await, Ok(2));
    assert_eq!(two.call(Add(3)).await, Ok(3), "who did not get the name lives on");
    match a.register::<Probe>("by-pid", Setup::default()).await.expect_err("taken") {
        RegisterError::AlreadyRegistered { pid, .. } => assert_eq!(pid, one_pid),
        error => panic!("{error}"),
    }
    let gone = Pid::new(two_pid.boot, u64::MAX);
    for node in [a, b] {
        let error = node.register_pid("by-ghost", gone).await.expect_err("no such process");
        assert_eq!(error.code(), "no-process", "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_by_pid_does_not_move_and_ends_with_its_node() {
    let mut cluster = Cluster::of(2).await;
    let mut pids = Vec::new();
    for at in 0..30 {
        let worker = cluster.nodes[1].spawn::<Probe>(Setup::default()).await.expect("spawned");
        let (name, pid) = (format!("pinned-{at}"), worker.pid().expect("spawned"));
        cluster.nodes[0].register_pid(&name, pid).await.expect("registered");
        pids.push((name, pid));
    }
    cluster.add("n2").await;
    // A move would begin at once; one that is registered does, and shows when moves are through.
    let moved = cluster.worker_on(&cluster.nodes[2], "placed", Setup::default()).await;
    assert!(moved.call(Add(1)).await.is_ok());
    for (name, pid) in &pids {
        cluster.until_all(name, CONVERGED, Some(*pid)).await;
    }
    cluster.drop_node(1);
    for (name, _) in &pids {
        cluster.until_all(name, RECOVERED, None).await;
    }
    assert_eq!(
        cluster.nodes[0].call("pinned-0", Add(0)).await.map_err(|e| e.code()),
        Err("not-found")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_away_is_gone_everywhere_and_its_process_lives() {
    let cluster = Cluster::of(3).await;
    let worker = cluster.nodes[0].register::<Probe>("plain", Setup::default()).await.expect("ok");
    let pid = worker.pid().expect("registered");
    for node in &cluster.nodes {
        node.register_pid("alias", pid).await.expect("a second name");
    }
    cluster.until_all("plain", CONVERGED, Some(pid)).await;
    cluster.until_all("alias", CONVERGED, Some(pid)).await;

    let by = cluster.nodes.iter().find(|node| node.node().boot != pid.boot).expect("another");
    by.unregister("plain").await.expect("from another node");
    assert_eq!(by.whereis("plain"), None, "whoever got Ok reads its own write");
    cluster.until_all("plain", CONVERGED, None).await;
    for node in &cluster.nodes {
        assert_eq!(node.whereis("alias"), Some(pid), "the other name stays");
        node.call("alias", Add(1)).await.expect("it lives");
        node.send(pid, Add(1)).await.expect("it lives");
    }
    for node in &cluster.nodes {
        node.unregister("plain").await.expect("nobody has it, as was asked for");
        node.unregister("never was").await.expect("nobody has it");
    }
    let error = by.stop("plain", Stop::Kill).await.expect_err("there is nobody to stop");
    assert!(matches!(error, UnregisterError::NotFound { .. }), "{error}");
    assert_eq!(error.to_string(), "no process has the name plain");
    let again = by.register::<Probe>("plain", Setup::default()).await.expect("it is free");
    assert_ne!(again.pid(), Some(pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_ends_takes_its_name_along() {
    let cluster = Cluster::of(2).await;
    let [a, b] = [&cluster.nodes[0], &cluster.nodes[1]];
    for at in 0..50 {
        let name = format!("short-{at}");
        let worker = a.register::<Probe>(&name, Setup::default()).await.expect("registered");
        let pid = worker.pid().expect("registered");
        let home = if pid.boot == a.node().boot { a } else { b };
        let down = home.monitor(pid);
        worker.call(Quit()).await.expect("it replies, then it ends");
        let down = quickly(CONVERGED, down).await;
        assert_eq!(down.reason, ExitReason::Stopped);
        assert_eq!(home.whereis(&name), None, "its end has been seen here");
        cluster.until_all(&name, CONVERGED, None).await;
        assert_eq!(worker.pid(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_may_use_the_swarm_itself() {
    let cluster = Cluster::of(3).await;
    for at in 0..20 {
        let other = format!("inner-{at}");
        let setup = Setup { begin: Begin::Using(other.clone()), ..Setup::default() };
        let by = &cluster.nodes[at % 3];
        let outer = by.register::<Probe>(format!("outer-{at}"), setup).timeout(CONVERGED).await;
        let pid = outer.expect("no deadlock").pid().expect("registered");
        cluster.until_members(&other, CONVERGED, &[pid]).await;
        until("its own registration is known", CONVERGED, || by.whereis(&other).is_some()).await;
        assert_eq!(by.call(&other, Add(1)).await, Ok(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_list_the_same_names() {
    let cluster = Cluster::of(3).await;
    let tasks: Vec<_> = (0..30)
        .map(|task| {
            let node = cluster.nodes[task % 3].clone();
            tokio::spawn(async move {
                for at in 0..50 {
                    let name = format!("list-{task}-{at}");
                    node.register::<Other>(name, ()).await.expect("registered");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("all are registered");
    }
    let full = |node: &Swarm| listed(node, "list-").len() == 1500;
    until("every node lists 1,500", CONVERGED, || cluster.nodes.iter().all(full)).await;
    let first = listed(&cluster.nodes[0], "list-");
    for node in &cluster.nodes {
        assert_eq!(listed(node, "list-"), first);
        assert_eq!(node.registered().prefix("list-7-").count(), 50);
        let shares = shares(node, "list-");
        assert_eq!(shares.len(), 3);
        assert!(shares.values().all(|n| (350..=650).contains(n)), "{shares:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_name_or_pid_is_not_found_at_once() {
    let cluster = Cluster::of(2).await;
    let one = cluster.nodes[1].spawn::<Probe>(Setup::default()).await.expect("spawned");
    let pid = one.pid().expect("spawned");
    one.stop(Stop::Kill).await.expect("it ends");
    let begun = Instant::now();
    for node in &cluster.nodes {
        assert_eq!(node.whereis("nobody"), None);
        assert_eq!(node.whereis_at_owner("nobody").await, Ok(None));
        let error = node.call("nobody", Add(1)).await.expect_err("nobody");
        assert!(matches!(error, CallError::NotFound { .. }));
        assert_eq!(error.to_string(), "no process nobody for message add");
        let error = node.cast("nobody", Add(1)).await.expect_err("nobody");
        assert!(matches!(error, CastError::NotFound { .. }));
        let unknown = Pid::new(swarm::Boot { millis: 1, random: 2 }, 3);
        assert_eq!(code(node.send(unknown, Add(1)).await), "not-found");
        assert_eq!(code(node.worker::<Probe>("nobody").call(Add(1)).await), "not-found");
        assert_eq!(code(node.stop("nobody", Stop::Kill).await), "not-found");
        assert_eq!(code(node.worker::<Probe>("nobody").join("g").await), "not-found");
    }
    assert_eq!(code(cluster.nodes[1].send(pid, Add(1)).await), "not-found");
    assert!(begun.elapsed() < secs(2), "nobody waited: {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_name_is_free_when_stop_returns() {
    let cluster = Cluster::of(2).await;
    for (at, node) in cluster.nodes.iter().enumerate() {
        for how in [Stop::Graceful(secs(2)), Stop::Kill] {
            let name = format!("stop-{at}-{}", matches!(how, Stop::Kill));
            let worker = node.register::<Probe>(&name, Setup::default()).await.expect("ok");
            let other = &cluster.nodes[1 - at];
            other
                .cast(&name, Nap(ms(50)))
                .await
                .map_or_else(|e| assert_eq!(e.code(), "not-found"), drop);
            other.stop(&name, how).await.expect("stopped");
            assert_eq!(other.whereis(&name), None);
            let died = lives(&name).iter().any(|(_, life)| *life == Life::Died);
            assert_eq!(died, how != Stop::Kill, "only a graceful stop lets it die");
            other.register::<Probe>(&name, Setup::default()).await.expect("it is free");
            let again = other.whereis(&name);
            until("the handle is to the name", CONVERGED, || worker.pid() == again).await;
            assert_eq!(worker.call(Add(1)).await, Ok(1));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_a_name_knows_it_at_once() {
    let cluster = Cluster::of(3).await;
    for at in 0..30 {
        let name = format!("owner-{at}");
        let by = &cluster.nodes[at % 3];
        let pid = by.register::<Probe>(&name, Setup::default()).await.expect("registered").pid();
        for node in &cluster.nodes {
            assert_eq!(node.whereis_at_owner(&name).await, Ok(pid), "{name} from {node:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_a_handle_on_every_node() {
    let cluster = Cluster::of(2).await;
    let [a, b] = [&cluster.nodes[0], &cluster.nodes[1]];
    let named = a.register::<Probe>("addressed", Setup::default()).await.expect("registered");
    let nameless = a.spawn::<Probe>(Setup::default()).await.expect("spawned");
    for (worker, sum) in [(named, 1), (nameless, 1)] {
        let there = b.at(worker.address());
        assert_eq!(there.call(Add(1)).await, Ok(sum));
        assert_eq!(there.address(), worker.address());
        assert_eq!(there.name().to_string(), worker.name().to_string());
        let (_, name) = there.call(Where()).await.expect("it answers");
        assert_eq!(name, worker.name().to_string());
    }
}

/// Of a kind that no builder names.
struct Unserved;

impl Worker for Unserved {
    const KIND: &'static str = "unserved";
    type Args = ();
    type State = ();
    type Accepts = (Add,);

    async fn start((): (), _: &mut Cx<Self>) -> Result<Self, BoxError> {
        Ok(Self)
    }
}

impl Handle<Add> for Unserved {
    async fn handle(&mut self, _: Add, _: &mut Cx<Self>) -> u64 {
        0
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_the_node_was_not_told_of_is_not_spawned_but_registered_elsewhere() {
    let cluster = Cluster::of(1).await;
    let observer = Swarm::builder("observer")
        .secret(cluster.secret.clone())
        .seeds([cluster.nodes[0].local_addr()])
        .start()
        .await
        .expect("it starts");
    let error = observer.spawn::<Probe>(Setup::default()).await.expect_err("not served");
    assert_eq!(error, SpawnError::UnknownKind { kind: "probe" });
    for at in 0..10 {
        let name = format!("elsewhere-{at}");
        let worker = observer.register::<Probe>(&name, Setup::default()).await.expect("there");
        assert_eq!(worker.pid().expect("registered").boot, cluster.nodes[0].node().boot);
        assert_eq!(worker.call(Add(1)).await, Ok(1));
    }
    // One that no node of the cluster serves is refused without a wait, wherever it is asked for.
    for node in [&cluster.nodes[0], &observer] {
        let nobody = node.register::<Unserved>("unserved", ());
        let error = quickly(secs(1), nobody).await.expect_err("nobody serves it");
        assert!(matches!(error, RegisterError::NoNodeAvailable { .. }), "{error}");
    }
    let alone = Swarm::builder("alone").start().await.expect("it starts");
    let error = alone.register::<Probe>("nowhere", Setup::default()).await.expect_err("no node");
    assert!(matches!(error, RegisterError::NoNodeAvailable { .. }), "{error}");
    assert!(error.is_retryable());
    assert_eq!(error.to_string(), "no node is available for name nowhere of kind probe");
}
