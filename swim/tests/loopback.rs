//! Real sockets on loopback.

#![cfg(feature = "udp")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};
use swarm_base::{ClusterSecret, NodeName};
use swarm_swim::udp::{Group, Udp};
use swarm_swim::{Config, Event, Failure, Keyring, Metadata, State};

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
    let mut events = a.events();
    let victim = b.id().clone();
    drop(b);
    let noticed = until("the death", || live(&a) == 2 && live(&c) == 2).await;
    println!("joined within {joined:?}, noticed the death within {noticed:?}");
    let failed = Event::Failed { node: victim, why: Failure::Timeout };
    while events.next().await.expect("it runs") != failed {}
}

#[tokio::test]
async fn a_goodbye_is_heard_and_ends_the_events() {
    let secret = ClusterSecret::generate();
    let a = node("a", "test", &secret, &[]).await;
    let b = node("b", "test", &secret, &[a.address()]).await;
    until("both see both", || live(&a) == 2 && live(&b) == 2).await;
    let (leaver, mut events) = (b.id().clone(), b.events());
    b.leave().await;
    let mut last = None;
    while let Some(event) = events.next().await {
        last = Some(event);
    }
    assert_eq!(last, Some(Event::Departed));
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
