//! Calls at a pace, to all names in turn, while other things happen.

use super::protocol::Called;
use super::worker::Add;
use crate::bench::figures::{Watch, percentile, wall_ns};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use swarm::Swarm;
use tokio::task::JoinSet;

/// Callers that go on until they are ended. Dropped, they stop.
pub(super) struct Paced {
    shared: Arc<Shared>,
    callers: JoinSet<Vec<Call>>,
}

struct Shared {
    swarm: Swarm,
    names: Vec<String>,
    per_second: u32,
    begun: Watch,
    next: AtomicU64,
    is_ending: AtomicBool,
    /// For each name, how many calls were answered.
    answered: Vec<AtomicU64>,
    complaint: Mutex<Option<String>>,
}

/// One call.
struct Call {
    asked_ns: u64,
    took_ns: u64,
    is_answered: bool,
}

/// Coprime to every count that is used: neighbours in time are none on the ring.
const STRIDE: u64 = 7919;

impl Paced {
    pub(super) fn begin(swarm: Swarm, names: Vec<String>, callers: u64, per_second: u32) -> Self {
        let answered = names.iter().map(|_| AtomicU64::new(0)).collect();
        let shared = Arc::new(Shared {
            swarm,
            names,
            per_second,
            begun: Watch::start(),
            next: AtomicU64::new(0),
            is_ending: AtomicBool::new(false),
            answered,
            complaint: Mutex::default(),
        });
        let callers = (0..callers).map(|_| call(Arc::clone(&shared))).collect();
        Self { shared, callers }
    }

    /// Begins no further calls: what came of those between these times, and how many each name has
    /// answered in all.
    pub(super) async fn end(self, from_ns: u64, until_ns: u64) -> (Called, Vec<u64>) {
        self.shared.is_ending.store(true, Ordering::Relaxed);
        let calls: Vec<Call> = self.callers.join_all().await.into_iter().flatten().collect();
        let failed = calls.iter().filter(|call| !call.is_answered).count() as u64;
        let meanwhile = calls.iter().filter(|call| (from_ns..until_ns).contains(&call.asked_ns));
        let mut nanos: Vec<u64> = meanwhile.map(|call| call.took_ns).collect();
        nanos.sort_unstable();
        let us = |permille| percentile(&nanos, permille) as f64 / 1e3;
        let seconds = until_ns.saturating_sub(from_ns) as f64 / 1e9;
        let complaint = self.shared.complaint.lock().unwrap_or_else(PoisonError::into_inner).take();
        let called = Called {
            count: nanos.len() as u64,
            failed,
            complaint,
            per_second: nanos.len() as f64 / seconds,
            p50_us: us(500),
            p99_us: us(990),
            worst_us: us(1000),
        };
        let answered = self.shared.answered.iter().map(|count| count.load(Ordering::Relaxed));
        (called, answered.collect())
    }
}

/// One caller: one call at a time.
async fn call(shared: Arc<Shared>) -> Vec<Call> {
    let (mut calls, len) = (Vec::new(), shared.names.len() as u64);
    loop {
        let n = shared.next.fetch_add(1, Ordering::Relaxed);
        let due = Duration::from_secs_f64(n as f64 / f64::from(shared.per_second));
        tokio::time::sleep(due.saturating_sub(shared.begun.elapsed())).await;
        if shared.is_ending.load(Ordering::Relaxed) {
            return calls;
        }
        let at = (n * STRIDE % len) as usize;
        let (asked_ns, asked) = (wall_ns(), Watch::start());
        let answer = shared.swarm.call(&shared.names[at], Add).await;
        let is_answered = answer.is_ok();
        calls.push(Call { asked_ns, took_ns: asked.nanos(), is_answered });
        match answer {
            Ok(_) => drop(shared.answered[at].fetch_add(1, Ordering::Relaxed)),
            Err(error) => {
                let mut complaint = shared.complaint.lock().unwrap_or_else(PoisonError::into_inner);
                complaint.get_or_insert_with(|| format!("{}: {error}", shared.names[at]));
            }
        }
    }
}
