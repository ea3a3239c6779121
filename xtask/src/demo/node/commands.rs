//! What a node process does when it is asked.

#![expect(clippy::disallowed_methods, reason = "calls are timed for a person to read")]

use super::device::{Count, Device, LIVING, Notice, Read, Who};
use super::hammer::Hammer;
use super::watch::{Watch, peer};
use crate::demo::protocol::{
    Blows, Counts, GROUP, Peer, Request, Retaken, Sample, Sum, Views, device_of, name_of,
};
use crate::driven::{Serve, Then, json};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use swarm::{Pid, RegisterError, Swarm};
use tokio::task::JoinSet;

/// The node, and what was begun on it.
pub(super) struct Station {
    swarm: Swarm,
    watch: Watch,
    hammer: Mutex<Option<Hammer>>,
}

impl Station {
    pub(super) fn new(swarm: Swarm) -> Self {
        Self { watch: Watch::begin(&swarm), swarm, hammer: Mutex::new(None) }
    }
}

impl Serve for Station {
    type Request = Request;

    async fn serve(&self, request: Request) -> Result<Value, String> {
        let swarm = &self.swarm;
        match request {
            Request::Address => json(swarm.local_addr().to_string()),
            Request::Members => json(self.members()),
            Request::Counts => json(self.counts()),
            Request::Views => json(self.views()),
            Request::Living => json(LIVING.list()),
            Request::Register { below, at_once } => json(register(swarm, below, at_once).await?),
            Request::Retake { devices } => json(self.retake(&devices).await),
            Request::Call { device, times } => json(self.call(device, times).await?),
            Request::Publish => json(swarm.publish(GROUP, Notice).timeout(TO_ALL).await),
            Request::Count => json(swarm.multi_call(GROUP, Count).timeout(TO_ALL).await.len()),
            Request::Read => json(swarm.multi_call(GROUP, Read).timeout(TO_ALL).await),
            Request::Hammer { devices, callers } => {
                *self.hammer() = Some(Hammer::begin(swarm, devices, callers));
                json(())
            }
            Request::Hammered => json(self.hammer().as_ref().map_or(0, Hammer::answered)),
            Request::Rest => {
                let hammer = self.hammer().take();
                json(match hammer {
                    Some(hammer) => hammer.rest().await,
                    None => Blows::default(),
                })
            }
            Request::Events => json(self.watch.seen()),
            Request::Drain { within_s } => {
                let drain = swarm.drain().timeout(Duration::from_secs(within_s));
                json(drain.await.map_err(|error| error.to_string())?)
            }
            Request::Leave => json(swarm.leave().await.map_err(|error| error.to_string())?),
            Request::Snapshot => json(swarm.snapshot().await.map_err(|e| e.to_string())?),
        }
    }

    fn then(request: &Request) -> Then {
        match request {
            Request::Leave => Then::End,
            _ => Then::GoOn,
        }
    }
}

impl Station {
    fn members(&self) -> Vec<Peer> {
        self.swarm.nodes().iter().map(|member| peer(&member.id)).collect()
    }

    fn counts(&self) -> Counts {
        let (living, received) = LIVING.count();
        Counts {
            living,
            started: LIVING.started(),
            received,
            registered: self.swarm.registered().count(),
            grouped: self.swarm.members(GROUP).len(),
        }
    }

    fn views(&self) -> Views {
        let living = LIVING.pids();
        let registered =
            self.swarm.registered().map(|(name, pid)| (name.as_str().and_then(device_of), pid));
        Views {
            registered: Sum::of(registered),
            grouped: Sum::of(self.swarm.members(GROUP)),
            living: Sum::of(living.iter().map(|(device, pid)| (Some(*device), *pid))),
            processes: Sum::of(living.iter().map(|(_, pid)| *pid)),
        }
    }

    async fn retake(&self, devices: &[u32]) -> Vec<Retaken> {
        let mut outcomes = Vec::with_capacity(devices.len());
        for &device in devices {
            let name = name_of(device);
            let held: Option<Pid> = self.swarm.whereis(&name);
            outcomes.push(match self.swarm.register::<Device>(&name, device).await {
                Err(RegisterError::AlreadyRegistered { pid, .. }) if held == Some(pid) => {
                    Retaken::Already(pid.to_string())
                }
                Err(RegisterError::AlreadyRegistered { pid, .. }) => {
                    Retaken::Otherwise(format!("{name}: {pid}, but whereis says {held:?}"))
                }
                Err(error) => Retaken::Otherwise(error.to_string()),
                Ok(_) => Retaken::Otherwise(format!("{name} was registered twice")),
            });
        }
        outcomes
    }

    async fn call(&self, device: u32, times: usize) -> Result<Sample, String> {
        let worker = self.swarm.worker::<Device>(name_of(device));
        let mut sample = Sample { answers: BTreeSet::new(), took_us: Vec::with_capacity(times) };
        for _ in 0..times {
            let start = Instant::now();
            let answer = worker.call(Who).await.map_err(|error| error.to_string())?;
            sample.took_us.push(start.elapsed().as_micros() as u64);
            sample.answers.insert(answer);
        }
        Ok(sample)
    }

    fn hammer(&self) -> MutexGuard<'_, Option<Hammer>> {
        self.hammer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What goes to all devices may take as long as it does: how long is for the demo to judge.
const TO_ALL: Duration = Duration::from_secs(600);

/// Registers the devices below `below`, by `at_once` callers that take one after the other.
async fn register(swarm: &Swarm, below: u32, at_once: usize) -> Result<(), String> {
    let next = Arc::new(AtomicU32::new(0));
    let mut callers: JoinSet<Result<(), String>> = JoinSet::new();
    for _ in 0..at_once {
        let (swarm, next) = (swarm.clone(), Arc::clone(&next));
        callers.spawn(async move {
            loop {
                let device = next.fetch_add(1, Ordering::Relaxed);
                if device >= below {
                    return Ok(());
                }
                let registered = swarm.register::<Device>(name_of(device), device).await;
                registered.map_err(|error| error.to_string())?;
            }
        });
    }
    while let Some(done) = callers.join_next().await {
        done.map_err(|error| error.to_string())??;
    }
    Ok(())
}
