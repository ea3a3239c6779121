//! A leader that runs once in a cluster, or not at all: below two nodes that stand together it is
//! stopped.
//!
//! In two terminals, or three:
//!
//! ```text
//! cargo run --example quorum -- a
//! cargo run --example quorum -- b --seed 127.0.0.1:PORT --secret FILE
//! ```
//!
//! The first prints the second's command line. Kill one of two: the other stops the leader, and
//! runs it again when there are two. Of three one may go. A fourth waits until one of them leaves
//! (Ctrl-C); one that is killed has its place kept for a node of its name.

mod node;

use clap::Parser;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use swarm::*;

/// Asks who leads.
#[derive(Serialize, Deserialize)]
struct Who;

impl Message for Who {
    const NAME: &'static str = "who";
    type Reply = String;
}

struct Leader;

impl Worker for Leader {
    const KIND: &'static str = "leader";
    const RESTART: Restart = Restart::Permanent;
    type Args = ();
    type State = ();
    type Accepts = (Who,);

    async fn start((): (), cx: &mut Cx<Self>) -> Result<Self, BoxError> {
        // What a store should compare: it refuses the writes of a lower one.
        println!("the leader runs on {} with token {}", cx.node(), cx.token());
        Ok(Self)
    }

    async fn die(self, cx: &mut Cx<Self>) {
        println!("the leader stops on {}", cx.node());
    }
}

impl Handle<Who> for Leader {
    async fn handle(&mut self, _: Who, cx: &mut Cx<Self>) -> String {
        cx.node().to_string()
    }
}

/// A node that can run the leader.
#[derive(Parser)]
struct Options {
    #[command(flatten)]
    node: node::NodeOptions,
    /// How many nodes must stand together. At most twice as many less one count: more wait.
    #[arg(long, default_value_t = 2)]
    quorum: i64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let (builder, secret) = options.node.builder()?;
    let strategy = StaticQuorumRing::new(options.quorum).map_err(ConfigError::from)?;
    let swarm = builder.worker::<Leader>().strategy(strategy).start().await?;
    node::invite(&swarm, "quorum", &secret);
    let mut events = swarm.events();
    let telling = async {
        while let Some(event) = events.next().await {
            match event {
                Event::QuorumLost { have, want, .. } => println!("{have} of {want} nodes"),
                Event::QuorumRegained { .. } => println!("the quorum is back"),
                Event::TooManyNodes { have, most, .. } => {
                    println!("{have} nodes, of which {most} count");
                }
                _ => (),
            }
        }
    };
    let registering = async {
        loop {
            match swarm.whereis_or_register::<Leader>("leader", ()).await {
                Ok(leader) => break println!("the leader is on {:?}", leader.call(Who).await),
                Err(RegisterError::NoNodeAvailable { .. }) => println!("below the quorum"),
                Err(error) => println!("{error}"),
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        std::future::pending().await
    };
    tokio::select! {
        () = registering => (),
        () = telling => (),
        () = node::asked_to_leave() => (),
    }
    println!("{} leaves", options.node.name());
    swarm.leave().await
}
