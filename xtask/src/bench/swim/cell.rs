//! One cell: a group of one size, in one profile, under one loss.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use super::awake::Awake;
use super::bed::{Bed, PATIENCE};
use crate::bench::figures::{cpu_ms, median, resident};
use crate::bench::namespace::{Traffic, set_up, tool};
use crate::{Failure, output};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use swarm_base::{ClusterSecret, NodeId, NodeName};
use swarm_swim::udp::Udp;
use swarm_swim::{Checked, Config, Event, Keyring, Metadata};
use tokio::process::{Child, Command};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(long)]
    profile: String,
    #[arg(long)]
    loss: u32,
    #[arg(long)]
    nodes: usize,
    #[arg(long)]
    joins: u32,
    #[arg(long)]
    kills: u32,
    #[arg(long)]
    freezes: u32,
    #[arg(long)]
    rest: u64,
    #[arg(long)]
    watch: u64,
}

/// A node that is stopped from outside.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Frozen {
    #[arg(long)]
    profile: String,
    #[arg(long)]
    name: String,
    #[arg(long)]
    seed: SocketAddr,
}

/// What was measured. Seconds where nothing else is said, each time once for each repetition.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Figures {
    profile: String,
    loss_percent: u32,
    nodes: usize,
    pub(super) joins_s: Vec<f64>,
    /// Kilobytes for each node.
    pub(super) join_bytes: Vec<f64>,
    pub(super) kill_first_s: Vec<f64>,
    pub(super) kill_last_s: Vec<f64>,
    pub(super) rejoins_s: Vec<f64>,
    pub(super) freeze_first_s: Vec<f64>,
    pub(super) freeze_last_s: Vec<f64>,
    pub(super) rest_packets: Vec<f64>,
    pub(super) rest_bytes: Vec<f64>,
    /// With the processors kept awake.
    pub(super) rest_cpu_ms: Vec<f64>,
    /// As they are.
    rest_cpu_idle_ms: Vec<f64>,
    rss_mb: f64,
    watched_s: u64,
    pub(super) false_deaths: usize,
    false_subjects: usize,
    probes_failed: u64,
}

impl Figures {
    pub(super) const HEAD: &'static str = "| profile | loss | N | join-all s (max) | kB/node | \
        kills | first dead s | last learns s | rejoin-all s | freezes | first dead s | \
        last learns s | B/s/node | pkt/s/node | CPU ms/s/node (idle machine) | RSS MB | \
        false dead events (subjects) | failed probes | watched s |\n\
        |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|";
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = |values: &[f64], digits: usize| match values {
            [] => "-".to_owned(),
            values => format!("{:.digits$}", median(values)),
        };
        let most = self.joins_s.iter().copied().fold(0.0, f64::max);
        write!(f, "| {} | {} % | {} ", self.profile, self.loss_percent, self.nodes)?;
        write!(f, "| {} ({most:.2}) ", one(&self.joins_s, 2))?;
        write!(f, "| {} | {} ", one(&self.join_bytes, 1), self.kill_first_s.len())?;
        write!(f, "| {} | {} ", one(&self.kill_first_s, 3), one(&self.kill_last_s, 3))?;
        write!(f, "| {} | {} ", one(&self.rejoins_s, 2), self.freeze_first_s.len())?;
        write!(f, "| {} | {} ", one(&self.freeze_first_s, 2), one(&self.freeze_last_s, 2))?;
        write!(f, "| {} | {} ", one(&self.rest_bytes, 0), one(&self.rest_packets, 2))?;
        let (awake, idle) = (one(&self.rest_cpu_ms, 3), one(&self.rest_cpu_idle_ms, 3));
        write!(f, "| {awake} ({idle}) | {:.1} ", self.rss_mb)?;
        write!(f, "| {} ({}) ", self.false_deaths, self.false_subjects)?;
        write!(f, "| {} | {} |", self.probes_failed, self.watched_s)
    }
}

/// The node that is stopped from outside: it runs until it is killed.
pub(crate) fn run_node(args: &Frozen) -> Result<(), Failure> {
    let run = async {
        let udp = Udp::bind(loopback()).await.map_err(|error| error.to_string())?;
        let name = NodeName::new(&args.name).map_err(|error| error.to_string())?;
        let keyring = Keyring::new("bench", secret());
        let group = udp
            .start(name, Metadata::default(), config(&args.profile)?, keyring)
            .map_err(|error| error.to_string())?;
        group.join([args.seed]).await;
        std::future::pending::<()>().await;
        Ok(())
    };
    runtime()?.block_on(run).map_err(|error: String| Failure::new(error))
}

