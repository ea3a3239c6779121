//! What a node process does for `bench moves`.

use super::paced::Paced;
use super::protocol::{Change, Reply as Moves, Request};
use super::worker::{Add, Carrier, Read};
use super::{PREFIX, marks, names, watch};
use crate::bench::callers::each;
use crate::bench::calls::Memory;
use crate::bench::death;
use crate::bench::figures::Watch;
use crate::bench::load::{self, Watching, name};
use crate::bench::node::text;
use crate::bench::protocol::Reply;
use std::sync::Arc;
use std::time::Duration;
use swarm::{Event, MemberState, Swarm};
use tokio::task::JoinHandle;

/// What of a request goes on after its answer.
#[derive(Default)]
pub(in crate::bench) struct State {
    /// How many calls each name has answered, by its number.
    answered: Vec<u64>,
    home: Option<Watching>,
    node: Option<JoinHandle<Option<u64>>>,
    calls: Option<Paced>,
    memory: Option<Memory>,
}

/// How many calls are under way where no pace is kept.
const CALLERS: u64 = 50;

/// How long a drain may take.
const DRAIN: Duration = Duration::from_secs(50);

impl State {
    pub(in crate::bench) async fn answer(
        &mut self,
        swarm: &Swarm,
        request: Request,
    ) -> Result<Reply, String> {
        match request {
            Request::Register { count, at_once, order } => {
                return load::register::<Carrier>(swarm, PREFIX, order, count, at_once).await;
            }
            Request::Add { count } => return self.add(swarm, count).await,
            Request::Check { count, cargo } => return self.check(swarm, count, cargo).await,
            Request::WatchHome { count, nodes } => {
                self.home = Some(watch::home(swarm.clone(), &names(count), &nodes)?);
            }
            Request::Home => {
                let watching = self.home.take().ok_or("nothing is watched")?;
                return Ok(Reply::At(watching.await.map_err(text)?));
            }
            Request::WatchNode(change) => self.node = Some(watch_node(swarm, change)),
            Request::Node => {
                let watching = self.node.take().ok_or("no node is watched")?;
                let at = watching.await.map_err(text)?.ok_or("this node has stopped")?;
                return Ok(Reply::At(at));
            }
            Request::CallsBegin { count, callers, per_second } => {
                self.calls = Some(Paced::begin(swarm.clone(), names(count), callers, per_second));
            }
            Request::CallsEnd { from_ns, until_ns } => {
                let calls = self.calls.take().ok_or("nobody calls")?;
                let (called, answered) = calls.end(from_ns, until_ns).await;
                self.count(answered);
                return Ok(Reply::Moves(Moves::Called(called)));
            }
            Request::ClearMarks => marks::clear(),
            Request::Marks => return Ok(Reply::Moves(Moves::Marks(marks::all()))),
            Request::Ready(ready) => swarm.set_ready(ready).await,
            Request::Drain => {
                let watch = Watch::start();
                swarm.drain().timeout(DRAIN).await.map_err(text)?;
                return Ok(Reply::Moves(Moves::Seconds(watch.seconds())));
            }
            Request::MemoryBegin => self.memory = Some(Memory::watch()),
            Request::MemoryEnd => {
                let memory = self.memory.take().ok_or("no memory is watched")?;
                return Ok(Reply::Bytes(memory.growth() as f64));
            }
            Request::Alive => {
                let alive = |member: &swarm::Member| member.state == MemberState::Alive;
                return Ok(
                    Reply::Count(swarm.nodes().iter().filter(|it| alive(it)).count() as u64),
                );
            }
        }
        Ok(Reply::Done)
    }

    async fn add(&mut self, swarm: &Swarm, count: u64) -> Result<Reply, String> {
        let caller = swarm.clone();
        let ask = move |at| {
            let (swarm, name) = (caller.clone(), name(PREFIX, at));
            async move { swarm.call(name, Add).await.map(drop).map_err(text) }
        };
        let answered = each(count, CALLERS, ask).await?;
        self.count(vec![1; count as usize]);
        Ok(answered)
    }

    /// So many further answers of each name.
    fn count(&mut self, answered: Vec<u64>) {
        self.answered.resize(self.answered.len().max(answered.len()), 0);
        self.answered.iter_mut().zip(answered).for_each(|(all, new)| *all += new);
    }

    async fn check(&self, swarm: &Swarm, count: u64, cargo: usize) -> Result<Reply, String> {
        let (swarm, want) = (swarm.clone(), Arc::new(self.answered.clone()));
        let ask = move |at| {
            let (swarm, name, want) = (swarm.clone(), name(PREFIX, at), Arc::clone(&want));
            async move {
                let want = (want.get(at as usize).copied().unwrap_or_default(), cargo);
                let has = swarm.call(&name, Read).await.map_err(text)?;
                if has == want {
                    return Ok(());
                }
                Err(format!("{name} has counted and carries {has:?}, not {want:?}"))
            }
        };
        each(count, CALLERS, ask).await
    }
}

fn watch_node(swarm: &Swarm, change: Change) -> JoinHandle<Option<u64>> {
    match change {
        Change::Up => death::first(swarm, |event| matches!(event, Event::NodeUp { .. })),
        Change::Down => death::declared(swarm),
    }
}
