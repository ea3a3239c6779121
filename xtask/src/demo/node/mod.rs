//! A node process of the demo: one node, driven over its stdin.

mod commands;
mod device;
mod hammer;
mod watch;

use crate::{Failure, driven};
use commands::Station;
use device::Device;
use std::net::SocketAddr;
use std::path::PathBuf;
use swarm::{ClusterSecret, Swarm};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The node's name
    #[arg(long)]
    name: String,
    /// The file with the cluster's secret
    #[arg(long)]
    secret: PathBuf,
    /// Where other nodes gossip
    #[arg(long)]
    seed: Vec<SocketAddr>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    driven::run(start(args))
}

async fn start(args: &Args) -> Result<Station, Failure> {
    let secret = ClusterSecret::from_file(&args.secret).map_err(|e| Failure::new(e.to_string()))?;
    let swarm = Swarm::builder(&args.name)
        .secret(secret)
        .cluster("demo")
        .seeds(args.seed.iter().copied())
        .worker::<Device>()
        .start()
        .await
        .map_err(|error| Failure::new(format!("{} did not start: {error}", args.name)))?;
    eprintln!("{:?} gossips at {}", swarm.node(), swarm.local_addr());
    Ok(Station::new(swarm))
}
