//! Bounds that an operator sets: what is beyond them is refused with an error that names them.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use swarm::{Config, Name, RegisterError, Swarm};

#[tokio::test(flavor = "multi_thread")]
async fn more_names_and_groups_than_may_be_are_refused_and_change_nothing() {
    let mut config = Config::default();
    (config.registry.names_max, config.registry.groups_max) = (3, 2);
    let node = Swarm::builder("bounded").worker::<Probe>().config(config).start().await;
    let node = node.expect("it starts");
    let worker = node.register::<Probe>("one", Setup::default()).await.expect("room");
    let pid = worker.pid().expect("it lives");
    for name in ["two", "three"] {
        node.register_pid(name, pid).await.expect("room");
    }
    let full = |name| RegisterError::Full { name: Name::new(name).expect("a name"), max: 3 };
    let more = node.register::<Probe>("more", Setup::default()).await;
    assert_eq!(more.map(drop), Err(full("more")));
    assert_eq!(node.register_pid("by-pid", pid).await, Err(full("by-pid")));
    assert_eq!(node.registered().count(), 3);
    node.unregister("two").await.expect("it was there");
    node.register_pid("more", pid).await.expect("room again");

    for group in ["a", "b", "a"] {
        worker.join(group).await.expect("room");
    }
    let refused = worker.join("c").await.expect_err("two are the most");
    assert_eq!(
        refused.to_string(),
        "one did not join group c: it is in 2 groups, as many as may be"
    );
    assert_eq!((refused.code(), refused.is_retryable()), ("full", true));
    assert_eq!(node.members("c"), []);
    worker.leave("a").await.expect("it is in it");
    worker.join("c").await.expect("room again");

    let mut none = Config::default();
    none.registry.names_max = 0;
    let refused = Swarm::builder("none").config(none).start().await.expect_err("0 is no bound");
    assert!(refused.to_string().contains("names_max"), "{refused}");
}
