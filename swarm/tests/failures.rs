//! What ends: workers that crash, nodes that are killed, dropped, shut down, or come back.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use std::time::Instant;
use swarm::{
    BoxError, Cx, Event, ExitReason, Handle, MemberState, Pid, Restart, Stop, Swarm, Worker,
};

#[test]
#[ignore = "a node that other tests start as a process of its own"]
fn node_process() {
    run_as_node();
}

/// So many workers, registered through the first node and known to all.
async fn workers(cluster: &Cluster, prefix: &str, len: usize) -> Vec<(swarm::Name, Pid)> {
    for at in 0..len {
        let setup = Setup { groups: vec![format!("{prefix}-all")], ..Setup::default() };
        let name = format!("{prefix}-{at}");
        cluster.nodes[0].register::<Probe>(name, setup).await.expect("registered");
    }
    let prefix = format!("{prefix}-");
    let known = |node: &Swarm| listed(node, &prefix).len() == len;
    until("all nodes know them", CONVERGED, || cluster.nodes.iter().all(known)).await;
    listed(&cluster.nodes[0], &prefix)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_names_of_a_killed_process_run_elsewhere_once_each() {
    let cluster = Cluster::of(2).await;
    let mut child = cluster.add_process("victim").await;
    let mut events = cluster.nodes[0].events();
    let before = workers(&cluster, "kill", 60).await;
    let ours: Vec<_> = cluster.nodes.iter().map(|node| node.node().boot).collect();
    let n_lost = before.iter().filter(|(_, pid)| !ours.contains(&pid.boot)).count();
    assert!(n_lost >= 8, "the process has a share: {n_lost} of 60");

    child.kill();
    let killed = Instant::now();
    let dead = event(&mut events, DETECTED, |event| match event {
        Event::NodeDown { node } => Some(node.clone()),
        Event::NodeLeft { node } => panic!("{node} did not say goodbye"),
        _ => None,
    });
    assert_eq!(dead.await.name.as_str(), "victim");
    // From here on nobody is given a process of the dead node.
    loop {
        for node in &cluster.nodes[..1] {
            let lists = listed(node, "kill-");
            assert!(lists.iter().all(|(_, pid)| ours.contains(&pid.boot)), "a dead pid is listed");
        }
        if cluster.nodes.iter().all(|node| listed(node, "kill-").len() == 60) {
            break;
        }
        assert!(killed.elapsed() < RECOVERED, "{}", listed(&cluster.nodes[0], "kill-").len());
        tokio::time::sleep(ms(2)).await;
    }
    cluster.until_count("kill-all", CONVERGED, 60).await;
    let after = listed(&cluster.nodes[0], "kill-");
    assert_eq!(sorted(cluster.nodes[1].members("kill-all")), {
        sorted(after.iter().map(|(_, pid)| *pid).collect())
    });
    for ((name, old), (_, new)) in before.iter().zip(&after) {
        assert_eq!(old == new, ours.contains(&old.boot), "only its names are started anew: {name}");
        for node in &cluster.nodes {
            assert_eq!(node.whereis(name), Some(*new));
            assert_eq!(node.call(name, Where()).await.expect("it runs").1, name.to_string());
        }
        let starts = lives(&name.to_string()).into_iter().filter(|(_, l)| *l == Life::Started);
        assert_eq!(starts.count(), 1, "{name} was started once on these nodes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_node_that_starts_again_is_another_node_and_gets_its_share() {
    let cluster = Cluster::of(2).await;
    let mut child = cluster.add_process("phoenix").await;
    let before = workers(&cluster, "back", 40).await;
    let boot = |node: &Swarm| {
        let members = node.nodes();
        members.iter().find(|m| m.id.name.as_str() == "phoenix").map(|m| m.id.boot)
    };
    let old = boot(&cluster.nodes[0]).expect("it is a member");
    child.kill();
    // At once: the others have not held its last life dead yet.
    let _child = Child::start("phoenix", &cluster.secret, cluster.nodes[0].local_addr());
    let is_new = |node: &Swarm| boot(node).is_some_and(|new| new > old);
    until("its new life is known", DETECTED, || cluster.nodes.iter().all(is_new)).await;
    let new = boot(&cluster.nodes[0]).expect("it is a member");
    let recovered = || {
        cluster.nodes.iter().all(|node| {
            let names = listed(node, "back-");
            names.len() == 40
                && names.iter().all(|(_, pid)| pid.boot != old)
                && before
                    .iter()
                    .zip(&names)
                    .all(|((_, was), (_, is))| (was.boot == old) == (is.boot == new))
        })
    };
    until("it has its share again", secs(12), recovered).await;
    for (name, _) in &before {
        for node in &cluster.nodes {
            assert_eq!(node.call(name, Add(0)).await, Ok(0), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_crashes_runs_again_on_its_node_within_a_second() {
    let cluster = Cluster::of(2).await;
    let [a, b] = [&cluster.nodes[0], &cluster.nodes[1]];
    let worker = cluster.worker_on(b, "crash", Setup { count: 5, ..Setup::default() }).await;
    let name = worker.name().to_string();
    let mut events = b.events();
    worker.call(Add(1)).await.expect("it counts");
    let first = worker.pid().expect("it runs");
    let error = a.call(&name, Crash("on purpose".to_owned())).await.expect_err("it panics");
    match &error {
        swarm::CallError::Stopped { reason: ExitReason::Panicked { message }, .. } => {
            assert_eq!(message, "on purpose");
        }
        other => panic!("{other}"),
    }
    assert_eq!(
        error.to_string(),
        format!("{name} ended before it replied to crash: panicked: on purpose")
    );
    let second = event(&mut events, secs(1), |event| match event {
        Event::NameRestarted { name: of, pid } if of.to_string() == name => Some(*pid),
        _ => None,
    });
    let second = second.await;
    assert_eq!(second.boot, b.node().boot);
    assert_ne!(second, first);
    cluster.until_all(&name, CONVERGED, Some(second)).await;
    assert_eq!(a.call(&name, Add(0)).await, Ok(5), "from its arguments, without its state");
}

macro_rules! by_policy {
    ($name:ident, $kind:literal, $restart:ident) => {
        struct $name;

        impl Worker for $name {
            const KIND: &'static str = $kind;
            const RESTART: Restart = Restart::$restart;
            type Args = ();
            type State = ();
            type Accepts = (Quit, Crash);

            async fn start((): (), _: &mut Cx<Self>) -> Result<Self, BoxError> {
                Ok(Self)
            }
        }

        impl Handle<Quit> for $name {
            async fn handle(&mut self, _: Quit, cx: &mut Cx<Self>) {
                cx.stop();
            }
        }

        impl Handle<Crash> for $name {
            async fn handle(&mut self, Crash(text): Crash, _: &mut Cx<Self>) {
                panic!("{text}");
            }
        }
    };
}

by_policy!(Lasting, "lasting", Permanent);
by_policy!(Passing, "passing", Temporary);

#[tokio::test(flavor = "multi_thread")]
async fn the_restart_policy_decides_who_comes_back() {
    let node = Swarm::builder("a").worker::<Lasting>().worker::<Passing>().worker::<Probe>();
    let node = node.start().await.expect("it starts");
    let gone = |name: &str| node.whereis(name).is_none();

    let lasting = node.register::<Lasting>("lasting", ()).await.expect("registered");
    let first = lasting.pid();
    lasting.call(Quit()).await.expect("it replies");
    let back = || lasting.pid().is_some_and(|pid| Some(pid) != first);
    until("a permanent one is back after a normal end", secs(1), back).await;
    node.stop("lasting", Stop::Graceful(secs(1))).await.expect("stopped");
    assert!(gone("lasting"), "who stops it means it");

    let passing = node.register::<Passing>("passing", ()).await.expect("registered");
    let pid = passing.pid().expect("registered");
    let down = node.monitor(pid);
    assert_eq!(code(passing.call(Crash("boom".to_owned())).await), "stopped");
    assert_eq!(down.await.reason, ExitReason::Panicked { message: "boom".to_owned() });
    until("a temporary one is not", CONVERGED, || gone("passing")).await;
    node.register::<Passing>("passing", ()).await.expect("its name is free");

    let transient = node.register::<Probe>("transient", Setup::default()).await.expect("ok");
    transient.call(Quit()).await.expect("it replies");
    until("a transient one is not after a normal end", CONVERGED, || gone("transient")).await;
    node.register::<Probe>("transient", Setup::default()).await.expect("its name is free");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_tells_once_and_why() {
    let cluster = Cluster::of(2).await;
    let mut child = cluster.add_process("c").await;
    let [a, b] = [&cluster.nodes[0], &cluster.nodes[1]];
    let child_id = a.nodes().into_iter().find(|m| m.id.name.as_str() == "c").expect("in").id;
    let watcher = a.spawn::<Probe>(Setup::default()).await.expect("spawned");
    let mut want = Vec::new();

    let stopped = b.spawn::<Probe>(Setup::default()).await.expect("spawned");
    let crashed = b.spawn::<Probe>(Setup::default()).await.expect("spawned");
    let killed = b.spawn::<Probe>(Setup::default()).await.expect("spawned");
    let local = a.spawn::<Probe>(Setup::default()).await.expect("spawned");
    let remote = worker_on(a, &child_id, "monitored", Setup::default()).await;
    let far = remote.pid().expect("registered");
    let never = Pid::new(b.node().boot, u64::MAX);
    let no_node = Pid::new(swarm::Boot { millis: 7, random: 7 }, 1);
    let panicked = ExitReason::Panicked { message: "boom".to_owned() };
    let pids = [
        (stopped.pid().expect("spawned"), ExitReason::Stopped),
        (crashed.pid().expect("spawned"), panicked.clone()),
        (killed.pid().expect("spawned"), ExitReason::Killed),
        (local.pid().expect("spawned"), panicked),
        (never, ExitReason::NoProcess),
        (no_node, ExitReason::NoProcess),
        (far, ExitReason::NodeDown),
    ];
    let mut futures = Vec::new();
    for (pid, reason) in &pids {
        futures.push((a.monitor(*pid), pid, reason));
        futures.push((b.monitor(*pid), pid, reason));
        for _ in 0..2 {
            watcher.call(Watch(*pid)).await.expect("it monitors");
            want.push((*pid, reason.clone()));
        }
    }
    // A monitor is on its way like a message. Once the node knows of a group that was joined after
    // it, it has been sent; and it arrives before a message that is sent then.
    let sent = || !a.members(format!("watching-{}", want.len())).is_empty();
    until("the worker's monitors are set", CONVERGED, sent).await;
    for (pid, _) in pids.iter().filter(|(_, reason)| *reason != ExitReason::NoProcess) {
        for node in [a, b] {
            node.send(*pid, Add(1)).await.expect("it lives");
        }
    }
    for worker in [&stopped, &crashed, &killed, &local, &remote] {
        let there = |node: &Swarm| node.at(worker.address());
        assert_eq!(there(a).call(Add(0)).await.and(there(b).call(Add(0)).await), Ok(2));
    }
    stopped.stop(Stop::Graceful(secs(1))).await.expect("stopped");
    killed.stop(Stop::Kill).await.expect("killed");
    a.send(crashed.pid().expect("spawned"), Crash("boom".to_owned())).await.expect("sent");
    local.cast(Crash("boom".to_owned())).await.expect("sent");
    child.kill();
    for (monitor, pid, reason) in futures {
        let down = quickly(RECOVERED, monitor).await;
        assert_eq!((&down.pid, &down.reason), (pid, reason));
    }
    let begun = Instant::now();
    loop {
        let downs = watcher.call(Downs()).await.expect("it lives");
        assert!(downs.len() <= want.len(), "once for each monitor: {downs:?}");
        if downs.len() == want.len() {
            let mut left = want.clone();
            for down in downs {
                let at = left.iter().position(|(pid, why)| (*pid, why) == (down.pid, &down.reason));
                left.swap_remove(at.unwrap_or_else(|| panic!("{down:?} was not wanted")));
            }
            break;
        }
        assert!(begun.elapsed() < RECOVERED, "{downs:?}");
        tokio::time::sleep(ms(5)).await;
    }
    let late = quickly(CONVERGED, b.at(stopped.address()).monitor()).await;
    assert_eq!(late.reason, ExitReason::NoProcess, "one that is set too late");
    assert_eq!(
        quickly(CONVERGED, a.worker::<Probe>("nobody").monitor()).await.reason,
        ExitReason::NoProcess
    );
}

/// Holds a handle of the swarm for as long as it lives.
struct Holder {
    swarm: Swarm,
}

impl Worker for Holder {
    const KIND: &'static str = "holder";
    type Args = ();
    type State = ();
    type Accepts = (Where,);

    async fn start((): (), cx: &mut Cx<Self>) -> Result<Self, BoxError> {
        Ok(Self { swarm: cx.swarm() })
    }
}

impl Handle<Where> for Holder {
    async fn handle(&mut self, _: Where, _: &mut Cx<Self>) -> (String, String) {
        (self.swarm.node().to_string(), String::new())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_stops_without_a_goodbye_when_its_last_handle_is_dropped() {
    let cluster = Cluster::of(1).await;
    let node = cluster.builder("dropped").worker::<Holder>().start().await.expect("it starts");
    let (id, address) = (node.node().clone(), node.local_addr());
    let a = &cluster.nodes[0];
    until("it is a member", CONVERGED, || a.nodes().len() == 2).await;
    let mut events = a.events();
    let mut its_events = node.events();
    let holder = node.spawn::<Holder>(()).await.expect("spawned");
    assert_eq!(holder.call(Where()).await.expect("it answers").0, "dropped");
    let second = node.clone();
    drop((node, holder));
    assert_eq!(second.nodes().len(), 2, "one handle is enough");
    drop(second);
    let ended = async { while its_events.next().await.is_some() {} };
    quickly(secs(1), ended).await;
    let free = || std::net::UdpSocket::bind(address).is_ok();
    until("its port is free", secs(1), free).await;
    let dead = event(&mut events, DETECTED, |event| match event {
        Event::NodeDown { node } => Some(node.clone()),
        Event::NodeLeft { node } => panic!("{node} said goodbye"),
        _ => None,
    });
    assert_eq!(dead.await, id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_shuts_down_says_goodbye_and_the_others_start_its_names() {
    let mut cluster = Cluster::of(3).await;
    workers(&cluster, "bye", 40).await;
    let mut events = cluster.nodes[0].events();
    let node = cluster.nodes.remove(1);
    node.call("bye-0", Add(1)).await.expect("it runs");
    let begun = Instant::now();
    node.shutdown().await.expect("it stops");
    assert!(begun.elapsed() < secs(4), "{:?}", begun.elapsed());
    let left = event(&mut events, secs(1), |event| match event {
        Event::NodeLeft { node } => Some(node.clone()),
        Event::NodeDown { node } => panic!("{node} is held dead"),
        _ => None,
    });
    assert_eq!(left.await, *node.node());
    let back = || {
        cluster.nodes.iter().all(|n| {
            let names = listed(n, "bye-");
            names.len() == 40 && names.iter().all(|(_, pid)| pid.boot != node.node().boot)
        })
    };
    until("all its names run again", RECOVERED, back).await;
    cluster.until_count("bye-all", CONVERGED, 40).await;
    let members = cluster.nodes[0].nodes();
    assert_eq!(members.len(), 2);
    assert!(members.iter().all(|member| member.state == MemberState::Alive));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_one_leaves_at_once_and_stopping_twice_is_fine() {
    let node = Swarm::builder("alone").worker::<Probe>().start().await.expect("it starts");
    let mut events = node.events();
    for at in 0..10 {
        let name = format!("alone-{at}");
        node.register::<Probe>(name, Setup::default()).await.expect("registered");
    }
    let begun = Instant::now();
    node.leave().await.expect("it leaves");
    assert!(begun.elapsed() < secs(1), "there is nobody to drain to: {:?}", begun.elapsed());
    for at in 0..10 {
        let died = lives(&format!("alone-{at}")).iter().any(|(_, life)| *life == Life::Died);
        assert!(died, "each could clean up");
    }
    let begun = Instant::now();
    node.shutdown().await.expect("it has stopped");
    node.clone().shutdown().await.expect("it has stopped");
    assert_eq!(code(node.leave().await), "node-stopped");
    assert!(begun.elapsed() < secs(1));
    quickly(secs(1), async { while events.next().await.is_some() {} }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_has_stopped_says_so_to_every_question_at_once() {
    let node = Swarm::builder("stopped").worker::<Probe>().start().await.expect("it starts");
    let worker = node.register::<Probe>("w", Setup::default()).await.expect("registered");
    let pid = worker.pid().expect("registered");
    node.shutdown().await.expect("it stops");
    let begun = Instant::now();
    assert_eq!(code(node.register::<Probe>("x", Setup::default()).await), "node-stopped");
    assert_eq!(
        code(node.whereis_or_register::<Probe>("x", Setup::default()).await),
        "node-stopped"
    );
    assert_eq!(code(node.register_pid("x", pid).await), "node-stopped");
    assert_eq!(code(node.unregister("w").await), "node-stopped");
    assert_eq!(code(node.stop("w", Stop::Kill).await), "node-stopped");
    assert_eq!(code(node.whereis_at_owner("w").await), "node-stopped");
    assert_eq!(code(node.drain().await), "node-stopped");
    assert_eq!(code(node.spawn::<Probe>(Setup::default()).await), "node-stopped");
    assert!(node.snapshot().await.is_err());
    assert_eq!(code(worker.call(Add(1)).await), "node-stopped");
    assert_eq!(code(worker.cast(Add(1)).await), "node-stopped");
    assert_eq!(code(node.send(pid, Add(1)).await), "node-stopped");
    assert_eq!(code(node.call("nobody", Add(1)).await), "node-stopped");
    let down = quickly(secs(1), node.monitor(pid)).await;
    assert_eq!(down.reason, ExitReason::NoProcess);
    assert_eq!(node.publish("g", Add(1)).await, 0);
    assert!(begun.elapsed() < secs(1), "nothing waits: {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_is_too_slow_learns_how_much_it_missed() {
    let node = Swarm::builder("busy").worker::<Probe>().start().await.expect("it starts");
    let (mut slow, mut quick) = (node.events(), node.events());
    let worker = node.spawn::<Probe>(Setup::default()).await.expect("spawned");
    let total = 6000;
    let reader = tokio::spawn(async move {
        for at in 0..total {
            let joined = event(&mut quick, secs(20), |event| match event {
                Event::GroupJoined { group, .. } => Some(group.to_string()),
                Event::Lagged { .. } => panic!("it reads all the time"),
                _ => None,
            });
            assert_eq!(joined.await, format!("g{at}"), "in order");
        }
    });
    for at in 0..total {
        worker.join(format!("g{at}")).await.expect("joined");
    }
    reader.await.expect("the quick one missed nothing");
    let mut joined = 0;
    match slow.next().await {
        Some(Event::Lagged { missed }) => {
            let first = total - usize::try_from(missed).expect("few");
            assert_eq!(first, 4096, "the newest are kept");
        }
        other => panic!("{other:?}"),
    }
    while joined < 4096 {
        match quickly(secs(1), slow.next()).await {
            Some(Event::GroupJoined { .. }) => joined += 1,
            other => panic!("{other:?}"),
        }
    }
}
