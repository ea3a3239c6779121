//! The node processes of a section, driven together.

use super::child::Child;
use super::figures::Watch;
use super::protocol::{Reply, Request, Role, Start, View};
use crate::Failure;
use std::path::PathBuf;
use std::time::Duration;
use swarm_base::ClusterSecret;

/// Node processes that see each other. Dropped, they end.
pub(super) struct Nodes {
    nodes: Vec<Child>,
    seeds: Vec<String>,
    secret: Secret,
    begun: Watch,
}

/// What many callers came to.
pub(super) struct Answered {
    /// Answers per second.
    pub(super) rate: f64,
    /// From the last answer on, until every view was complete.
    pub(super) views_ms: f64,
}

impl Nodes {
    /// `count` nodes on which anything may run.
    pub(super) fn start(count: usize) -> Result<Self, Failure> {
        Self::of(&vec![Role::Server; count])
    }

    /// Three nodes, of which the first runs everything.
    pub(super) fn observed() -> Result<Self, Failure> {
        Self::of(&[Role::Server, Role::Observer, Role::Observer])
    }

    pub(super) fn of(roles: &[Role]) -> Result<Self, Failure> {
        let mut nodes = Self::none()?;
        roles.iter().try_for_each(|role| nodes.add(*role))?;
        nodes.settle()?;
        Ok(nodes)
    }

    /// None yet.
    pub(super) fn none() -> Result<Self, Failure> {
        let secret = Secret::new()?;
        Ok(Self { nodes: Vec::new(), seeds: Vec::new(), secret, begun: Watch::start() })
    }

    /// One more, whose seeds are all that are there.
    pub(super) fn add(&mut self, role: Role) -> Result<(), Failure> {
        let start = self.plan(role);
        self.begin(&[start])
    }

    /// How one more would start.
    pub(super) fn plan(&self, role: Role) -> Start {
        Start {
            name: node(self.nodes.len() + 1),
            bind: ANY_PORT.to_owned(),
            secret: self.secret.0.to_string_lossy().into_owned(),
            seeds: self.seeds.clone(),
            role,
            quorum: None,
        }
    }

    /// So many more, all at once.
    pub(super) fn begin(&mut self, starts: &[Start]) -> Result<(), Failure> {
        let children = starts.iter().map(|start| Child::start(&start.name));
        let mut children: Vec<_> = children.collect::<Result<_, _>>()?;
        for (child, start) in children.iter_mut().zip(starts) {
            child.tell(&Request::Start(start.clone()))?;
        }
        for mut child in children {
            match child.answer()? {
                Reply::Address(address) => self.seeds.push(address),
                other => return Err(unexpected(&other)),
            }
            self.nodes.push(child);
        }
        Ok(())
    }

    /// Waits until every node sees all.
    pub(super) fn settle(&mut self) -> Result<(), Failure> {
        let all = self.nodes.len() as u64;
        for node in &mut self.nodes {
            wait_for(|| Ok(count(node.ask(&Request::Nodes)?)? == all))?;
        }
        Ok(())
    }

    /// Says what comes now.
    pub(super) fn step(&self, what: &str) {
        eprintln!("  {:5.1} s  {what}", self.begun.seconds());
    }

    /// The `nth` node, counted from one.
    pub(super) fn nth(&mut self, nth: usize) -> &mut Child {
        &mut self.nodes[nth - 1]
    }

    /// Asks the first node.
    pub(super) fn first(&mut self, request: &Request) -> Result<Reply, Failure> {
        self.nth(1).ask(request)
    }

    /// Asks one after the other.
    pub(super) fn all(&mut self, request: &Request) -> Result<Vec<Reply>, Failure> {
        self.nodes.iter_mut().map(|node| node.ask(request)).collect()
    }

    /// Asks the first node what takes many callers, while all watch until their views hold
    /// `names` names.
    pub(super) fn until(&mut self, names: u64, request: &Request) -> Result<Answered, Failure> {
        self.all(&Request::Watch(View::Names(names)))?;
        let reply = self.first(request)?;
        let Reply::Answered { last_ok_ns, .. } = reply else { return Err(unexpected(&reply)) };
        let rate = answered(reply)?;
        let mut views_ms: f64 = 0.0;
        for at in self.all(&Request::Watched)? {
            views_ms = views_ms.max(time(at)?.saturating_sub(last_ok_ns) as f64 / 1e6);
        }
        Ok(Answered { rate, views_ms })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.nodes.len()
    }

    /// Waits until all views are so.
    pub(super) fn wait_for(&mut self, view: View) -> Result<(), Failure> {
        self.all(&Request::Watch(view))?;
        self.all(&Request::Watched)?;
        Ok(())
    }

    /// `kill -9` for the last one.
    pub(super) fn kill_last(&mut self) -> Result<(), Failure> {
        self.seeds.pop();
        self.nodes.pop().ok_or_else(|| Failure::new("no node is left to kill"))?.kill()
    }
}

/// Any port of the loopback.
const ANY_PORT: &str = "127.0.0.1:0";

/// The name of the `nth` node, counted from one.
pub(super) fn node(nth: usize) -> String {
    format!("n{nth}")
}

pub(super) fn count(reply: Reply) -> Result<u64, Failure> {
    match reply {
        Reply::Count(count) => Ok(count),
        other => Err(unexpected(&other)),
    }
}

pub(super) fn bytes(reply: Reply) -> Result<f64, Failure> {
    match reply {
        Reply::Bytes(bytes) => Ok(bytes),
        other => Err(unexpected(&other)),
    }
}

pub(super) fn time(reply: Reply) -> Result<u64, Failure> {
    match reply {
        Reply::At(at) => Ok(at),
        other => Err(unexpected(&other)),
    }
}

/// How many answers a second many callers got.
pub(super) fn answered(reply: Reply) -> Result<f64, Failure> {
    let Reply::Answered { count, seconds, p50_us, p99_us, .. } = reply else {
        return Err(unexpected(&reply));
    };
    let rate = count as f64 / seconds;
    eprintln!("           {rate:.0}/s, p50 {p50_us:.0} µs, p99 {p99_us:.0} µs");
    Ok(rate)
}

/// How often a second something was done, and what it took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    pub(super) per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
}

pub(super) fn rate(reply: Reply) -> Result<Rate, Failure> {
    match reply {
        Reply::Rate { per_second, p50_us, p99_us } => Ok(Rate { per_second, p50_us, p99_us }),
        other => Err(unexpected(&other)),
    }
}

pub(super) fn unexpected(reply: &Reply) -> Failure {
    Failure::new(format!("a process of the bench answered {reply:?}"))
}

/// Polls until it is so.
fn wait_for(mut is_so: impl FnMut() -> Result<bool, Failure>) -> Result<(), Failure> {
    let begun = Watch::start();
    while !is_so()? {
        if begun.elapsed() > Duration::from_secs(20) {
            return Err(Failure::new("the nodes do not find each other"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// The file of the cluster's secret; removed with the nodes.
struct Secret(PathBuf);

impl Secret {
    fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("swarm-bench-{}.secret", std::process::id()));
        // What an earlier process with this number has left behind.
        let _ = std::fs::remove_file(&path);
        match ClusterSecret::generate().to_file(&path) {
            Ok(()) => Ok(Self(path)),
            Err(error) => Err(Failure::new(format!("{}: {error}", path.display()))),
        }
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
