//! Callers that go on calling while names move.

#![expect(clippy::disallowed_methods, reason = "tasks of the node process, owned by the hammer")]

use super::device::Count;
use crate::demo::protocol::{Blows, name_of};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use swarm::Swarm;
use tokio::task::JoinSet;

/// Calls devices in turn, over and over, until it rests. Dropped, it stops at once.
pub(super) struct Hammer {
    shared: Arc<Shared>,
    callers: JoinSet<Blows>,
}

struct Shared {
    swarm: Swarm,
    devices: Vec<u32>,
    is_resting: AtomicBool,
    answered: AtomicU64,
}

impl Hammer {
    pub(super) fn begin(swarm: &Swarm, devices: Vec<u32>, n_callers: usize) -> Self {
        let shared = Arc::new(Shared {
            swarm: swarm.clone(),
            devices,
            is_resting: AtomicBool::new(false),
            answered: AtomicU64::new(0),
        });
        let mut callers = JoinSet::new();
        for caller in 0..n_callers {
            // Each begins elsewhere, so that they call different devices at any one time.
            let from = shared.devices.len() * caller / n_callers;
            callers.spawn(strike(Arc::clone(&shared), from));
        }
        Self { shared, callers }
    }

    pub(super) fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::Relaxed)
    }

    /// Lets the calls under way end.
    pub(super) async fn rest(mut self) -> Blows {
        self.shared.is_resting.store(true, Ordering::Relaxed);
        let mut all = Blows::default();
        while let Some(blows) = self.callers.join_next().await {
            all.add(blows.expect("a caller neither panics nor is aborted"));
        }
        all
    }
}

/// One caller: one call at a time.
async fn strike(shared: Arc<Shared>, from: usize) -> Blows {
    let mut blows = Blows::default();
    let mut last: BTreeMap<u32, u64> = BTreeMap::new();
    for &device in shared.devices.iter().cycle().skip(from) {
        if shared.is_resting.load(Ordering::Relaxed) {
            break;
        }
        let start = Instant::now();
        let outcome = shared.swarm.call(name_of(device), Count).await;
        blows.slowest_us = blows.slowest_us.max(start.elapsed().as_micros() as u64);
        match outcome {
            Ok(count) => {
                *blows.answered.entry(device).or_default() += 1;
                shared.answered.fetch_add(1, Ordering::Relaxed);
                let before = last.insert(device, count).unwrap_or(0);
                if count <= before {
                    blows.backwards += 1;
                    blows.complain(format!("device-{device} went from {before} to {count}"));
                }
            }
            Err(error) => {
                blows.failed += 1;
                blows.complain(error.to_string());
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    blows
}

/// Between two calls of a caller: the moves need the processor, too.
const PAUSE: Duration = Duration::from_millis(1);
