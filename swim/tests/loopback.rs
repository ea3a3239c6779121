//! Real sockets on loopback.

#![cfg(feature = "udp")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};
use swarm_base::{Boot, ClusterSecret, NodeName};
use swarm_swim::udp::{Group, Notice, Udp};
use swarm_swim::{Config, Event, Failure, Filter, Keyring, Metadata, State};
use swarm_swim::{KeyChange, KeyChangeError, KeyId, KeyRefusal};

async fn node(name: &str, cluster: &str, secret: &ClusterSecret, seeds: &[SocketAddr]) -> Group {
    let udp = Udp::bind("127.0.0.1:0".parse().expect("an address")).await.expect("bound");
    let config = Config::default().check().expect("the default");
    let keyring = Keyring::new(cluster, secret.clone());
    let name = NodeName::new(name).expect("a name");
    let group = udp.start(name, Metadata::default(), config, keyring).expect("started");
    group.join(seeds.iter().copied()).await;
    group
}

fn live(group: &Group) -> usize {
    group.members().iter().filter(|member| member.state == State::Alive).count()
}

/// Polls until `condition` holds, for 20 s at most: a loaded machine is slow, not wrong.
async fn until(what: &str, condition: impl Fn() -> bool) -> Duration {
    let start = now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    start.elapsed()
}

#[expect(clippy::disallowed_methods, reason = "a test of real sockets in real time")]
fn now() -> Instant {
    Instant::now()
}

#[tokio::test]
async fn three_nodes_find_each_other_and_notice_a_death() {
    let secret = ClusterSecret::generate();
    let a = node("a", "test", &secret, &[]).await;
    let b = node("b", "test", &secret, &[a.address()]).await;
    let c = node("c", "test", &secret, &[a.address()]).await;
    let joined = until("all see all", || [&a, &b, &c].iter().all(|g| live(g) == 3)).await;
    let mut events = a.subscribe(Filter::all());
    let victim = b.id();
    until("streams between all", || [&a, &b, &c].iter().all(|g| g.streams() == 2)).await;
    // Its sockets are closed by the system as they are when its process is killed.
    drop(b);
    let noticed = until("the death", || live(&a) == 2 && live(&c) == 2).await;
    println!("joined within {joined:?}, noticed the death within {noticed:?}");
    let failed = Event::Failed { node: victim, why: Failure::Refused };
    while events.next().await.expect("it runs") != Notice::Event(failed.clone()) {}
}

#[tokio::test]
async fn a_goodbye_is_heard_and_ends_the_events() {
    let secret = ClusterSecret::generate();
    let a = node("a", "test", &secret, &[]).await;
    let b = node("b", "test", &secret, &[a.address()]).await;
    until("both see both", || live(&a) == 2 && live(&b) == 2).await;
    let (leaver, mut events) = (b.id(), b.subscribe(Filter::all()));
    b.leave().await;
    let mut last = None;
    while let Some(event) = events.next().await {
        last = Some(event);
    }
    assert_eq!(last, Some(Notice::Event(Event::Departed)));
    until("the goodbye", || {
        a.members().iter().any(|member| member.id == leaver && member.state == State::Left)
    })
    .await;
}

#[tokio::test]
async fn another_secret_and_another_cluster_are_no_members() {
    let secret = ClusterSecret::generate();
    let a = node("a", "test", &secret, &[]).await;
    let _thief = node("b", "test", &ClusterSecret::generate(), &[a.address()]).await;
    let _neighbour = node("c", "other", &secret, &[a.address()]).await;
    until("the refusals", || {
        let refused = a.counters().refused;
        refused.cluster >= 2 && refused.key + refused.tag >= 2
    })
    .await;
    assert_eq!(a.members().len(), 1);
    assert_eq!(a.counters().packets_out, 0);
}

