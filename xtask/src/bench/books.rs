//! The books that the workers of this process keep of themselves.

use super::figures::wall_ns;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many live under each name.
static RUNNING: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

/// When the last of them started.
static LAST_START_NS: AtomicU64 = AtomicU64::new(0);

/// An entry in the books: made by a worker's start, and gone with the worker.
pub(super) struct Entry(String);

impl Entry {
    pub(super) fn new(name: String) -> Self {
        *running_now().entry(name.clone()).or_default() += 1;
        LAST_START_NS.fetch_max(wall_ns(), Ordering::AcqRel);
        Self(name)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut running = running_now();
        if let Some(count) = running.get_mut(&self.0) {
            *count -= 1;
            if *count == 0 {
                running.remove(&self.0);
            }
        }
    }
}

/// The names of all workers that live in this process; one that lives twice is listed twice.
pub(super) fn running() -> Vec<String> {
    let running = running_now();
    running.iter().flat_map(|(name, count)| (0..*count).map(|_| name.clone())).collect()
}

/// When the last worker of this process started.
pub(super) fn last_start_ns() -> u64 {
    LAST_START_NS.load(Ordering::Acquire)
}

fn running_now() -> MutexGuard<'static, BTreeMap<String, u64>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}
