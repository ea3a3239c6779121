//! Two nodes that have not met both register a name. Then they meet: one copy ends, and its state
//! is not lost.
//!
//! ```text
//! cargo run --example conflict
//! ```

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use swarm::*;

/// Pays in, and replies with the balance.
#[derive(Serialize, Deserialize)]
struct Pay(u64);

impl Message for Pay {
    const NAME: &'static str = "pay";
    type Reply = u64;
}

struct Account {
    balance: u64,
}

impl Worker for Account {
    const KIND: &'static str = "account";
    type Args = ();
    type State = u64;
    type Accepts = (Pay,);

    async fn start((): (), _: &mut Cx<Self>) -> Result<Self, BoxError> {
        Ok(Self { balance: 0 })
    }

    async fn begin_handoff(&mut self, _: &mut Cx<Self>) -> Handoff<u64> {
        Handoff::Resume(self.balance)
    }

    async fn end_handoff(&mut self, balance: u64, _: &mut Cx<Self>) {
        self.balance = balance;
    }

    async fn resolve_conflict(&mut self, other: u64, cx: &mut Cx<Self>) {
        println!("{} on {}: {} and {other}", cx.name(), cx.node(), self.balance);
        self.balance += other;
    }
}

impl Handle<Pay> for Account {
    async fn handle(&mut self, Pay(sum): Pay, _: &mut Cx<Self>) -> u64 {
        self.balance += sum;
        self.balance
    }
}

async fn start(name: &str, secret: ClusterSecret, seeds: Vec<SocketAddr>) -> Result<Swarm> {
    let node = Swarm::builder(name)
        .secret(secret)
        .seeds(seeds)
        .worker::<Account>()
        // The copy of the node with the smaller name stays, wherever it runs now.
        .resolver::<Account>(|_, first, second| {
            if first.node.name < second.node.name { Keep::First } else { Keep::Second }
        })
        .start()
        .await?;
    Ok(node)
}

#[tokio::main]
async fn main() -> Result<()> {
    let secret = ClusterSecret::generate();
    let mut nodes = Vec::new();
    for (name, sum) in [("a", 1), ("b", 10)] {
        let node = start(name, secret.clone(), Vec::new()).await?;
        node.register::<Account>("savings", ()).await?;
        node.call("savings", Pay(sum)).await?;
        nodes.push(node);
    }
    let mut events = nodes[1].events();
    // A third node knows both, and they learn of each other from it.
    let seeds = nodes.iter().map(Swarm::local_addr).collect();
    let third = start("c", secret, seeds).await?;
    while let Some(event) = events.next().await {
        if let Event::ConflictResolved { name, kept } = event {
            println!("{name} on b has ended, the one on {kept} stays");
            break;
        }
    }
    println!("balance: {}", third.call("savings", Pay(0)).await?);
    for node in nodes.iter().chain([&third]) {
        node.leave().await?;
    }
    Ok(())
}
