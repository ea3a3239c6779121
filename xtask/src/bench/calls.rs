//! Calls and casts to workers of a given node.

use super::figures::{Watch, percentile, resident};
use super::load::name;
use super::node::text;
use super::protocol::Reply;
use super::workers::{BODY, Blob, Echo, Received, Where};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use swarm::Swarm;
use tokio::task::JoinSet;

/// How many workers are called in turn.
const TARGETS: usize = 64;

/// Names that run on the node `on`: by this node's view, and as the workers themselves say.
pub(super) async fn names_on(
    swarm: &Swarm,
    prefix: &str,
    count: u64,
    on: &str,
) -> Result<Vec<String>, String> {
    let boot = swarm.nodes().into_iter().find(|member| member.id.name.to_string() == on);
    let boot = boot.ok_or_else(|| format!("no node {on}"))?.id.boot;
    let mut names = Vec::new();
    for name in (0..count).map(|at| name(prefix, at)) {
        if swarm.whereis(&name).is_some_and(|pid| pid.boot == boot) {
            let runs_on = swarm.call(&name, Where).await.map_err(text)?;
            if runs_on != on {
                return Err(format!("{name} runs on {runs_on}, not on {on}"));
            }
            names.push(name);
            if names.len() == TARGETS {
                return Ok(names);
            }
        }
    }
    Err(format!("only {} names run on {on}", names.len()))
}

/// Calls the names in turn, from several callers, each of which waits for its answer.
pub(super) async fn call(
    swarm: &Swarm,
    names: Vec<String>,
    callers: u64,
    millis: u64,
) -> Result<Reply, String> {
    let (names, watch) = (Arc::new(names), Watch::start());
    let mut tasks = JoinSet::new();
    for caller in 0..callers as usize {
        let (swarm, names) = (swarm.clone(), names.clone());
        tasks.spawn(async move {
            let (mut nanos, mut at) = (Vec::new(), caller);
            while watch.elapsed() < Duration::from_millis(millis) {
                let message = Echo(vec![7; BODY]);
                let asked = Watch::start();
                let echo = swarm.call(&names[at % names.len()], message).await.map_err(text)?;
                nanos.push(asked.nanos());
                if echo.0.len() != BODY {
                    return Err(format!("{} bytes came back", echo.0.len()));
                }
                at += 1;
            }
            Ok(nanos)
        });
    }
    let mut nanos: Vec<u64> = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        nanos.extend(ended.map_err(text)??);
    }
    Ok(rate(nanos, &watch))
}

/// The rate and the latencies of what took `nanos` each.
pub(super) fn rate(mut nanos: Vec<u64>, watch: &Watch) -> Reply {
    let per_second = nanos.len() as f64 / watch.seconds();
    nanos.sort_unstable();
    let us = |permille| percentile(&nanos, permille) as f64 / 1e3;
    Reply::Rate { per_second, p50_us: us(500), p99_us: us(990) }
}

/// Casts to one worker from one sender, then asks the worker what it has received.
pub(super) async fn cast(swarm: &Swarm, name: &str, millis: u64) -> Result<Reply, String> {
    let before: u64 = swarm.call(name, Received).await.map_err(text)?;
    let memory = Memory::watch();
    let (caster, to) = (swarm.clone(), name.to_owned());
    #[expect(clippy::disallowed_methods, reason = "it is awaited below")]
    let measured = tokio::spawn(async move {
        let (watch, mut sent) = (Watch::start(), 0);
        while watch.elapsed() < Duration::from_millis(millis) {
            for _ in 0..256 {
                caster.cast(&to, Blob(vec![7; BODY])).await.map_err(text)?;
            }
            sent += 256;
        }
        // Behind all of them: it is answered when they have been handled.
        let received = caster.call(&to, Received).await.map_err(text)?;
        Ok::<_, String>((sent, received, watch.seconds()))
    });
    let (sent, received, seconds) = measured.await.map_err(text)??;
    let growth_bytes = memory.growth();
    Ok(Reply::Cast { sent, delivered: received - before, seconds, growth_bytes })
}

/// Looks at the memory of this process until it is asked for its growth.
pub(super) struct Memory {
    before: u64,
    most: Arc<AtomicU64>,
    done: Arc<AtomicBool>,
}

impl Memory {
    pub(super) fn watch() -> Self {
        let (before, most, done) = (resident(), Arc::default(), Arc::default());
        let memory = Self { before, most, done };
        let (most, done) = (memory.most.clone(), memory.done.clone());
        thread::spawn(move || {
            while !done.load(Ordering::Acquire) {
                most.fetch_max(resident(), Ordering::AcqRel);
                thread::sleep(Duration::from_millis(20));
            }
        });
        memory
    }

    pub(super) fn growth(self) -> u64 {
        self.done.store(true, Ordering::Release);
        self.most.load(Ordering::Acquire).max(resident()).saturating_sub(self.before)
    }
}
