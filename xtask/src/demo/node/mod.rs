//! A node process of the demo: one node, driven by lines of JSON on stdin.
//!
//! It ends when its stdin does, so that nothing of the demo outlives it, whatever that dies of.

mod commands;
mod device;
mod hammer;
mod watch;

use super::protocol::{Answered, Asked, Request};
use crate::Failure;
use commands::Station;
use device::Device;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use swarm::{ClusterSecret, Swarm};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Stdin, Stdout, stdin, stdout};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

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
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // Several node processes share the machine, however many processors it has.
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("no runtime: {error}")))?;
    let done = runtime.block_on(serve(args));
    // A read of stdin cannot be interrupted, and nobody waits for it.
    runtime.shutdown_background();
    done
}

async fn serve(args: &Args) -> Result<(), Failure> {
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
    let station = Arc::new(Station::new(swarm));
    let out = Arc::new(Mutex::new(stdout()));
    let mut lines: tokio::io::Lines<BufReader<Stdin>> = BufReader::new(stdin()).lines();
    let mut replies = JoinSet::new();
    loop {
        tokio::select! {
            line = lines.next_line() => match line {
                Ok(Some(line)) => {
                    let (station, out) = (Arc::clone(&station), Arc::clone(&out));
                    replies.spawn(async move { reply(&line, &station, &out).await });
                }
                Ok(None) => return Ok(()),
                Err(error) => return Err(Failure::new(format!("stdin: {error}"))),
            },
            Some(next) = replies.join_next() => {
                match next.map_err(|error| Failure::new(format!("a reply: {error}")))?? {
                    Then::GoOn => (),
                    Then::End => return Ok(()),
                }
            }
        }
    }
}

/// What a node process does after a reply.
enum Then {
    GoOn,
    End,
}

async fn reply(line: &str, station: &Station, out: &Mutex<Stdout>) -> Result<Then, Failure> {
    let Asked { id, request } = serde_json::from_str(line)
        .map_err(|error| Failure::new(format!("not a request: {error}: {line}")))?;
    let then = match request {
        Request::Leave => Then::End,
        _ => Then::GoOn,
    };
    let answered = match station.serve(request).await {
        Ok(value) => Answered::<Value> { id, done: Some(value), failed: None },
        Err(error) => Answered { id, done: None, failed: Some(error) },
    };
    let mut line = serde_json::to_vec(&answered)
        .map_err(|error| Failure::new(format!("not a reply: {error}")))?;
    line.push(b'\n');
    let mut out = out.lock().await;
    let written = match out.write_all(&line).await {
        Ok(()) => out.flush().await,
        failed => failed,
    };
    written.map_err(|error| Failure::new(format!("stdout: {error}")))?;
    Ok(then)
}
