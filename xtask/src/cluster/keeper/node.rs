//! What such a node does when it is asked.

use super::Args;
use super::counted::{self, Add, Counted, Nap, Read};
use super::load::{Given, Running};
use super::protocol::{Outcome, Peer, Request, Table, Try, Way};
use super::worker::{Kept, Kind};
use crate::driven::{Serve, json};
use crate::{Failure, resident};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use swarm::{Config, MemberState, Pid, RegisterError, StaticQuorumRing, Stop, Swarm};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// The node, and what was begun on it.
pub(super) struct Keeper {
    swarm: Swarm,
    given: Arc<Given>,
    running: Mutex<Option<Running>>,
}

impl Keeper {
    pub(super) async fn start(args: &Args) -> Result<Self, Failure> {
        if let Some(path) = &args.ledger {
            counted::open(path, args.state_bytes).map_err(Failure::new)?;
        }
        let mut config = Config::default();
        let handoff = &mut config.handoff;
        handoff.mails_max = args.mails_max.unwrap_or(handoff.mails_max);
        handoff.standbys_max = args.standbys_max.unwrap_or(handoff.standbys_max);
        let builder = Swarm::builder(&args.name).config(config);
        let builder = match args.quorum.map(StaticQuorumRing::new) {
            Some(quorum) => builder.strategy(quorum.map_err(|e| Failure::new(e.to_string()))?),
            None => builder,
        };
        let builder = match args.fail_at {
            Some(point) => builder.fail_at(point),
            None => builder,
        };
        let swarm = builder
            .bind(args.bind)
            .cluster(&args.cluster)
            .secret(args.secret.clone())
            .seeds(args.seed.iter().copied())
            .worker::<Kept>()
            .worker::<Counted>()
            .start()
            .await
            .map_err(|error| Failure::new(format!("{} did not start: {error}", args.name)))?;
        Ok(Self { swarm, given: Arc::default(), running: Mutex::default() })
    }
}

impl Serve for Keeper {
    type Request = Request;

    async fn serve(&self, request: Request) -> Result<Value, String> {
        const NO_LOAD: &str = "no load was begun";
        match request {
            Request::Address => json(self.swarm.local_addr().to_string()),
            Request::Members => json(members(&self.swarm)),
            Request::Contend { way, tries } => json(contend(&self.swarm, way, tries).await?),
            Request::Begin(load) => {
                let running = Running::begin(&self.swarm, &self.given, load).await?;
                *self.running.lock().await = Some(running);
                json(())
            }
            Request::Progress => {
                json(self.running.lock().await.as_ref().ok_or(NO_LOAD)?.progress())
            }
            Request::Finish => {
                let running = self.running.lock().await.take().ok_or(NO_LOAD)?;
                json(running.finish().await)
            }
            Request::End => {
                let running = self.running.lock().await.take().ok_or(NO_LOAD)?;
                running.end();
                json(running.finish().await)
            }
            Request::Held => json(self.given.list()),
            Request::Unregister { names } => {
                for name in names {
                    self.swarm.unregister(&name).await.map_err(|error| error.to_string())?;
                    self.given.forget(&name);
                }
                json(())
            }
            Request::Stop { names } => {
                for name in names {
                    let stopped = self.swarm.stop(&name, Stop::Kill).await;
                    stopped.map_err(|error| error.to_string())?;
                    self.given.forget(&name);
                }
                json(())
            }
            Request::Forget { names } => {
                names.iter().for_each(|name| self.given.forget(name));
                json(())
            }
            Request::Add { names } => json(add(&self.swarm, names).await?),
            Request::Nap { names, times, millis } => {
                json(nap(&self.swarm, &names, times, millis).await?)
            }
            Request::Read { names } => json(read(&self.swarm, names).await?),
            Request::Table => json(table(&self.swarm)),
            Request::Ended => {
                json(self.swarm.snapshot().await.map_err(|error| error.to_string())?.ended)
            }
            Request::Resident => json(resident::bytes()),
        }
    }
}

