//! Counters that move with what they have counted.
//!
//! In two terminals, or more:
//!
//! ```text
//! cargo run --example counter -- a
//! cargo run --example counter -- b --seed 127.0.0.1:PORT --secret FILE
//! ```
//!
//! The first prints the second's command line. When a node comes, some counters move to it; after a
//! Ctrl-C or a SIGTERM all of its counters move away. None forgets anything.

mod node;

use clap::Parser;
use serde::{Deserialize, Serialize};
use swarm::*;

/// Adds one, and replies with the sum.
#[derive(Clone, Serialize, Deserialize)]
struct Count;

impl Message for Count {
    const NAME: &'static str = "count";
    type Reply = u64;
}

struct Counter {
    count: u64,
}

impl Worker for Counter {
    const KIND: &'static str = "counter";
    type Args = ();
    type State = u64;
    type Accepts = (Count,);

    async fn start((): (), _: &mut Cx<Self>) -> Result<Self, BoxError> {
        Ok(Self { count: 0 })
    }

    /// Nothing is handled here after this: the messages that wait go along.
    async fn begin_handoff(&mut self, _: &mut Cx<Self>) -> Handoff<u64> {
        Handoff::Resume(self.count)
    }

    /// The first that is called on the other node, before any message.
    async fn end_handoff(&mut self, count: u64, cx: &mut Cx<Self>) {
        println!("{} comes to {} at {count}", cx.name(), cx.node());
        self.count = count;
    }

    /// Both sides of a partition have counted.
    async fn resolve_conflict(&mut self, other: u64, _: &mut Cx<Self>) {
        self.count += other;
    }
}

impl Handle<Count> for Counter {
    async fn handle(&mut self, _: Count, _: &mut Cx<Self>) -> u64 {
        self.count += 1;
        self.count
    }
}

/// A node that runs counters.
#[derive(Parser)]
struct Options {
    #[command(flatten)]
    node: node::NodeOptions,
    /// How many counters there are.
    #[arg(long, default_value_t = 8)]
    counters: usize,
    /// How often this node counts with each.
    #[arg(long, default_value_t = 10)]
    times: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let (builder, secret) = options.node.builder()?;
    let swarm = builder.worker::<Counter>().start().await?;
    node::invite(&swarm, "counter", &secret);
    for number in 1..=options.counters {
        let counter = swarm.whereis_or_register::<Counter>(format!("counter-{number}"), ()).await?;
        let mut sum = 0;
        for _ in 0..options.times {
            sum = counter.call(Count).await?;
        }
        println!("{} has counted to {sum}", counter.name());
    }
    println!("{} has counted", options.node.name());

    node::asked_to_leave().await;
    let mut progress = swarm.drain().progress().await?;
    while let Some(step) = progress.next().await {
        match step {
            Ok(step) => println!("{} of {} counters are still here", step.left, step.total),
            // Without another node they end with this one.
            Err(error) => println!("{error}"),
        }
    }
    swarm.leave().await
}
