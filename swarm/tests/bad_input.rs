//! Bad input: each kind of it is a typed error, or counted and ignored. Nothing hangs, and nobody
//! else notices.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use swarm::{
    CallError, ClusterSecret, Config, Event, Name, RegisterError, Stage, StartError, Stop, Swarm,
};

/// The cluster works, for everybody and as fast as ever, and nobody was held dead.
async fn nobody_notices(cluster: &Cluster, tag: &str) {
    for (at, node) in cluster.nodes.iter().enumerate() {
        let begun = Instant::now();
        let name = format!("meanwhile-{tag}-{at}");
        let worker = node.register::<Probe>(&name, Setup::default()).await.expect("registered");
        let pid = worker.pid();
        for other in &cluster.nodes {
            let held = other.register::<Probe>(&name, Setup::default()).await;
            assert_eq!(code(held), "already-registered");
            assert!(other.call(&name, Add(1)).await.is_ok());
        }
        assert!(begun.elapsed() < secs(1), "{name} took {:?}", begun.elapsed());
        cluster.until_all(&name, CONVERGED, pid).await;
        assert_eq!(node.nodes().len(), cluster.nodes.len());
    }
}

async fn refused(node: &Swarm) -> u64 {
    node.snapshot().await.expect("it runs").refused_packets
}

async fn unhandled(node: &Swarm) -> u64 {
    node.snapshot().await.expect("it runs").unhandled_messages
}

