//! A job that runs once a minute in a cluster, through the death of its host.
//!
//! In two terminals, or more:
//!
//! ```text
//! cargo run --example singleton -- a
//! cargo run --example singleton -- b --seed 127.0.0.1:PORT --secret FILE
//! ```
//!
//! The first prints the second's command line. Kill the one that prints: the other goes on. Ctrl-C
//! or a SIGTERM hands the job over.

mod node;

use clap::Parser;
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use swarm::*;

/// Looks whether a run is due.
#[derive(Serialize, Deserialize)]
struct Look;

impl Message for Look {
    const NAME: &'static str = "look";
    type Reply = ();
}

/// Runs once in each period of the wall clock.
struct Job {
    period: Duration,
    /// The number of the last run, counted in periods since 1970.
    last: u64,
}

impl Worker for Job {
    const KIND: &'static str = "job";
    const RESTART: Restart = Restart::Permanent;
    type Args = Duration;
    type State = u64;
    type Accepts = (Look,);

    async fn start(period: Duration, cx: &mut Cx<Self>) -> Result<Self, BoxError> {
        cx.cast_self(Look);
        Ok(Self { period, last: 0 })
    }

    /// It is to run on another node, which must not run again what has run here.
    async fn begin_handoff(&mut self, _: &mut Cx<Self>) -> Handoff<u64> {
        Handoff::Resume(self.last)
    }

    async fn end_handoff(&mut self, last: u64, _: &mut Cx<Self>) {
        self.last = last;
    }

    /// A partition has healed, and the other copy ends.
    async fn resolve_conflict(&mut self, other: u64, _: &mut Cx<Self>) {
        self.last = self.last.max(other);
    }
}

impl Handle<Look> for Job {
    async fn handle(&mut self, _: Look, cx: &mut Cx<Self>) {
        #[expect(clippy::disallowed_methods, reason = "its runs are dated by the wall clock")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let period = self.period.as_millis().max(1);
        let number = u64::try_from(since.as_millis() / period).unwrap_or(u64::MAX);
        if number > self.last {
            println!("run {number} on {}", cx.node());
            self.last = number;
        }
        let left = period - since.as_millis() % period;
        cx.send_after(Duration::from_millis(u64::try_from(left).unwrap_or(u64::MAX)), Look);
    }
}

/// A node that can run the job.
#[derive(Parser)]
struct Options {
    #[command(flatten)]
    node: node::NodeOptions,
    /// How many seconds lie between two runs. The node that starts the job decides.
    #[arg(long, default_value_t = 60)]
    every: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let (builder, secret) = options.node.builder()?;
    let swarm = builder.worker::<Job>().start().await?;
    node::invite(&swarm, "singleton", &secret);
    // Every node asks for it, and one of them has it.
    let period = Duration::from_secs(options.every.max(1));
    let job = swarm.whereis_or_register::<Job>("the-job", period).await?;
    let pid = job.pid();
    let host = swarm.nodes().into_iter().find(|member| Some(member.id.boot) == pid.map(|p| p.boot));
    println!("the job is on {}", host.map_or("its way".to_owned(), |host| host.id.to_string()));

    node::asked_to_leave().await;
    println!("{} leaves", options.node.name());
    swarm.leave().await
}
