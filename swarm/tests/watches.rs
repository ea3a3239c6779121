//! Following names and groups: what there is, then what changes.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use std::collections::BTreeMap;
use std::time::Duration;
use swarm::{GroupChange, GroupChanges, Name, NameChange, NameChanges, Pid, Stop};

async fn name_change(changes: &mut NameChanges) -> NameChange {
    quickly(CONVERGED, changes.next()).await.expect("the node runs")
}

async fn group_change(changes: &mut GroupChanges) -> GroupChange {
    quickly(CONVERGED, changes.next()).await.expect("the node runs")
}

fn held(name: &str, pid: Option<Pid>) -> NameChange {
    let pid = pid.expect("it lives");
    NameChange::Held { name: Name::new(name).expect("a name"), pid }
}

fn vacant(name: &str) -> NameChange {
    NameChange::Vacant { name: Name::new(name).expect("a name") }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_told_as_they_are_and_then_as_they_change() {
    let cluster = Cluster::of(2).await;
    let (here, there) = (&cluster.nodes[0], &cluster.nodes[1]);
    let first = here.register::<Probe>("dev-1", Setup::default()).await.expect("free");
    cluster.until_all("dev-1", CONVERGED, first.pid()).await;
    let mut changes = there.watch_names("dev-");
    assert_eq!(name_change(&mut changes).await, held("dev-1", first.pid()));
    assert_eq!(name_change(&mut changes).await, NameChange::Complete);

    here.register::<Probe>("other", Setup::default()).await.expect("free");
    let second = here.register::<Probe>("dev-2", Setup::default()).await.expect("free");
    assert_eq!(name_change(&mut changes).await, held("dev-2", second.pid()));
    here.stop("dev-1", Stop::Graceful(Duration::from_secs(1))).await.expect("it ran");
    assert_eq!(name_change(&mut changes).await, vacant("dev-1"));
    here.unregister("dev-2").await.expect("it was there");
    assert_eq!(name_change(&mut changes).await, vacant("dev-2"));

    let mut all = there.watch_names("");
    assert!(matches!(name_change(&mut all).await, NameChange::Held { .. }));
    assert_eq!(name_change(&mut all).await, NameChange::Complete);
    there.shutdown().await.expect("it stops");
    while quickly(CONVERGED, changes.next()).await.is_some() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_told_as_they_are_and_then_as_they_change() {
    let cluster = Cluster::of(2).await;
    let (here, there) = (&cluster.nodes[0], &cluster.nodes[1]);
    let worker = here.spawn::<Probe>(Setup::default()).await.expect("spawned");
    let pid = worker.pid().expect("it lives");
    here.join_with("g", &worker, "one").await.expect("joined");
    cluster.until_members("g", CONVERGED, &[pid]).await;
    let mut changes = there.watch_group("g");
    let member = |meta: &str| GroupChange::Member { pid, meta: meta.into() };
    assert_eq!(group_change(&mut changes).await, member("one"));
    assert_eq!(group_change(&mut changes).await, GroupChange::Complete);

    worker.join("another").await.expect("joined");
    here.join_with("g", &worker, "two").await.expect("joined");
    assert_eq!(group_change(&mut changes).await, member("two"));
    worker.leave("g").await.expect("left");
    assert_eq!(group_change(&mut changes).await, GroupChange::Left { pid });
    worker.join("g").await.expect("joined");
    assert_eq!(group_change(&mut changes).await, member(""));
    worker.stop(Stop::Kill).await.expect("it ran");
    assert_eq!(group_change(&mut changes).await, GroupChange::Left { pid });
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_too_slowly_is_told_so_and_gets_everything_again() {
    let cluster = Cluster::of(1).await;
    let node = &cluster.nodes[0];
    let pid = node.spawn::<Probe>(Setup::default()).await.expect("spawned").pid();
    let pid = pid.expect("it lives");
    node.register_pid("gone", pid).await.expect("free");
    let mut changes = node.watch_names("");
    assert_eq!(name_change(&mut changes).await, held("gone", Some(pid)));
    assert_eq!(name_change(&mut changes).await, NameChange::Complete);

    node.unregister("gone").await.expect("it was there");
    for idx in 0..5_000 {
        node.register_pid(format!("n{idx}"), pid).await.expect("free");
    }
    until("all names are in the view", CONVERGED, || node.registered().count() == 5_000).await;
    let mut known: BTreeMap<Name, Pid> = BTreeMap::new();
    let mut n_lags = 0;
    loop {
        match name_change(&mut changes).await {
            NameChange::Held { name, pid } => drop(known.insert(name, pid)),
            NameChange::Vacant { name } => drop(known.remove(&name)),
            NameChange::Lagged { missed } => {
                assert_eq!(missed, 5_001, "one that went and those that came");
                known.clear();
                n_lags += 1;
            }
            NameChange::Complete => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(n_lags, 1);
    assert_eq!(known, node.registered().collect::<BTreeMap<_, _>>());
}
