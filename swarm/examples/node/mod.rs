//! What the examples with several nodes share: a node on this machine, from the command line.

use std::path::PathBuf;
use swarm::{Builder, ClusterSecret, Result, Swarm};

/// Which node to start, and of which cluster.
#[derive(clap::Args)]
pub(crate) struct NodeOptions {
    /// The node's name.
    name: String,
    /// Where a node of the cluster gossips. Without it the node is the first one.
    #[arg(long)]
    seed: Vec<String>,
    /// The file with the cluster's secret. Without it a new one is made.
    #[arg(long)]
    secret: Option<PathBuf>,
}

impl NodeOptions {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A builder of the node, and the file of the cluster's secret.
    pub(crate) fn builder(&self) -> Result<(Builder, PathBuf)> {
        let (secret, path) = self.secret()?;
        let builder = Swarm::builder(&self.name).bind("127.0.0.1:0").seeds(self.seed.clone());
        Ok((builder.secret(secret), path))
    }

    /// The secret of the cluster: from the file that was named, else a new one in a new file.
    fn secret(&self) -> Result<(ClusterSecret, PathBuf)> {
        if let Some(path) = &self.secret {
            return Ok((ClusterSecret::from_file(path)?, path.clone()));
        }
        let name = format!("swarm-secret-{}-{}", self.name, std::process::id());
        let (secret, path) = (ClusterSecret::generate(), std::env::temp_dir().join(name));
        secret.to_file(&path)?;
        Ok((secret, path))
    }
}

/// Says how to start another node of the cluster.
pub(crate) fn invite(swarm: &Swarm, example: &str, secret: &std::path::Path) {
    let (name, address, file) = (&swarm.node().name, swarm.local_addr(), secret.display());
    println!("{name} gossips on {address}; another node in another terminal:");
    println!("  cargo run --example {example} -- b --seed {address} --secret {file}");
}

/// Waits for a Ctrl-C, or for the signal with which a service manager ends a program.
#[cfg(unix)]
pub(crate) async fn asked_to_leave() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("signals can be waited for");
    tokio::select! {
        _ = terminate.recv() => (),
        waited = tokio::signal::ctrl_c() => waited.expect("signals can be waited for"),
    }
}

/// Waits for a Ctrl-C.
#[cfg(not(unix))]
pub(crate) async fn asked_to_leave() {
    tokio::signal::ctrl_c().await.expect("signals can be waited for");
}
