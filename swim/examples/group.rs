//! Forms a group from the command line and prints what happens. Ctrl-C leaves.
//!
//! ```text
//! cargo run -p swarm-swim --example group -- --name a --bind 127.0.0.1:7001 --secret <64 hex digits>
//! cargo run -p swarm-swim --example group -- --name b --bind 127.0.0.1:7002 --secret <the same> \
//!     --seed 127.0.0.1:7001
//! ```

use clap::Parser;
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use swarm_base::{ClusterSecret, NodeName};
use swarm_swim::udp::{Notice, Udp};
use swarm_swim::{Config, Event, Filter, Keyring, Metadata};

/// One node of a group.
#[derive(Parser)]
struct Args {
    /// Its name, unique in the group.
    #[arg(long)]
    name: String,
    /// Where it listens; port 0 lets the system choose.
    #[arg(long, default_value = "127.0.0.1:0")]
    bind: SocketAddr,
    /// Where others send to, if not to the bound address.
    #[arg(long)]
    advertise: Option<SocketAddr>,
    /// Where a member may be. May be given more than once.
    #[arg(long)]
    seed: Vec<SocketAddr>,
    /// The cluster's secret: 64 hex digits, or a file of them.
    #[arg(long)]
    secret: String,
    /// The cluster's name.
    #[arg(long, default_value = "example")]
    cluster: String,
    /// What the node tells about itself.
    #[arg(long, default_value = "")]
    metadata: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let keyring = Keyring::new(args.cluster, secret(&args.secret)?);
    let mut udp = Udp::bind(args.bind).await?;
    if let Some(address) = args.advertise {
        udp = udp.advertise(address);
    }
    let metadata = Metadata::new(&args.metadata)?;
    let group =
        udp.start(NodeName::new(args.name)?, metadata, Config::default().check()?, keyring)?;
    println!("{} at {}", group.id(), group.address());
    let mut events = group.subscribe(Filter::all());
    group.join(args.seed).await;
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Notice::Event(event)) => println!("{}", sentence(&event)),
                Some(_) => {}
                None => return Ok(()),
            },
            signal = tokio::signal::ctrl_c() => {
                signal?;
                group.leave().await;
                println!("left");
                return Ok(());
            }
        }
    }
}

fn secret(text: &str) -> Result<ClusterSecret, Box<dyn Error>> {
    let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex {
        return Ok(ClusterSecret::from_file(Path::new(text))?);
    }
    let bytes: Result<Vec<u8>, _> =
        (0..64).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16)).collect();
    Ok(ClusterSecret::from_bytes(&bytes?)?)
}

fn sentence(event: &Event) -> String {
    match event {
        Event::Joined(member) => format!("joined: {} at {}", member.id, member.address),
        Event::Updated(member) => format!("updated: {}: {:?}", member.id, member.metadata),
        Event::Suspected { node, by } => format!("suspected: {node}, by {by}"),
        Event::Refuted { node } => format!("refuted: {node}"),
        Event::Failed { node, why } => format!("failed: {node} ({why:?})"),
        Event::Left { node } => format!("left: {node}"),
        Event::Merged => "merged: the member list is here".into(),
        Event::NameTaken { holder } => format!("this name is taken, by the node at {holder}"),
        Event::BootBehind { remembered } => {
            format!("the clock is behind: the group remembers boot {remembered}")
        }
        other => format!("{other:?}"),
    }
}
