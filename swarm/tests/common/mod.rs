//! What the tests of the facade share: clusters of nodes in one process, a worker that does as it
//! is told, and waiting with a deadline.

#![allow(dead_code, unused_imports, reason = "each test program uses a part of it")]
#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod child;
pub(crate) use child::{Child, run_as_node};

mod probe;
pub(crate) use probe::{
    Add, Begin, Crash, Downs, Go, Life, Nap, Other, Probe, Purse, Quit, Say, Setup, Unlisted,
    Watch, Where, lives,
};

use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use swarm::{Builder, ClusterSecret, Event, Events, MemberState, Name, Pid, Ref, Swarm};

/// Within this time what one node says has reached all others: 2 s where the machine is not busy
/// with more than its cores can do.
pub(crate) const CONVERGED: Duration = Duration::from_secs(5);

/// Within this time a dead node is held dead by all others: 5 s on such a machine.
pub(crate) const DETECTED: Duration = Duration::from_secs(12);

/// Both, after each other.
pub(crate) const RECOVERED: Duration = Duration::from_secs(17);

/// Nodes of one cluster, in this process, on sockets of their own.
pub(crate) struct Cluster {
    pub(crate) secret: ClusterSecret,
    pub(crate) nodes: Vec<Swarm>,
}

impl Cluster {
    /// Nodes `n0`, `n1`, …, each of which sees all others.
    pub(crate) async fn of(len: usize) -> Self {
        let mut cluster = Self { secret: ClusterSecret::generate(), nodes: Vec::new() };
        for at in 0..len {
            cluster.add(&format!("n{at}")).await;
        }
        cluster
    }

    /// The builder of one more node.
    pub(crate) fn builder(&self, name: &str) -> Builder {
        let seeds: Vec<_> = self.nodes.first().map(Swarm::local_addr).into_iter().collect();
        Swarm::builder(name)
            .secret(self.secret.clone())
            .seeds(seeds)
            .worker::<Probe>()
            .worker::<Other>()
    }

    /// One more node. All nodes see it when this returns.
    pub(crate) async fn add(&mut self, name: &str) -> Swarm {
        let node = self.builder(name).start().await.expect("the node starts");
        self.nodes.push(node.clone());
        self.see_each_other().await;
        node
    }

    /// One more process with a node of its own. All nodes see it when this returns.
    pub(crate) async fn add_process(&self, name: &str) -> Child {
        let child = Child::start(name, &self.secret, self.nodes[0].local_addr());
        let sees = |node: &Swarm| node.nodes().iter().any(|m| m.id.name.as_str() == name);
        until("the process is a member", RECOVERED, || self.nodes.iter().all(sees)).await;
        child
    }

    /// Takes a node out, without a word to the others.
    pub(crate) fn drop_node(&mut self, at: usize) -> swarm::NodeId {
        self.nodes.remove(at).node().clone()
    }

    pub(crate) async fn see_each_other(&self) {
        let count = self.nodes.len();
        let sees_all = |node: &Swarm| {
            let members = node.nodes();
            members.len() == count && members.iter().all(|m| m.state == MemberState::Alive)
        };
        let within = Duration::from_secs(30);
        until("all nodes see each other", within, || self.nodes.iter().all(sees_all)).await;
    }

    /// Waits until every node says the same about a name.
    pub(crate) async fn until_all(&self, name: &str, within: Duration, want: Option<Pid>) {
        let what = format!("{name} is {want:?} on all nodes");
        until(&what, within, || self.nodes.iter().all(|node| node.whereis(name) == want)).await;
    }

    /// Waits until a group has these members on every node.
    pub(crate) async fn until_members(&self, group: &str, within: Duration, want: &[Pid]) {
        let want = sorted(want.to_vec());
        let what = format!("{group} has {} members on all nodes", want.len());
        let has = |node: &Swarm| sorted(node.members(group)) == want;
        until(&what, within, || self.nodes.iter().all(has)).await;
    }

    /// Waits until a group has so many members on every node, the same ones.
    pub(crate) async fn until_count(&self, group: &str, within: Duration, want: usize) {
        let what = format!("{group} has {want} members on all nodes");
        let first = &self.nodes[0];
        until(&what, within, || {
            let members = sorted(first.members(group));
            members.len() == want
                && self.nodes.iter().all(|node| sorted(node.members(group)) == members)
        })
        .await;
    }

    /// A worker that runs on the node `on`, registered through the first node. Others of the same
    /// prefix may run elsewhere.
    pub(crate) async fn worker_on(&self, on: &Swarm, prefix: &str, setup: Setup) -> Ref<Probe> {
        worker_on(&self.nodes[0], on.node(), prefix, setup).await
    }
}

/// A worker that runs on the node `on`, registered through `by`.
pub(crate) async fn worker_on(
    by: &Swarm,
    on: &swarm::NodeId,
    prefix: &str,
    setup: Setup,
) -> Ref<Probe> {
    for at in 0..200 {
        let name = format!("{prefix}-{at}");
        let worker = by.register::<Probe>(&name, setup.clone()).await.expect("registered");
        if worker.pid().expect("it has just been registered").boot == on.boot {
            return worker;
        }
        worker.stop(swarm::Stop::Kill).await.expect("stopped");
    }
    panic!("none of 200 names belongs to {on}");
}

/// Waits until `holds`. Fails once `within` is over.
pub(crate) async fn until(what: &str, within: Duration, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < within, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

/// Waits for an event that `wanted` makes something of; skips others.
pub(crate) async fn event<T>(
    events: &mut Events,
    within: Duration,
    mut wanted: impl FnMut(&Event) -> Option<T>,
) -> T {
    let next = async {
        loop {
            let event = events.next().await.expect("the node runs");
            if let Some(found) = wanted(&event) {
                return found;
            }
        }
    };
    tokio::time::timeout(within, next).await.expect("the event comes in time")
}

/// The result of `work`, which must not take longer than `within`.
pub(crate) async fn quickly<T>(within: Duration, work: impl IntoFuture<Output = T>) -> T {
    tokio::time::timeout(within, work).await.unwrap_or_else(|_| panic!("took over {within:?}"))
}

/// How many of the names run on each node, as `node` sees it.
pub(crate) fn shares(node: &Swarm, prefix: &str) -> BTreeMap<swarm::Boot, usize> {
    let mut shares = BTreeMap::new();
    for (_, pid) in node.registered().filter(|(name, _)| has_prefix(name, prefix)) {
        *shares.entry(pid.boot).or_default() += 1;
    }
    shares
}

/// All names of a prefix with their processes, in order.
pub(crate) fn listed(node: &Swarm, prefix: &str) -> Vec<(Name, Pid)> {
    sorted(node.registered().filter(|(name, _)| has_prefix(name, prefix)).collect())
}

pub(crate) fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort();
    items
}

/// The code of an error that must be.
pub(crate) fn code<T>(result: Result<T, impl Into<swarm::Error>>) -> &'static str {
    match result {
        Ok(_) => panic!("an error was expected"),
        Err(error) => error.into().code(),
    }
}

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn has_prefix(name: &Name, prefix: &str) -> bool {
    name.as_str().is_some_and(|name| name.starts_with(prefix))
}
