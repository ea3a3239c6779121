//! Many callers at once, each of which waits for its answer before it asks again.

use super::figures::{Watch, percentile, wall_ns};
use super::node::text;
use super::protocol::Reply;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::JoinSet;

/// Has `ask` done for every number below `count`, `at_once` of them at any time.
pub(super) async fn each<A, F>(count: u64, at_once: u64, ask: A) -> Result<Reply, String>
where
    A: Fn(u64) -> F + Clone + Send + 'static,
    F: Future<Output = Result<(), String>> + Send,
{
    let (next, watch) = (Arc::new(AtomicU64::new(0)), Watch::start());
    let mut callers = JoinSet::new();
    for _ in 0..at_once {
        let (next, ask) = (next.clone(), ask.clone());
        callers.spawn(async move {
            let mut nanos = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= count {
                    return Ok::<_, String>((nanos, wall_ns()));
                }
                let asked = Watch::start();
                ask(at).await?;
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
    Ok(Reply::Answered { count, seconds, p50_us: us(500), p99_us: us(990), last_ok_ns })
}