#[tokio::test]
async fn an_address_that_nobody_reaches_is_not_advertised() {
    let udp = Udp::bind("0.0.0.0:0".parse().expect("an address")).await.expect("bound");
    let config = Config::default().check().expect("the default");
    let keyring = Keyring::new("test", ClusterSecret::generate());
    let name = NodeName::new("a").expect("a name");
    let error = udp.start(name, Metadata::default(), config, keyring).expect_err("refused");
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_subscriber_gets_a_snapshot_and_then_what_its_filter_lets_through() {
    let secret = ClusterSecret::generate();
    let a = node("a", "test", &secret, &[]).await;
    let mut webs = a.subscribe(Filter::all().tag("role", "web"));
    assert_eq!(webs.next().await, Some(Notice::Snapshot([].into())));
    let b = node("b", "test", &secret, &[a.address()]).await;
    until("a sees b", || live(&a) == 2).await;
    b.set_metadata(Metadata::new("role=web").expect("short")).await;
    assert_eq!(webs.next().await, Some(Notice::Event(Event::Merged)), "about the group itself");
    let Some(Notice::Event(Event::Joined(member))) = webs.next().await else { panic!("no join") };
    assert_eq!(member.id, b.id());
    let mut later = a.subscribe(Filter::all().tag("role", "web"));
    assert_eq!(later.next().await, Some(Notice::Snapshot([member].into())));
    b.set_metadata(Metadata::new("role=db").expect("short")).await;
    let Some(Notice::Event(Event::Updated(member))) = webs.next().await else { panic!("no end") };
    assert_eq!(member.metadata.as_bytes(), b"role=db");
    b.set_metadata(Metadata::new("role=cache").expect("short")).await;
    drop(a);
    assert_eq!(webs.next().await, None, "what is not let through is not told");
}

#[tokio::test]
async fn a_clock_that_was_set_back_keeps_nobody_out() {
    let secret = ClusterSecret::generate();
    let a = node("a", "test", &secret, &[]).await;
    let start = async |millis| {
        let udp = Udp::bind("127.0.0.1:0".parse().expect("an address")).await.expect("bound");
        let udp = udp.boot(Boot { millis, random: millis });
        let config = Config::default().check().expect("the default");
        let keyring = Keyring::new("test", secret.clone());
        let name = NodeName::new("b").expect("a name");
        let group = udp.start(name, Metadata::default(), config, keyring).expect("started");
        group.join([a.address()]).await;
        group
    };
    let ahead = start(2_000).await;
    until("it joins", || live(&a) == 2).await;
    ahead.leave().await;
    let behind = start(1_000).await;
    until("it joins again", || live(&a) == 2 && live(&behind) == 2).await;
    assert_eq!(behind.id().boot.millis, 2_001);
}

#[tokio::test]
async fn a_secret_is_changed_without_a_stop() {
    let old = ClusterSecret::generate();
    let a = node("a", "test", &old, &[]).await;
    let b = node("b", "test", &old, &[a.address()]).await;
    let c = node("c", "test", &old, &[a.address()]).await;
    let all = [&a, &b, &c];
    until("all see all", || all.iter().all(|group| live(group) == 3)).await;
    let new = ClusterSecret::generate();
    let step = async |change| b.change_keys(change).await.expect("it runs");

    let unknown = step(KeyChange::Use(KeyId([1; 8]))).await;
    assert_eq!(unknown, Err(KeyChangeError::Refused(KeyRefusal::Unknown)));
    let first = a.keys()[0];
    assert_eq!(
        step(KeyChange::Remove(first)).await,
        Err(KeyChangeError::Refused(KeyRefusal::InUse))
    );

    let installed = step(KeyChange::Install(new.clone())).await.expect("begun");
    assert!(installed.is_complete() && installed.confirmed.len() == 2, "{installed}");
    let used = step(KeyChange::Use(installed.id)).await.expect("begun");
    assert!(used.is_complete(), "{used}");
    until("the new key seals", || all.iter().all(|g| g.keys() == [installed.id, first])).await;
    let removed = step(KeyChange::Remove(first)).await.expect("begun");
    assert!(removed.is_complete(), "{removed}");
    until("the old key is gone", || all.iter().all(|g| g.keys() == [installed.id])).await;

    let _late = node("d", "test", &old, &[a.address()]).await;
    let _new = node("e", "test", &new, &[a.address()]).await;
    until("who has the new one joins", || all.iter().all(|group| live(group) == 4)).await;
    assert!(all.iter().all(|group| group.members().iter().all(|m| m.state == State::Alive)));
}
