//! What a node process does for `bench registry`.

use super::protocol::{Pace, Request};
use super::sampler::Sampler;
use super::{crowd, hidden};
use crate::bench::callers::each;
use crate::bench::figures::Watch;
use crate::bench::load;
use crate::bench::node::text;
use crate::bench::protocol::Reply;
use crate::bench::workers::Timer;
use std::time::Duration;
use swarm::{Event, Events, Pid, Swarm};

/// What of a request goes on after its answer.
#[derive(Default)]
pub(in crate::bench) struct State {
    /// Has the names that are given by pid.
    process: Option<Pid>,
    sampler: Option<Sampler>,
    events: Option<Events>,
    hidden: Option<hidden::Watching>,
}

/// What the timers are started with.
const EVERY: Duration = Duration::from_millis(500);

impl State {
    pub(in crate::bench) async fn answer(
        &mut self,
        swarm: &Swarm,
        request: Request,
    ) -> Result<Reply, String> {
        match request {
            Request::Place { prefix, count, at_once } => {
                load::register::<Timer>(swarm, &prefix, EVERY, count, at_once).await
            }
            Request::Name { prefix, from, count, at_once, pace } => {
                let pid = self.process(swarm).await?;
                name(swarm, pid, &prefix, from, count, at_once, pace).await
            }
            Request::SampleBegin { prefix, count } => {
                self.sampler = Some(Sampler::begin(swarm.clone(), &prefix, count));
                Ok(Reply::Done)
            }
            Request::SampleEnd => self.sampler.take().ok_or("nothing is sampled")?.end(),
            Request::Listen => {
                self.events = Some(swarm.events());
                Ok(Reply::Done)
            }
            Request::Deaths => {
                Ok(Reply::Count(deaths(self.events.take().ok_or("nobody listens")?).await))
            }
            Request::WatchHidden { prefix, count, of } => {
                self.hidden = Some(hidden::watch(swarm.clone(), &prefix, count, &of)?);
                Ok(Reply::Done)
            }
            Request::Hidden => self.hidden.take().ok_or("no death is watched")?.seen().await,
            Request::Crowd { count } => crowd::gather(swarm, count).await,
            Request::EndCrowd => Ok(Reply::At(crowd::end())),
        }
    }

    async fn process(&mut self, swarm: &Swarm) -> Result<Pid, String> {
        if let Some(pid) = self.process {
            return Ok(pid);
        }
        let process = swarm.spawn::<Timer>(EVERY).await.map_err(text)?;
        let pid = process.pid().ok_or("the process is gone")?;
        self.process = Some(pid);
        Ok(pid)
    }
}

/// How many nodes were held dead, by the events that are there.
async fn deaths(mut events: Events) -> u64 {
    let mut deaths = 0;
    while let Ok(Some(event)) = tokio::time::timeout(Duration::ZERO, events.next()).await {
        deaths += u64::from(matches!(event, Event::NodeDown { .. }));
    }
    deaths
}

async fn name(
    swarm: &Swarm,
    pid: Pid,
    prefix: &str,
    from: u64,
    count: u64,
    at_once: u64,
    pace: Pace,
) -> Result<Reply, String> {
    let (swarm, prefix, begun) = (swarm.clone(), prefix.to_owned(), Watch::start());
    let ask = move |at| {
        let (swarm, name) = (swarm.clone(), load::name(&prefix, from + at));
        async move {
            if let Pace::PerSecond(rate) = pace {
                let due = Duration::from_secs_f64(at as f64 / f64::from(rate));
                tokio::time::sleep(due.saturating_sub(begun.elapsed())).await;
            }
            swarm.register_pid(name, pid).await.map_err(text)
        }
    };
    each(count, at_once, ask).await
}
