//! A process of the bench: a node, or an end of the bare echo, as it is told.

use super::echo::{Caller, Server};
use super::figures::resident;
use super::moves::Carrier;
use super::protocol::{Reply, Request, Role, Start};
use super::registry::Waiter;
use super::workers::{Device, Timer};
use super::{books, calls, death, groups, load, memory, moves, registry};
use crate::Failure;
use crate::driven::{self, Serve, json};
use serde_json::Value;
use swarm::{ClusterSecret, StaticQuorumRing, Swarm};
use tokio::sync::Mutex;

/// Answers requests until there are no more, that is, until the bench is gone.
pub(super) fn run() -> Result<(), Failure> {
    driven::run(async { Ok(Station::default()) })
}

/// What the process was told to be.
#[derive(Default)]
struct Station(Mutex<State>);

impl Serve for Station {
    type Request = Request;

    /// One request after the other.
    async fn serve(&self, request: Request) -> Result<Value, String> {
        json(self.0.lock().await.answer(request).await?)
    }
}

#[derive(Default)]
struct State {
    swarm: Option<Swarm>,
    watch: Option<load::Watching>,
    death: Option<death::Watching>,
    server: Option<Server>,
    caller: Option<Caller>,
    registry: registry::State,
    groups: groups::State,
    moves: moves::State,
}

impl State {
    async fn answer(&mut self, request: Request) -> Result<Reply, String> {
        match request {
            Request::Start(start) => {
                let swarm = begin(start).await?;
                let address = swarm.local_addr().to_string();
                self.swarm = Some(swarm);
                Ok(Reply::Address(address))
            }
            Request::Nodes => Ok(Reply::Count(self.node()?.nodes().len() as u64)),
            Request::Register { prefix, count, at_once } => {
                load::register::<Device>(self.node()?, &prefix, (), count, at_once).await
            }
            Request::Stop { prefix, count } => load::stop(self.node()?, &prefix, count).await,
            Request::Watch(view) => {
                self.watch = Some(load::watch(self.node()?.clone(), view));
                Ok(Reply::Done)
            }
            Request::Watched => match self.watch.take() {
                Some(watching) => Ok(Reply::At(watching.await.map_err(text)?)),
                None => Err("nothing is watched".to_owned()),
            },
            Request::Whereis { prefix, count, callers, millis } => {
                load::whereis(self.node()?, &prefix, count, callers, millis).await
            }
            Request::Shares { prefix, count } => load::shares(self.node()?, &prefix, count),
            Request::Call { prefix, count, on, callers, millis } => {
                let names = calls::names_on(self.node()?, &prefix, count, &on).await?;
                calls::call(self.node()?, names, callers, millis).await
            }
            Request::Cast { prefix, count, on, millis } => {
                let names = calls::names_on(self.node()?, &prefix, count, &on).await?;
                calls::cast(self.node()?, &names[0], millis).await
            }
            Request::WatchDeath { count } => {
                self.death = Some(death::watch(self.node()?.clone(), count));
                Ok(Reply::Done)
            }
            Request::Death => match self.death.take() {
                Some(watching) => watching.seen().await,
                None => Err("no death is watched".to_owned()),
            },
            Request::Running => Ok(Reply::Running(books::running())),
            Request::Memory { workers } => memory::measure(workers).await,
            Request::EchoServe => {
                let server = Server::start()?;
                let address = server.address();
                self.server = Some(server);
                Ok(Reply::Address(address))
            }
            Request::EchoDial { address } => {
                self.caller = Some(Caller::dial(&address).await?);
                Ok(Reply::Done)
            }
            Request::Echo { callers, millis } => {
                self.caller.as_ref().ok_or("no connection")?.echo(callers, millis).await
            }
            Request::Resident => Ok(Reply::Bytes(resident() as f64)),
            Request::Registry(request) => {
                let node = self.swarm.as_ref().ok_or(NO_NODE)?;
                self.registry.answer(node, request).await
            }
            Request::Groups(request) => {
                let node = self.swarm.as_ref().ok_or(NO_NODE)?;
                self.groups.answer(node, request).await
            }
            Request::Moves(request) => {
                let node = self.swarm.as_ref().ok_or(NO_NODE)?;
                self.moves.answer(node, request).await
            }
        }
    }

    fn node(&self) -> Result<&Swarm, String> {
        self.swarm.as_ref().ok_or_else(|| NO_NODE.to_owned())
    }
}

async fn begin(start: Start) -> Result<Swarm, String> {
    let Start { name, bind, secret, seeds, role, quorum } = start;
    let secret = ClusterSecret::from_file(&secret).map_err(text)?;
    let node = Swarm::builder(name).bind(bind).cluster("bench").secret(secret).seeds(seeds);
    let node = match role {
        Role::Server => node.worker::<Device>().worker::<Timer>().worker::<Waiter>(),
        Role::Carrier => node.worker::<Carrier>(),
        Role::Observer => node,
    };
    let node = match quorum {
        Some(quorum) => node.strategy(StaticQuorumRing::new(quorum).map_err(text)?),
        None => node,
    };
    node.start().await.map_err(text)
}

const NO_NODE: &str = "no node runs here";

/// An error as the bench shows it.
pub(super) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
