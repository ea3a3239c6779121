//! The node processes of a demo, their folder, and what is asked of all of them.

use super::protocol::{Alive, Counts, Peer, Request, Seen, Sum, Views, What};
use super::roll::Roll;
use crate::Failure;
use crate::driven::{self, Client, Driven};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;
use swarm::ClusterSecret;
use tokio::process::Command;
use tokio::task::JoinSet;

/// The node processes that run, by their numbers: 3 is n3. Dropped, all are killed.
pub(crate) struct Cluster {
    folder: PathBuf,
    secret: PathBuf,
    nodes: BTreeMap<usize, Driven<Request>>,
    addresses: BTreeMap<usize, String>,
    reply_timeout: Duration,
}

impl Cluster {
    /// Nobody yet, with a new secret in `folder`. No reply may take longer than `reply_timeout`.
    pub(crate) fn new(folder: &Path, reply_timeout: Duration) -> Result<Self, Failure> {
        let secret = folder.join("secret");
        ClusterSecret::generate().to_file(&secret).map_err(|e| Failure::new(e.to_string()))?;
        Ok(Self {
            folder: folder.to_owned(),
            secret,
            nodes: BTreeMap::new(),
            addresses: BTreeMap::new(),
            reply_timeout,
        })
    }

    /// Starts nodes that join through those that run, and waits until they have.
    pub(crate) async fn start(
        &mut self,
        nodes: impl IntoIterator<Item = usize>,
    ) -> Result<(), Failure> {
        let seeds: Vec<String> = self.addresses.values().cloned().collect();
        let mut started = Vec::new();
        for node in nodes {
            let command = self.command(node, &seeds)?;
            let process = Driven::start(&name(node), command, self.reply_timeout)?;
            started.push((node, process.client().clone()));
            self.nodes.insert(node, process);
        }
        for (node, client) in started {
            let address = client.ask(Request::Address).await?;
            self.addresses.insert(node, address);
        }
        Ok(())
    }

    /// This very program as a node, which writes its log to the folder.
    fn command(&self, node: usize, seeds: &[String]) -> Result<Command, Failure> {
        let path = self.log(node);
        let log = OpenOptions::new().create(true).append(true).open(&path);
        let log = log.map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        let mut command = Command::new(driven::this_program()?);
        command.args(["node", "--name", &name(node), "--secret"]).arg(&self.secret);
        command.args(seeds.iter().flat_map(|seed| ["--seed", seed])).stderr(log);
        Ok(command)
    }

    /// Takes a node out of the cluster's hands: what becomes of its process is up to the caller.
    pub(crate) fn take(&mut self, node: usize) -> Driven<Request> {
        self.addresses.remove(&node);
        self.nodes.remove(&node).expect("a step takes a node that runs")
    }

    /// Ends all of them.
    pub(crate) async fn stop(&mut self) {
        self.addresses.clear();
        let mut stopping = JoinSet::new();
        while let Some((_, process)) = self.nodes.pop_first() {
            stopping.spawn(process.stop());
        }
        stopping.join_all().await;
    }

    /// The numbers of those that run.
    pub(crate) fn numbers(&self) -> Vec<usize> {
        self.nodes.keys().copied().collect()
    }

    /// The process ids of those that run.
    pub(crate) fn ids(&self) -> Vec<u32> {
        self.nodes.values().filter_map(Driven::id).collect()
    }

    pub(crate) fn log(&self, node: usize) -> PathBuf {
        self.folder.join(format!("{}.log", name(node)))
    }

    pub(crate) fn client(&self, node: usize) -> Client<Request> {
        self.nodes.get(&node).expect("a step asks a node that runs").client().clone()
    }

    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        node: usize,
        request: Request,
    ) -> Result<T, Failure> {
        self.client(node).ask(request).await
    }

    /// Asks all at once, each for what `request` says; the replies by the nodes' numbers.
    pub(crate) async fn ask_all<T: DeserializeOwned + Send + 'static>(
        &self,
        request: impl Fn() -> Request,
    ) -> Result<BTreeMap<usize, T>, Failure> {
        let ask =
            |(node, process): (&usize, &Driven<_>)| (*node, process.client().clone(), request());
        Client::ask_each(self.nodes.iter().map(ask)).await
    }

    /// Writes the state of each node, as it shows it, to the folder. A node that does not show it
    /// soon has none: why is what this is for.
    pub(crate) async fn write_snapshots(&self) {
        for (&node, process) in &self.nodes {
            let asked = process.client().ask::<serde_json::Value>(Request::Snapshot);
            if let Ok(Ok(snapshot)) = tokio::time::timeout(SNAPSHOT_TIMEOUT, asked).await {
                let path = self.folder.join(format!("{}.json", name(node)));
                // The failure that led here is what counts.
                let _ = std::fs::write(path, format!("{snapshot:#}\n"));
            }
        }
    }

    pub(crate) async fn members(&self) -> Result<BTreeMap<usize, Vec<Peer>>, Failure> {
        self.ask_all(|| Request::Members).await
    }

    pub(crate) async fn counts(&self) -> Result<BTreeMap<usize, Counts>, Failure> {
        self.ask_all(|| Request::Counts).await
    }

    /// Which devices live where, by their own account.
    pub(crate) async fn roll(&self) -> Result<Roll, Failure> {
        Ok(Roll::of(self.ask_all::<Vec<Alive>>(|| Request::Living).await?))
    }

    /// When each node first saw `what` happen to `peer`, from `since_us` on; nodes that did not
    /// are left out.
    pub(crate) async fn seen(
        &self,
        peer: &Peer,
        what: What,
        since_us: u64,
    ) -> Result<BTreeMap<usize, u64>, Failure> {
        let events: BTreeMap<usize, Vec<Seen>> = self.ask_all(|| Request::Events).await?;
        let first = |events: Vec<Seen>| {
            let is_it = |seen: &Seen| seen.what == what && seen.peer == *peer;
            events.into_iter().find(|seen| is_it(seen) && seen.at_us >= since_us)
        };
        let seen = |(node, events)| first(events).map(|seen| (node, seen.at_us));
        Ok(events.into_iter().filter_map(seen).collect())
    }

    /// The nodes that were told of more than they could read in time, from `since_us` on.
    pub(crate) async fn missed(&self, since_us: u64) -> Result<BTreeSet<usize>, Failure> {
        let events: BTreeMap<usize, Vec<Seen>> = self.ask_all(|| Request::Events).await?;
        let is_it = |seen: &Seen| seen.what == What::Missed && seen.at_us >= since_us;
        let missed = events.into_iter().filter(|(_, events)| events.iter().any(is_it));
        Ok(missed.map(|(node, _)| node).collect())
    }

    /// Whether every node's view holds what lives, and nothing else.
    ///
    /// # Errors
    ///
    /// The inner one says which view does not.
    pub(crate) async fn views(&self) -> Result<Result<(), String>, Failure> {
        let views: BTreeMap<usize, Views> = self.ask_all(|| Request::Views).await?;
        let all = |part: fn(&Views) -> Sum| {
            views.values().map(part).fold(Sum::default(), |sum, next| sum.and(next))
        };
        let (living, processes) = (all(|view| view.living), all(|view| view.processes));
        for (node, view) in &views {
            if view.registered != living {
                return Ok(Err(format!("the names of n{node} are other processes")));
            }
            if view.grouped != processes {
                return Ok(Err(format!("the group has other processes on n{node}")));
            }
        }
        Ok(Ok(()))
    }
}

/// How long a node may take to show its state, once the demo has failed.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(3);

/// What a node is called.
pub(crate) fn name(node: usize) -> String {
    format!("n{node}")
}
