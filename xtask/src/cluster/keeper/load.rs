//! Names that are registered at a pace, while other things happen.

#![expect(clippy::disallowed_methods, reason = "a pace is kept in real time")]

use super::node::Giver;
use super::protocol::{Load, Report, Way};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use swarm::{Pid, Swarm};
use tokio::task::JoinSet;

/// The names that were given away here, each with its process.
#[derive(Default)]
pub(super) struct Given(Mutex<BTreeMap<String, Pid>>);

impl Given {
    pub(super) fn list(&self) -> BTreeMap<String, String> {
        self.names().iter().map(|(name, pid)| (name.clone(), pid.to_string())).collect()
    }

    pub(super) fn forget(&self, name: &str) {
        self.names().remove(name);
    }

    fn names(&self) -> MutexGuard<'_, BTreeMap<String, Pid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A load under way. Dropped, it stops.
pub(super) struct Running {
    shared: Arc<Shared>,
    callers: JoinSet<()>,
}

struct Shared {
    swarm: Swarm,
    given: Arc<Given>,
    load: Load,
    begun: Instant,
    next: AtomicU64,
    is_ending: AtomicBool,
    report: Mutex<Report>,
}

/// How many callers take turns: as many registrations are under way at most.
const CALLERS: usize = 50;

impl Running {
    pub(super) async fn begin(
        swarm: &Swarm,
        given: &Arc<Given>,
        load: Load,
    ) -> Result<Self, String> {
        let common = match load.way {
            Way::Pid => None,
            Way::Placed | Way::Counted | Way::OnePid => Some(Giver::new(swarm, load.way).await?),
        };
        let shared = Arc::new(Shared {
            swarm: swarm.clone(),
            given: Arc::clone(given),
            load,
            begun: Instant::now(),
            next: AtomicU64::new(0),
            is_ending: AtomicBool::new(false),
            report: Mutex::default(),
        });
        let call = |_| call(Arc::clone(&shared), common.clone());
        let callers = (0..CALLERS).map(call).collect();
        Ok(Self { shared, callers })
    }

    pub(super) fn progress(&self) -> Report {
        self.shared.report().clone()
    }

    /// Begins nothing further.
    pub(super) fn end(&self) {
        self.shared.is_ending.store(true, Ordering::Relaxed);
    }

    pub(super) async fn finish(self) -> Report {
        self.callers.join_all().await;
        self.shared.report().clone()
    }
}

async fn call(shared: Arc<Shared>, common: Option<Giver>) {
    let load = &shared.load;
    let name = |n: u64| format!("{}-{n}", load.prefix);
    loop {
        let n = shared.next.fetch_add(1, Ordering::Relaxed);
        if load.count.is_some_and(|count| n >= count) {
            return;
        }
        let due = Duration::from_secs_f64(n as f64 / f64::from(load.per_second));
        tokio::time::sleep(due.saturating_sub(shared.begun.elapsed())).await;
        if shared.is_ending.load(Ordering::Relaxed) {
            return;
        }
        shared.register(name(n), common.clone()).await;
        if let Some(old) = load.window.and_then(|window| n.checked_sub(window)) {
            shared.unregister(&name(old)).await;
        }
    }
}

impl Shared {
    async fn register(&self, name: String, common: Option<Giver>) {
        let giver = match common {
            Some(giver) => giver,
            None => match Giver::new(&self.swarm, self.load.way).await {
                Ok(giver) => giver,
                Err(error) => return self.complain(error),
            },
        };
        let asked = Instant::now();
        let given = giver.give(&name).await;
        let took_us = asked.elapsed().as_micros() as u64;
        match given {
            Ok(pid) => {
                self.given.names().insert(name, pid);
                let mut report = self.report();
                report.registered += 1;
                report.slowest_us = report.slowest_us.max(took_us);
            }
            Err(error) => self.complain(error.to_string()),
        }
    }

    async fn unregister(&self, name: &str) {
        match self.swarm.unregister(name).await {
            Ok(()) => {
                self.given.forget(name);
                self.report().unregistered += 1;
            }
            Err(error) => self.complain(error.to_string()),
        }
    }

    fn complain(&self, complaint: String) {
        let mut report = self.report();
        report.failed += 1;
        if report.complaints.len() < COMPLAINTS_MAX {
            report.complaints.push(complaint);
        }
    }

    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const COMPLAINTS_MAX: usize = 5;