pub(crate) fn run_cell(args: &Args) -> Result<(), Failure> {
    let measured = async {
        set_up(args.loss)?;
        Cell::new(args.clone())?.measure().await
    };
    let figures = runtime()?.block_on(measured).map_err(|error: String| Failure::new(error))?;
    output::line(serde_json::to_string(&figures).map_err(|e| Failure::new(e.to_string()))?)
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all();
    builder.build().map_err(|error| Failure::new(format!("no runtime: {error}")))
}

fn secret() -> ClusterSecret {
    ClusterSecret::from_bytes(&std::array::from_fn::<u8, 32, _>(|at| at as u8)).expect("32 bytes")
}

fn config(profile: &str) -> Result<Checked, String> {
    let ms = Duration::from_millis;
    let config = match profile {
        "lan" => Config::lan(),
        "fast" => Config {
            probe_interval: ms(200),
            probe_timeout: ms(100),
            probe_timeout_min: ms(50),
            ..Config::lan()
        },
        other => return Err(format!("no profile {other}")),
    };
    config.check().map_err(|error| error.to_string())
}

fn loopback() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

struct Cell {
    args: Args,
    config: Checked,
    bed: Bed,
    frozen: Vec<(NodeName, Child)>,
    figures: Figures,
}

impl Cell {
    fn new(args: Args) -> Result<Self, String> {
        let config = config(&args.profile)?;
        let bed = Bed::new(config, secret());
        let (profile, loss_percent, nodes) = (args.profile.clone(), args.loss, args.nodes);
        let figures = Figures { profile, loss_percent, nodes, ..Figures::default() };
        Ok(Self { args, config, bed, frozen: Vec::new(), figures })
    }

    async fn measure(mut self) -> Result<Figures, String> {
        for _ in 0..self.args.joins {
            self.join().await?;
        }
        if self.args.rest > 0 {
            self.rest().await?;
        }
        for kill in 0..self.args.kills as usize {
            // Not the seed.
            self.kill(1 + kill % (self.args.nodes - 1)).await?;
        }
        if self.args.watch > 0 {
            self.watch().await;
        }
        if self.args.freezes > 0 {
            self.start_frozen().await?;
            for freeze in 0..self.args.freezes as usize {
                self.freeze(freeze % FROZEN).await?;
            }
        }
        let counters = self.bed.running().map(|node| node.group.counters().probes_failed);
        self.figures.probes_failed = counters.sum();
        self.figures.rss_mb = resident() as f64 / 1e6;
        Ok(self.figures)
    }

    /// All nodes at once, through one seed.
    async fn join(&mut self) -> Result<(), String> {
        let n = self.args.nodes;
        self.bed = Bed::new(self.config, secret());
        for idx in 0..n {
            self.bed.start(idx, loopback()).await?;
        }
        let (before, start) = (Traffic::now(), Instant::now());
        let seed = self.bed.address(0);
        for node in self.bed.running() {
            node.group.join([seed]).await;
        }
        let took = self.bed.until_all_see(n, start).await?;
        let bytes = Traffic::now().since(before).bytes;
        self.figures.joins_s.push(took);
        self.figures.join_bytes.push(bytes as f64 / n as f64 / 1e3);
        Ok(())
    }

    /// What a group costs that has nothing to tell.
    async fn rest(&mut self) -> Result<(), String> {
        tokio::time::sleep(SETTLE).await;
        let (traffic, start) = (Traffic::now(), Instant::now());
        let idle = self.rest_cpu().await;
        let awake = Awake::begin().map_err(|error| format!("processors fall asleep: {error}"))?;
        let busy = self.rest_cpu().await;
        drop(awake);
        let each = start.elapsed().as_secs_f64() * self.args.nodes as f64;
        let traffic = Traffic::now().since(traffic);
        self.figures.rest_packets.push(traffic.packets as f64 / each);
        self.figures.rest_bytes.push(traffic.bytes as f64 / each);
        self.figures.rest_cpu_idle_ms.push(idle);
        self.figures.rest_cpu_ms.push(busy);
        Ok(())
    }

    /// Milliseconds for each node and second.
    async fn rest_cpu(&self) -> f64 {
        let (cpu, start) = (cpu_ms(), Instant::now());
        tokio::time::sleep(Duration::from_secs(self.args.rest) / 2).await;
        (cpu_ms() - cpu) / start.elapsed().as_secs_f64() / self.args.nodes as f64
    }