async fn add(swarm: &Swarm, names: Vec<String>) -> Result<(), String> {
    for name in names {
        swarm.call(&name, Add).await.map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

async fn nap(swarm: &Swarm, names: &[String], times: u32, millis: u64) -> Result<(), String> {
    for name in names.iter().flat_map(|name| std::iter::repeat_n(name, times as usize)) {
        swarm.cast(name, Nap(millis)).await.map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

async fn read(swarm: &Swarm, names: Vec<String>) -> Result<BTreeMap<String, u64>, String> {
    let mut counts = BTreeMap::new();
    for name in names {
        let count = swarm.call(&name, Read).await.map_err(|error| format!("{name}: {error}"))?;
        counts.insert(name, count);
    }
    Ok(counts)
}

fn members(swarm: &Swarm) -> BTreeMap<String, Peer> {
    let peer = |state, boot: swarm::Boot| Peer {
        boot: boot.to_string(),
        is_alive: state == MemberState::Alive,
    };
    let nodes = swarm.nodes().into_iter();
    nodes.map(|member| (member.id.name.to_string(), peer(member.state, member.id.boot))).collect()
}

fn table(swarm: &Swarm) -> Table {
    let names = swarm.registered().map(|(name, pid)| (name.to_string(), pid.to_string()));
    let groups = swarm.groups().into_iter().map(|(group, _)| {
        let members = swarm.members(&group).into_iter().map(|pid| pid.to_string()).collect();
        (group.to_string(), members)
    });
    Table { names: names.collect(), groups: groups.collect() }
}

/// Each by a caller of its own.
async fn contend(swarm: &Swarm, way: Way, tries: Vec<Try>) -> Result<Vec<Outcome>, String> {
    let mut callers = JoinSet::new();
    for (n, Try { name, after_ms }) in tries.into_iter().enumerate() {
        let giver = Giver::new(swarm, way).await?;
        callers.spawn(async move {
            tokio::time::sleep(Duration::from_millis(after_ms)).await;
            (n, outcome(giver.give(&name).await))
        });
    }
    let mut outcomes = callers.join_all().await;
    outcomes.sort_unstable_by_key(|(n, _)| *n);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

fn outcome(given: Result<Pid, RegisterError>) -> Outcome {
    match given {
        Ok(pid) => Outcome::Ok(pid.to_string()),
        Err(RegisterError::AlreadyRegistered { pid, .. }) => Outcome::Already(pid.to_string()),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

/// What gives names to processes.
#[derive(Clone)]
pub(super) enum Giver {
    Ring(Swarm),
    /// To workers that count.
    Counting(Swarm),
    /// To this process.
    Process(Swarm, Pid),
}

impl Giver {
    /// With a process of its own, where the name is for one of the caller's node.
    pub(super) async fn new(swarm: &Swarm, way: Way) -> Result<Self, String> {
        let kind = match way {
            Way::Placed => return Ok(Self::Ring(swarm.clone())),
            Way::Counted => return Ok(Self::Counting(swarm.clone())),
            Way::Pid => Kind::Grouped,
            Way::OnePid => Kind::Alone,
        };
        let process = swarm.spawn::<Kept>(kind).await.map_err(|error| error.to_string())?;
        let pid = process.pid().ok_or("a process has ended at once")?;
        Ok(Self::Process(swarm.clone(), pid))
    }

    /// The process that has the name now.
    pub(super) async fn give(&self, name: &str) -> Result<Pid, RegisterError> {
        match self {
            Self::Process(swarm, pid) => swarm.register_pid(name, *pid).await.map(|()| *pid),
            Self::Counting(swarm) => {
                let placed = swarm.register::<Counted>(name, ()).await?;
                Ok(placed.pid().expect("whoever got Ok reads what was registered"))
            }
            Self::Ring(swarm) => {
                let placed = swarm.register::<Kept>(name, Kind::Grouped).await?;
                Ok(placed.pid().expect("whoever got Ok reads what was registered"))
            }
        }
    }
}
