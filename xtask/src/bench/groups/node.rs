//! What a node process does for `bench groups`.

use super::protocol::Request;
use crate::bench::callers::each;
use crate::bench::calls::{Memory, rate};
use crate::bench::figures::Watch;
use crate::bench::load::name;
use crate::bench::node::text;
use crate::bench::protocol::Reply;
use crate::bench::workers::{BODY, Blob, Device, Echo, Received};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use swarm::{Ref, Swarm};

/// The processes of this node that are members.
#[derive(Default)]
pub(in crate::bench) struct State {
    processes: Arc<Vec<Ref<Device>>>,
}

/// How many publications or readings there are between two looks at the clock.
const A_FEW: usize = 10;

impl State {
    pub(in crate::bench) async fn answer(
        &mut self,
        swarm: &Swarm,
        request: Request,
    ) -> Result<Reply, String> {
        let swarm = swarm.clone();
        match request {
            Request::Spawn { count } => {
                let mut processes = Vec::new();
                for _ in 0..count {
                    processes.push(swarm.spawn::<Device>(()).await.map_err(text)?);
                }
                self.processes = Arc::new(processes);
                Ok(Reply::Done)
            }
            Request::Join { groups, at_once } => self.change(groups, at_once, Change::Join).await,
            Request::Leave { groups, at_once } => self.change(groups, at_once, Change::Leave).await,
            // In a task, as a user's code would.
            Request::Members { groups, len, millis } => {
                task(async move { members(&swarm, groups, len, millis) }).await
            }
            Request::Publish { len, millis } => {
                task(async move { publish(&swarm, len, millis).await }).await
            }
            Request::MultiCall { len, millis } => {
                task(async move { multi_call(&swarm, len, millis).await }).await
            }
        }
    }

    async fn change(&self, groups: u64, at_once: u64, change: Change) -> Result<Reply, String> {
        let processes = self.processes.clone();
        let ask = move |at| {
            let (processes, group) = (processes.clone(), group(at % groups));
            async move {
                let process = &processes[at as usize];
                match change {
                    Change::Join => process.join(group).await.map_err(text),
                    Change::Leave => process.leave(group).await.map_err(text),
                }
            }
        };
        each(self.processes.len() as u64, at_once, ask).await
    }
}

/// What all processes of a node do at once.
#[derive(Clone, Copy)]
enum Change {
    Join,
    Leave,
}

fn group(at: u64) -> String {
    name("group", at)
}

async fn task<F>(future: F) -> Result<Reply, String>
where
    F: Future<Output = Result<Reply, String>> + Send + 'static,
{
    #[expect(clippy::disallowed_methods, reason = "it is awaited here")]
    tokio::spawn(future).await.map_err(text)?
}

fn members(swarm: &Swarm, groups: u64, len: u64, millis: u64) -> Result<Reply, String> {
    let names: Vec<String> = (0..groups).map(group).collect();
    let (watch, mut read) = (Watch::start(), 0);
    for names in names.chunks(A_FEW).cycle() {
        for name in names {
            let found = black_box(swarm.members(name)).len() as u64;
            if found != len {
                return Err(format!("{name} has {found} members"));
            }
        }
        read += names.len();
        if watch.elapsed() >= Duration::from_millis(millis) {
            break;
        }
    }
    Ok(Reply::Rate { per_second: read as f64 / watch.seconds(), p50_us: 0.0, p99_us: 0.0 })
}

/// Publishes, and then asks the members what they have received.
async fn publish(swarm: &Swarm, len: u64, millis: u64) -> Result<Reply, String> {
    let before = received(swarm, len).await?;
    let (watch, memory, mut sent) = (Watch::start(), Memory::watch(), 0);
    while watch.elapsed() < Duration::from_millis(millis) {
        for _ in 0..A_FEW {
            sent += swarm.publish(group(0), Blob(vec![7; BODY])).await as u64;
        }
    }
    // Behind all of them: it is answered when they have been handled.
    let delivered = received(swarm, len).await? - before;
    let (seconds, growth_bytes) = (watch.seconds(), memory.growth());
    Ok(Reply::Cast { sent, delivered, seconds, growth_bytes })
}

async fn received(swarm: &Swarm, len: u64) -> Result<u64, String> {
    let counts = swarm.multi_call(group(0), Received).timeout(PATIENCE).await;
    if counts.len() as u64 != len {
        return Err(format!("{} of {len} members say what they have received", counts.len()));
    }
    Ok(counts.iter().sum())
}

async fn multi_call(swarm: &Swarm, len: u64, millis: u64) -> Result<Reply, String> {
    let (watch, mut nanos) = (Watch::start(), Vec::new());
    while watch.elapsed() < Duration::from_millis(millis) {
        let message = Echo(vec![7; BODY]);
        let asked = Watch::start();
        let replies = swarm.multi_call(group(0), message).await.len() as u64;
        nanos.push(asked.nanos());
        if replies != len {
            return Err(format!("{replies} of {len} members answered"));
        }
    }
    Ok(rate(nanos, &watch))
}

/// How long what is queued may take.
const PATIENCE: Duration = Duration::from_secs(30);