/// A node that is not of the cluster runs alone, and its packets are counted and ignored.
async fn check_stranger(tag: &str, secret: Option<ClusterSecret>, cluster_name: &str) {
    let cluster = Cluster::of(2).await;
    let a = &cluster.nodes[0];
    let (before, mut events) = (refused(a).await, a.events());
    let starting = Swarm::builder("stranger")
        .secret(secret.unwrap_or_else(|| cluster.secret.clone()))
        .cluster(cluster_name)
        .seeds([a.local_addr()])
        .worker::<Probe>()
        .start();
    let starting = tokio::spawn(starting);
    nobody_notices(&cluster, tag).await;
    let stranger = quickly(secs(5), starting).await.expect("no panic").expect("it runs alone");
    assert_eq!(stranger.nodes().len(), 1);
    assert!(refused(a).await > before, "its packets are counted");
    nobody_notices(&cluster, &format!("{tag}-later")).await;
    let worker = stranger.register::<Probe>("of-its-own", Setup::default()).await.expect("alone");
    assert_eq!(worker.call(Add(1)).await, Ok(1));
    assert_eq!(a.whereis("of-its-own"), None);
    a.register::<Probe>("last", Setup::default()).await.expect("registered");
    let quiet = async {
        loop {
            match events.next().await {
                Some(Event::NodeUp { node }) => panic!("{node} is let in"),
                Some(Event::NameRegistered { name, .. }) if name.as_str() == Some("last") => break,
                Some(_) => (),
                None => panic!("the node stopped"),
            }
        }
    };
    // The name may have been placed on the other node.
    let _ = tokio::time::timeout(ms(100), quiet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_another_secret_stays_outside() {
    check_stranger("secret", Some(ClusterSecret::generate()), "swarm").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_cluster_stays_outside() {
    check_stranger("cluster", None, "another").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named() {
    let held = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = held.local_addr().expect("bound");
    let gossip = Swarm::builder("a").bind(address).start().await.expect_err("taken");
    let link = Swarm::builder("a").bind_link(address).start().await.expect_err("taken");
    for (error, of) in [(gossip, "gossip"), (link, "links")] {
        match &error {
            StartError::Bind { what, address: at, .. } => assert_eq!((*what, *at), (of, address)),
            other => panic!("{other}"),
        }
        assert_eq!(error.code(), "cannot-bind");
        assert!(error.is_retryable());
        let text = error.to_string();
        assert!(text.starts_with(&format!("cannot listen on {address} for {of}: ")), "{text}");
    }
    drop(held);
    let node = Swarm::builder("a").bind(address).start().await.expect("it is free now");
    assert_eq!(node.local_addr(), address);
    // Nothing is left of a start that failed: the gossip port of the one whose link port is taken.
    let taken = node.nodes()[0].link;
    let free = UdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let failed = Swarm::builder("b").bind(free).bind_link(taken).start().await;
    assert_eq!(failed.expect_err("taken").code(), "cannot-bind");
    until("its gossip port is free again", secs(1), || UdpSocket::bind(free).is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_does_not_resolve_is_named() {
    let secret = ClusterSecret::generate();
    let new = || Swarm::builder("a").secret(secret.clone());
    let bad = "not an address";
    for (builder, setting) in [
        (new().bind(bad), "bind"),
        (new().bind_link(bad), "bind_link"),
        (new().advertise(bad), "advertise"),
        (new().seeds([bad]), "seeds"),
        (new().seeds(["no-such-host.invalid:7000"]), "seeds"),
    ] {
        let error = quickly(secs(30), builder.start()).await.expect_err("it is no address");
        match &error {
            StartError::Address { what, .. } => assert_eq!(*what, setting),
            other => panic!("{setting}: {other}"),
        }
        assert_eq!(error.code(), "unresolvable-address");
        let text = error.to_string();
        assert!(text.starts_with(&format!("{setting} address \"no")), "{text}");
        assert!(text.contains("does not resolve: "), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_live_node_of_a_name_does_not_start() {
    let cluster = Cluster::of(3).await;
    let holder = &cluster.nodes[1];
    let mut events = cluster.nodes[0].events();
    for seed in [0, 1, 2] {
        let second = Swarm::builder("n1")
            .secret(cluster.secret.clone())
            .seeds([cluster.nodes[seed].local_addr()])
            .worker::<Probe>()
            .start();
        match quickly(secs(5), second).await.expect_err("the name is taken") {
            StartError::NameTaken { name, holder: at } => {
                assert_eq!((name.as_str(), at), ("n1", holder.local_addr()));
            }
            other => panic!("{other}"),
        }
        nobody_notices(&cluster, &format!("name-{seed}")).await;
        for node in &cluster.nodes {
            assert!(node.nodes().iter().any(|member| member.id == *holder.node()), "{node:?}");
        }
    }
    let again = cluster.nodes[2].register::<Probe>("after", Setup::default()).await;
    again.expect("all work").join("the-end").await.expect("joined");
    let ended = event(&mut events, CONVERGED, |event| match event {
        Event::NodeDown { node } | Event::NodeLeft { node } | Event::NodeSuspected { node, .. } => {
            panic!("{node} was taken for the other one")
        }
        Event::GroupJoined { group, .. } => (group.as_str() == Some("the-end")).then_some(()),
        _ => None,
    });
    ended.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_fails_or_panics_says_why_and_leaves_no_name() {
    let cluster = Cluster::of(2).await;
    let bad = |begin: Begin| Setup { begin, ..Setup::default() };
    for at in 0..8 {
        let name = format!("fails-{at}");
        let by = &cluster.nodes[at % 2];
        let error = by.register::<Probe>(&name, bad(Begin::Error("no disk".to_owned()))).await;
        match error.expect_err("it fails") {
            RegisterError::StartFailed { name: of, reason } => {
                assert_eq!((of.as_str(), reason.as_str()), (Some(&*name), "no disk"));
            }
            other => panic!("{other}"),
        }
        let error = by.register::<Probe>(&name, bad(Begin::Panic("no luck".to_owned()))).await;
        let error = error.expect_err("it panics");
        assert_eq!(error.to_string(), format!("worker {name} did not start: panicked: no luck"));
        assert_eq!((error.code(), error.is_retryable()), ("start-failed", true));
        for node in &cluster.nodes {
            assert_eq!(node.whereis(&name), None);
            assert_eq!(node.whereis_at_owner(&name).await, Ok(None));
        }
        let begun = Instant::now();
        by.register::<Probe>(&name, Setup::default()).await.expect("the name is free");
        assert!(begun.elapsed() < secs(1), "{:?}", begun.elapsed());
    }
    let error = cluster.nodes[0].spawn::<Probe>(bad(Begin::Error("no disk".to_owned()))).await;
    assert_eq!(error.expect_err("it fails").to_string(), "probe did not start: no disk");
    let error = cluster.nodes[0].spawn::<Probe>(bad(Begin::Panic("no luck".to_owned()))).await;
    assert_eq!(code(error), "start-failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_never_returns_times_out_and_holds_nobody_up() {
    let cluster = Cluster::of(2).await;
    for (at, by) in cluster.nodes.iter().chain(&cluster.nodes).enumerate() {
        let name = format!("never-{at}");
        let setup = Setup { begin: Begin::Sleep(secs(60)), ..Setup::default() };
        let waiting = {
            let (by, name) = (by.clone(), name.clone());
            tokio::spawn(async move {
                let begun = Instant::now();
                let error = by.register::<Probe>(&name, setup).timeout(ms(500)).await;
                (error.expect_err("it sleeps"), begun.elapsed())
            })
        };
        // Meanwhile everybody else is served, on either node.
        let mut served = Vec::new();
        while !waiting.is_finished() {
            let other = format!("{name}-other-{}", served.len());
            let begun = Instant::now();
            let node = &cluster.nodes[served.len() % 2];
            node.register::<Probe>(&other, Setup::default()).await.expect("registered");
            served.push(begun.elapsed());
        }
        served.sort();
        let (n_served, median) = (served.len(), served[served.len() / 2]);
        assert!(n_served > 4 && median < ms(50), "{n_served} served, half of them in {median:?}");
        let (error, took) = waiting.await.expect("no panic");
        assert!((ms(490)..ms(1500)).contains(&took), "{took:?}");
        match &error {
            RegisterError::Timeout { stage, after, .. } => {
                assert_eq!((*stage, *after), (Stage::Running, ms(500)));
            }
            other => panic!("{other}"),
        }
        assert!(error.is_retryable());
        let text = error.to_string();
        assert!(text.starts_with(&format!("{name} was not registered within 500ms: ")), "{text}");
        by.register::<Probe>(&name, Setup::default()).await.expect("the name is free");
        assert_eq!(by.call(&name, Add(1)).await, Ok(1));
    }
    let sleepy = Setup { begin: Begin::Sleep(secs(60)), ..Setup::default() };
    let error = cluster.nodes[0].spawn::<Probe>(sleepy).timeout(ms(100)).await;
    assert_eq!(error.expect_err("it sleeps").to_string(), "probe did not start within 100ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_crashes_three_times_comes_back_and_the_fourth_loses_its_name() {
    let cluster = Cluster::of(2).await;
    let [a, b] = [&cluster.nodes[0], &cluster.nodes[1]];
    let worker = cluster.worker_on(b, "crashing", Setup::default()).await;
    let neighbour = cluster.worker_on(b, "neighbour", Setup::default()).await;
    let before = neighbour.pid();
    let name = Name::new(worker.name().to_string()).expect("a name");
    let (mut events, mut others) = (b.events(), a.events());
    let begun = Instant::now();
    let mut pids = vec![worker.pid().expect("registered")];
    for crash in 0..3 {
        let text = format!("crash {crash}");
        assert_eq!(code(a.call(&name, Crash(text)).await), "stopped");
        let pid = event(&mut events, secs(1), |event| match event {
            Event::NameRestarted { name: of, pid } if *of == name => Some(*pid),
            Event::NameLost { .. } => panic!("too early"),
            _ => None,
        });
        pids.push(pid.await);
        cluster.until_all(name.as_str().expect("text"), CONVERGED, pids.last().copied()).await;
    }
    assert!(pids.iter().all(|pid| pid.boot == b.node().boot), "always on its node");
    assert_eq!(code(a.call(&name, Crash("the last".to_owned())).await), "stopped");
    assert!(begun.elapsed() < secs(5), "all within the five seconds");
    let reason = event(&mut events, secs(1), |event| match event {
        Event::NameLost { name: of, reason } if *of == name => Some(reason.clone()),
        Event::NameRestarted { name: of, .. } if *of == name => panic!("once too often"),
        _ => None,
    });
    assert_eq!(reason.await, "panicked: the last");
    cluster.until_all(name.as_str().expect("text"), CONVERGED, None).await;
    let again = a.register::<Probe>(&name, Setup::default()).await.expect("the name is free");
    assert_eq!(again.call(Add(1)).await, Ok(1));
    // It begins anew: what it did before does not count against it.
    let first = again.pid();
    assert_eq!(code(again.call(Crash("once more".to_owned())).await), "stopped");
    let back = || again.pid().is_some_and(|pid| Some(pid) != first);
    until("it is back", secs(1), back).await;
    assert_eq!(again.call(Add(1)).await, Ok(1));
    assert_eq!(neighbour.pid(), before, "its neighbour did not notice");
    neighbour.join("the-end").await.expect("joined");
    event(&mut others, CONVERGED, |event| match event {
        Event::NodeSuspected { node, .. } | Event::NodeDown { node } => panic!("{node}"),
        Event::GroupJoined { .. } => Some(()),
        _ => None,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_the_worker_does_not_list_is_not_handled() {
    let cluster = Cluster::of(2).await;
    let [a, b] = [&cluster.nodes[0], &cluster.nodes[1]];
    for home in [a, b] {
        let worker = cluster.worker_on(home, "picky", Setup::default()).await;
        let name = worker.name().to_string();
        let pid = worker.pid().expect("registered");
        cluster.until_all(&name, CONVERGED, Some(pid)).await;
        worker.join("picky").await.expect("joined");
        cluster.until_members("picky", CONVERGED, &[pid]).await;
        for node in [a, b] {
            let error = node.call(&name, Unlisted()).await.expect_err("not listed");
            assert!(matches!(error, CallError::NotHandled { .. }), "{error}");
            assert_eq!((error.code(), error.is_retryable()), ("not-handled", false));
            assert_eq!(error.to_string(), format!("{name} does not handle message unlisted"));
            let by_pid = node.multi_call_detailed("picky", Unlisted()).await;
            match &by_pid[..] {
                [(of, Err(CallError::NotHandled { target, message }))] => {
                    assert_eq!((*of, &**target, *message), (pid, &*pid.to_string(), "unlisted"));
                }
                other => panic!("{other:?}"),
            }
            let before = unhandled(home).await;
            node.send(pid, Unlisted()).await.expect("it was sent, and ignored");
            node.cast(&name, Unlisted()).await.expect("it was sent, and ignored");
            assert_eq!(node.call(&name, Add(0)).await, Ok(0), "the worker lives");
            assert_eq!(unhandled(home).await - before, 2, "what nobody is told of is counted");
        }
        assert_eq!(worker.pid(), Some(pid));
        worker.stop(Stop::Kill).await.expect("stopped");
        cluster.until_members("picky", CONVERGED, &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_over_a_kilobyte_is_refused_by_every_operation() {
    let cluster = Cluster::of(2).await;
    let long = "x".repeat(1025);
    let [a, b] = [&cluster.nodes[0], &cluster.nodes[1]];
    let worker = a.spawn::<Probe>(Setup::default()).await.expect("spawned");
    let pid = worker.pid().expect("spawned");
    let errors = [
        a.register::<Probe>(&long, Setup::default()).await.map(drop).map_err(swarm::Error::from),
        a.whereis_or_register::<Probe>(&long, Setup::default()).await.map(drop).map_err(Into::into),
        a.register_pid(&long, pid).await.map_err(Into::into),
        a.unregister(&long).await.map_err(Into::into),
        a.stop(&long, Stop::Kill).await.map_err(Into::into),
        a.whereis_at_owner(&long).await.map(drop).map_err(Into::into),
        a.call(&long, Add(1)).await.map(drop).map_err(Into::into),
        a.cast(&long, Add(1)).await.map_err(Into::into),
        a.join(&long, &worker).await.map_err(Into::into),
        worker.leave(&long).await.map_err(Into::into),
        a.send_one(&long, Add(1), swarm::Pick::Any).await.map_err(Into::into),
    ];
    for (at, error) in errors.into_iter().enumerate() {
        let error = error.expect_err("too long");
        assert_eq!(error.code(), "invalid-name", "operation {at}: {error}");
        assert!(!error.is_retryable());
        assert_eq!(error.to_string(), "a name has at most 1024 bytes, this one has 1025");
    }
    assert_eq!((a.whereis(&long), a.members(&long)), (None, Vec::new()));
    assert_eq!(a.publish(&long, Add(1)).await, 0);

    let longest = "y".repeat(1024);
    let held = a.register::<Probe>(&longest, Setup::default()).await.expect("1,024 bytes are fine");
    held.join(&longest).await.expect("as a group, too");
    cluster.until_all(&longest, CONVERGED, held.pid()).await;
    assert_eq!(b.call(&longest, Add(1)).await, Ok(1));
    cluster.until_count(&longest, CONVERGED, 1).await;
    nobody_notices(&cluster, "long").await;
}

/// Bytes that look random, from a number.
fn noise(mut seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&seed.to_be_bytes());
    }
    bytes.truncate(len);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_the_gossip_port_is_counted_and_ignored() {
    let cluster = Cluster::of(2).await;
    let a = &cluster.nodes[0];
    let before = refused(a).await;
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    for round in 0..20 {
        for (at, len) in [0, 1, 7, 64, 500, 1200, 1201, 9000].into_iter().enumerate() {
            let packet = noise(round * 8 + at as u64, len);
            socket.send_to(&packet, a.local_addr()).expect("sent");
        }
        // The socket's buffer is small: what it drops, the node cannot count.
        let at_least = before + (round + 1) * 4;
        let begun = Instant::now();
        while refused(a).await < at_least {
            assert!(begun.elapsed() < CONVERGED, "{} of {at_least}", refused(a).await);
        }
    }
    nobody_notices(&cluster, "garbage").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replayed_gossip_is_counted_and_ignored() {
    let cluster = Cluster::of(2).await;
    let a = &cluster.nodes[0];
    // A seed that listens and says nothing: what it hears, it can send again to others.
    let tap = UdpSocket::bind("127.0.0.1:0").expect("a port");
    tap.set_read_timeout(Some(secs(5))).expect("set");
    let talker = Swarm::builder("talker")
        .secret(cluster.secret.clone())
        .seeds([tap.local_addr().expect("bound")])
        .start();
    let talker = tokio::spawn(talker);
    let mut packet = vec![0; 2048];
    let (tap, packet) = tokio::task::spawn_blocking(move || {
        let (len, _) = tap.recv_from(&mut packet).expect("it tries its seed");
        packet.truncate(len);
        (tap, packet)
    })
    .await
    .expect("heard");
    let before = refused(a).await;
    tap.send_to(&packet, a.local_addr()).expect("sent");
    for replays in 1..=50 {
        tap.send_to(&packet, a.local_addr()).expect("sent");
        let begun = Instant::now();
        while refused(a).await < before + replays {
            assert!(begun.elapsed() < CONVERGED, "{replays} replays, not all are counted");
        }
    }
    assert_eq!(refused(a).await, before + 50, "once it was good");
    // A packet of which one bit is different is nobody's.
    let mut forged = packet.clone();
    *forged.last_mut().expect("not empty") ^= 1;
    let before = refused(a).await;
    tap.send_to(&forged, a.local_addr()).expect("sent");
    let begun = Instant::now();
    while refused(a).await == before {
        assert!(begun.elapsed() < CONVERGED);
    }
    let talker = talker.await.expect("no panic").expect("it runs");
    talker.shutdown().await.expect("it stops");
    until("whoever it was has left", CONVERGED, || a.nodes().len() == 2).await;
    nobody_notices(&cluster, "replay").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_the_link_port_is_ignored() {
    let cluster = Cluster::of(2).await;
    let [a, b] = [&cluster.nodes[0], &cluster.nodes[1]];
    let members = a.nodes();
    let link: SocketAddr = members.iter().find(|m| m.id == *b.node()).expect("a member").link;
    let mut events = b.events();
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    for round in 0..100_u64 {
        for (at, len) in [1, 20, 64, 1200, 1400].into_iter().enumerate() {
            let mut packet = noise(round * 5 + at as u64, len);
            if round % 2 == 0 {
                // The head of a QUIC version 1 Initial, so that it is looked at closely.
                packet[0] = 0xc3;
                for (byte, version) in packet.iter_mut().skip(1).zip([0, 0, 0, 1]) {
                    *byte = version;
                }
            }
            socket.send_to(&packet, link).expect("sent");
        }
        if round % 25 == 0 {
            nobody_notices(&cluster, &format!("quic-{round}")).await;
        }
    }
    nobody_notices(&cluster, "quic").await;
    a.spawn::<Probe>(Setup::default()).await.expect("spawned").join("the-end").await.expect("ok");
    event(&mut events, CONVERGED, |event| match event {
        Event::NodeSuspected { node, .. } | Event::NodeDown { node } => panic!("{node}"),
        Event::LinkRefused { reason, .. } => panic!("{reason}"),
        Event::GroupJoined { .. } => Some(()),
        _ => None,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_no_node_could_keep_are_refused() {
    let cluster = Cluster::of(2).await;
    let setup = Setup { groups: vec!["g".repeat(100_000)], ..Setup::default() };
    let error = cluster.nodes[0].register::<Probe>("large", setup).await.expect_err("too large");
    assert_eq!((error.code(), error.is_retryable()), ("invalid-arguments", false));
    let text = error.to_string();
    assert!(text.starts_with("the arguments of large cannot be encoded: 100"), "{text}");
    nobody_notices(&cluster, "large").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_says_too_much_of_itself_is_refused() {
    let cluster = Cluster::of(2).await;
    let [a, b] = [&cluster.nodes[0], &cluster.nodes[1]];
    let worker = a.spawn::<Probe>(Setup::default()).await.expect("spawned");
    let pid = worker.pid().expect("spawned");
    for node in [a, b] {
        let member = node.at(worker.address());
        let error = node.join_with("said", &member, vec![1; 65_537]).await.expect_err("too much");
        assert_eq!((error.code(), error.is_retryable()), ("invalid-meta", false));
        let want =
            format!("{pid} says 65537 bytes of itself in group said, at most 65536 are kept");
        assert_eq!(error.to_string(), want);
        assert_eq!(node.members("said"), []);
    }
    b.join_with("said", &b.at(worker.address()), vec![1; 65_536]).await.expect("as much as can be");
    let told = || a.members_with_meta("said") == [(pid, vec![1; 65_536])];
    until("it is told as it was said", CONVERGED, told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_is_wrong_is_named_and_nothing_starts() {
    let check = async |builder: swarm::Builder, want: &str| {
        let error = builder.start().await.expect_err("a setting is wrong");
        assert!(!error.is_retryable());
        assert_eq!(error.to_string(), want);
        let code =
            if want.starts_with("node name") { "invalid-node-name" } else { "invalid-config" };
        assert_eq!(error.code(), code);
    };
    let new = || Swarm::builder("a");
    let seed = SocketAddr::from(([127, 0, 0, 1], 9));
    check(new().weight(-1.0), "weight is -1, it must be a number from 0.0625 to 64").await;
    for cluster in [String::new(), "x".repeat(256)] {
        let want =
            format!("cluster is {} bytes long, it must be 1 to 255 bytes long", cluster.len());
        check(new().cluster(cluster), &want).await;
    }
    let want = "secret is not set, it must be that of the seeds' cluster";
    check(new().seeds([seed]), want).await;
    let want = "advertise is not set, it must be the address under which others reach this node";
    check(new().bind("0.0.0.0:0"), want).await;
    let mut config = Config::default();
    config.process.mailbox_messages = 0;
    let want = "config.process is wrong (process.mailbox_messages is 0, it can be 1 to 1048576), \
                it must be within its bounds";
    check(new().config(config), want).await;
    let error = Swarm::builder("").start().await.expect_err("no name");
    assert_eq!(error.code(), "invalid-node-name");
    let roles = (0..100).map(|at| format!("role-{at}"));
    let error = new().roles(roles).start().await.expect_err("too much to say");
    assert!(error.to_string().starts_with("metadata is "), "{error}");
    assert_eq!(error.code(), "invalid-config");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_says_what_was_tried_where_it_waited_and_for_how_long() {
    let cluster = Cluster::of(2).await;
    let [a, b] = [&cluster.nodes[0], &cluster.nodes[1]];
    let worker = cluster.worker_on(b, "busy", Setup::default()).await;
    let name = worker.name().to_string();
    for node in [a, b] {
        let begun = Instant::now();
        let error = node.call(&name, Nap(secs(20))).timeout(ms(200)).await.expect_err("it naps");
        let took = begun.elapsed();
        assert!((ms(195)..ms(1200)).contains(&took), "{took:?}");
        let text = error.to_string();
        assert!(
            text.starts_with(&format!("no reply to nap from {name} on n1 within 200ms: ")),
            "{text}"
        );
        // It may have been handled: whoever tries again may do it twice.
        assert_eq!((error.code(), error.is_retryable()), ("timeout", false));
        let general = swarm::Error::from(error.clone());
        assert_eq!((general.code(), general.is_retryable()), ("timeout", false));
        assert_eq!(general.to_string(), text, "the same sentence");
        match error {
            // From another node it is not known how far it got there.
            CallError::Timeout {
                stage: Stage::Running | Stage::Queued,
                target,
                node,
                after,
                ..
            } => {
                assert_eq!((&*target, node.as_ref()), (&*name, Some(b.node())));
                assert_eq!(after, Duration::from_millis(200));
            }
            other => panic!("{other}"),
        }
    }
    let stopped = b.call(&name, Where()).timeout(secs(5));
    let by = async {
        until("it waits", CONVERGED, || true).await;
        a.stop(&name, Stop::Kill).await.expect("killed");
    };
    let (error, ()) = tokio::join!(stopped, by);
    let error = error.expect_err("it was killed");
    let allowed = [
        format!("{name} ended before it replied to where: killed"),
        // It was killed before the call came.
        format!("no process {name} for message where"),
    ];
    assert!(allowed.contains(&error.to_string()), "{error}");
}
