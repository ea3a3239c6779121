//! Registering, finding, and how soon everybody sees it.

use super::figures::{Watch, percentile, wall_ns};
use super::node::text;
use super::protocol::Reply;
use super::workers::Device;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use swarm::{Name, Stop, Swarm};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// The time of day at which a view was complete.
pub(super) type Watching = oneshot::Receiver<u64>;

/// How often a view is looked at. Seldom enough to cost nothing beside what is measured.
const LOOK_EVERY: Duration = Duration::from_micros(500);

/// The name of the `at`th worker.
pub(super) fn name(prefix: &str, at: u64) -> String {
    format!("{prefix}-{at}")
}

/// Registers `count` workers, `at_once` callers at a time.
pub(super) async fn register(
    swarm: &Swarm,
    prefix: &str,
    count: u64,
    at_once: u64,
) -> Result<Reply, String> {
    let (next, watch) = (Arc::new(AtomicU64::new(0)), Watch::start());
    let mut callers = JoinSet::new();
    for _ in 0..at_once {
        let (swarm, next, prefix) = (swarm.clone(), next.clone(), prefix.to_owned());
        callers.spawn(async move {
            let mut nanos = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= count {
                    return Ok::<_, String>((nanos, wall_ns()));
                }
                let asked = Watch::start();
                swarm.register::<Device>(name(&prefix, at), ()).await.map_err(text)?;
                nanos.push(asked.nanos());
            }
        });
    }
    let (mut nanos, mut last_ok_ns) = (Vec::new(), 0);
    while let Some(ended) = callers.join_next().await {
        let (more, at): (Vec<u64>, u64) = ended.map_err(text)??;
        nanos.extend(more);
        last_ok_ns = last_ok_ns.max(at);
    }
    let seconds = watch.seconds();
    nanos.sort_unstable();
    let us = |permille| percentile(&nanos, permille) as f64 / 1e3;
    Ok(Reply::Registered { seconds, p50_us: us(500), p99_us: us(990), last_ok_ns })
}

/// Stops `count` workers.
pub(super) async fn stop(swarm: &Swarm, prefix: &str, count: u64) -> Result<Reply, String> {
    let next = Arc::new(AtomicU64::new(0));
    let mut callers = JoinSet::new();
    for _ in 0..50 {
        let (swarm, next, prefix) = (swarm.clone(), next.clone(), prefix.to_owned());
        callers.spawn(async move {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= count {
                    return Ok::<_, String>(());
                }
                swarm.stop(name(&prefix, at), Stop::Kill).await.map_err(text)?;
            }
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended.map_err(text)??;
    }
    Ok(Reply::Done)
}

/// Waits on a thread of its own until the view holds `count` names.
pub(super) fn watch(swarm: Swarm, count: u64) -> Watching {
    let (seen, watching) = oneshot::channel();
    thread::spawn(move || {
        while swarm.registered().count() as u64 != count {
            if seen.is_closed() {
                return;
            }
            thread::sleep(LOOK_EVERY);
        }
        let _ = seen.send(wall_ns());
    });
    watching
}

/// Looks names up, one after the other, in a task.
pub(super) async fn whereis(
    swarm: &Swarm,
    prefix: &str,
    count: u64,
    millis: u64,
) -> Result<Reply, String> {
    let (swarm, prefix) = (swarm.clone(), prefix.to_owned());
    #[expect(clippy::disallowed_methods, reason = "it is awaited below")]
    let measured = tokio::spawn(async move {
        // In an order that is not that in which they were registered.
        let names: Vec<String> =
            (0..count).map(|at| name(&prefix, (at * STRIDE) % count)).collect();
        let (watch, mut looked, mut missed) = (Watch::start(), 0, 0);
        while watch.elapsed() < Duration::from_millis(millis) {
            for name in &names {
                missed += u64::from(black_box(swarm.whereis(name)).is_none());
            }
            looked += count;
        }
        (looked as f64 / watch.seconds(), missed)
    });
    match measured.await.map_err(text)? {
        (per_second, 0) => Ok(Reply::Rate { per_second, p50_us: 0.0, p99_us: 0.0 }),
        (_, missed) => Err(format!("{missed} lookups found nothing")),
    }
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