    /// Ends a node as a kill does, and starts it again with its name and address.
    async fn kill(&mut self, victim: usize) -> Result<(), String> {
        let n = self.args.nodes;
        // Until the others hold streams to it.
        tokio::time::sleep(SETTLE).await;
        let (id, address) = (self.bed.id(victim), self.bed.address(victim));
        self.bed.drain();
        let start = Instant::now();
        self.bed.nodes[victim] = None;
        let (first, last) = self.deaths(&id, n - 1, start).await?;
        self.figures.kill_first_s.push(first);
        self.figures.kill_last_s.push(last);
        // The system may take a moment to give the port back.
        while let Err(error) = self.bed.start(victim, address).await {
            if start.elapsed() > PATIENCE {
                return Err(error);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let start = Instant::now();
        let seed = self.bed.address(0);
        self.bed.nodes[victim].as_ref().expect("just started").group.join([seed]).await;
        let took = self.bed.until_all_see(n, start).await?;
        self.figures.rejoins_s.push(took);
        Ok(())
    }

    /// When the first and the last of `n` observers declared `victim` dead, after `start`.
    async fn deaths(
        &mut self,
        victim: &NodeId,
        n: usize,
        start: Instant,
    ) -> Result<(f64, f64), String> {
        let mut times: Vec<f64> = Vec::new();
        let mut observers = BTreeSet::new();
        while observers.len() < n {
            let left = PATIENCE.saturating_sub(start.elapsed());
            let told = tokio::time::timeout(left, self.bed.told.recv()).await;
            let Ok(Some(told)) = told else {
                return Err(format!("{victim}: {} of {n} saw its death", observers.len()));
            };
            if matches!(&told.event, Event::Failed { node, .. } if node == victim)
                && observers.insert(told.by)
            {
                times.push(told.at.saturating_duration_since(start).as_secs_f64());
            }
        }
        let first = times.iter().copied().fold(f64::MAX, f64::min);
        Ok((first, times.iter().copied().fold(0.0, f64::max)))
    }

    /// Counts deaths of those who live.
    async fn watch(&mut self) {
        self.bed.drain();
        tokio::time::sleep(Duration::from_secs(self.args.watch)).await;
        let dead = self.bed.drain().into_iter().filter_map(|told| match told.event {
            Event::Failed { node, .. } => Some(node),
            _ => None,
        });
        let dead: Vec<NodeId> = dead.collect();
        self.figures.false_deaths += dead.len();
        self.figures.false_subjects += dead.iter().collect::<BTreeSet<_>>().len();
        self.figures.watched_s = self.args.watch;
    }

    /// Nodes in processes of their own take the place of some of this one's.
    async fn start_frozen(&mut self) -> Result<(), String> {
        let n = self.args.nodes;
        let own = std::env::current_exe().map_err(|error| error.to_string())?;
        let seed = self.bed.address(0).to_string();
        let n_frozen = FROZEN.min(n - 1);
        for idx in 0..n_frozen {
            if let Some(node) = self.bed.nodes[n - 1 - idx].take() {
                drop(node);
            }
            let name = format!("frozen{idx}");
            let child = Command::new(&own)
                .args(["bench", "swim-node", "--profile", &self.args.profile])
                .args(["--name", &name, "--seed", &seed])
                .kill_on_drop(true)
                .spawn()
                .map_err(|error| error.to_string())?;
            let name = NodeName::new(name).map_err(|error| error.to_string())?;
            self.frozen.push((name, child));
        }
        self.bed.until_all_see(n, Instant::now()).await.map(drop)
    }

    /// Stops a process until it is dead to all, and has it go on.
    async fn freeze(&mut self, idx: usize) -> Result<(), String> {
        let n = self.args.nodes;
        let (name, child) = &self.frozen[idx % self.frozen.len()];
        let pid = child.id().ok_or("the process to stop has ended")?.to_string();
        let name = name.clone();
        tokio::time::sleep(SETTLE).await;
        let seen = self.bed.running().next().expect("the seed runs").group.members();
        let member = seen.iter().find(|member| member.id.name == name && member.is_live());
        let id = member.ok_or("the process to stop is no member")?.id.clone();
        self.bed.drain();
        tool("kill", &["-STOP", &pid])?;
        let start = Instant::now();
        let observers = self.bed.running().count();
        let deaths = self.deaths(&id, observers, start).await;
        tool("kill", &["-CONT", &pid])?;
        let (first, last) = deaths?;
        self.figures.freeze_first_s.push(first);
        self.figures.freeze_last_s.push(last);
        self.bed.until_all_see(n, Instant::now()).await.map(drop)
    }
}

/// How many nodes have processes of their own.
const FROZEN: usize = 2;

/// After a change the news of it is told, and streams are dialed anew.
const SETTLE: Duration = Duration::from_secs(4);
