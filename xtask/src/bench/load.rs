//! Registering, finding, and how soon everybody sees it.

use super::callers::each;
use super::figures::{Watch, wall_ns};
use super::node::text;
use super::protocol::{Reply, View};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::thread;
use std::time::Duration;
use swarm::{Name, Stop, Swarm, Worker};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// The time of day at which a view was complete.
pub(super) type Watching = oneshot::Receiver<u64>;

/// How often a view is looked at. Seldom enough to cost nothing beside what is measured.
const LOOK_EVERY: Duration = Duration::from_micros(500);

/// The name of the `at`th worker: all with one prefix have the same length.
pub(super) fn name(prefix: &str, at: u64) -> String {
    format!("{prefix}-{at:07}")
}

/// Registers `count` workers, `at_once` callers at a time.
pub(super) async fn register<W: Worker<Args: Copy>>(
    swarm: &Swarm,
    prefix: &str,
    args: W::Args,
    count: u64,
    at_once: u64,
) -> Result<Reply, String> {
    let (swarm, prefix) = (swarm.clone(), prefix.to_owned());
    let ask = move |at| {
        let (swarm, name) = (swarm.clone(), name(&prefix, at));
        async move { swarm.register::<W>(name, args).await.map(drop).map_err(text) }
    };
    each(count, at_once, ask).await
}

/// Stops `count` workers.
pub(super) async fn stop(swarm: &Swarm, prefix: &str, count: u64) -> Result<Reply, String> {
    let (swarm, prefix) = (swarm.clone(), prefix.to_owned());
    let ask = move |at| {
        let (swarm, name) = (swarm.clone(), name(&prefix, at));
        async move { swarm.stop(name, Stop::Kill).await.map_err(text) }
    };
    each(count, 50, ask).await
}

/// Waits on a thread of its own until the view is so.
pub(super) fn watch(swarm: Swarm, view: View) -> Watching {
    let is_so = move || match view {
        View::Names(count) => swarm.registered().count() as u64 == count,
        View::Members(count) => {
            swarm.groups().iter().map(|(_, len)| *len as u64).sum::<u64>() == count
        }
        View::Nothing => swarm.registered().count() == 0 && swarm.groups().is_empty(),
    };
    let (seen, watching) = oneshot::channel();
    thread::spawn(move || {
        while !is_so() {
            if seen.is_closed() {
                return;
            }
            thread::sleep(LOOK_EVERY);
        }
        let _ = seen.send(wall_ns());
    });
    watching
}

/// Looks names up, one after the other, in a task for each caller.
pub(super) async fn whereis(
    swarm: &Swarm,
    prefix: &str,
    count: u64,
    callers: u64,
    millis: u64,
) -> Result<Reply, String> {
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let (swarm, names) = (swarm.clone(), shuffled(prefix, count));
        tasks.spawn(async move {
            let (watch, mut looked, mut missed) = (Watch::start(), 0, 0);
            for names in names.chunks(CHUNK).cycle() {
                for name in names {
                    missed += u64::from(black_box(swarm.whereis(name)).is_none());
                }
                looked += names.len();
                if watch.elapsed() >= Duration::from_millis(millis) {
                    break;
                }
            }
            (looked as f64 / watch.seconds(), missed)
        });
    }
    let mut per_second = 0.0;
    while let Some(ended) = tasks.join_next().await {
        match ended.map_err(text)? {
            (more, 0) => per_second += more,
            (_, missed) => return Err(format!("{missed} lookups found nothing")),
        }
    }
    Ok(Reply::Rate { per_second, p50_us: 0.0, p99_us: 0.0 })
}

/// The names in an order that is not that in which they were registered.
pub(super) fn shuffled(prefix: &str, count: u64) -> Vec<String> {
    (0..count).map(|at| name(prefix, (at * STRIDE) % count)).collect()
}

/// How many of the names run on each node, as the view says.
pub(super) fn shares(swarm: &Swarm, prefix: &str, count: u64) -> Result<Reply, String> {
    let nodes: BTreeMap<_, _> =
        swarm.nodes().into_iter().map(|member| (member.id.boot, member.id.name)).collect();
    let mut shares = BTreeMap::<String, u64>::new();
    for at in 0..count {
        let name = Name::new(name(prefix, at)).map_err(text)?;
        let pid = swarm.whereis(&name).ok_or_else(|| format!("{name} is not found"))?;
        let node = nodes.get(&pid.boot).ok_or_else(|| format!("{name} runs nowhere"))?;
        *shares.entry(node.to_string()).or_default() += 1;
    }
    Ok(Reply::Shares(shares.into_iter().collect()))
}

/// Coprime to every count that is used.
const STRIDE: u64 = 7919;

/// How many lookups there are between two looks at the clock.
const CHUNK: usize = 1_000;
