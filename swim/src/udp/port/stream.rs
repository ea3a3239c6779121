//! Idle streams: those that this node holds to others, and those that others hold to it.

#![expect(clippy::disallowed_methods, reason = "tasks of the port, owned by what starts them")]

use super::Sign;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use swarm_base::NodeId;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

/// A stream to a member. Dropped, it is closed.
#[derive(Debug)]
pub(super) struct Stream {
    to: SocketAddr,
    task: JoinHandle<()>,
}

/// How many streams are open.
#[derive(Clone, Debug, Default)]
pub(super) struct Count(Arc<AtomicUsize>);

impl Count {
    pub(super) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn one_more(&self) -> Counted<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Counted(self)
    }
}

/// One that is open, until it is dropped.
struct Counted<'a>(&'a Count);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Stream {
    pub(super) fn start(
        node: &NodeId,
        to: SocketAddr,
        open: &Count,
        signs: &mpsc::Sender<Sign>,
    ) -> Self {
        let task = tokio::spawn(hold(node.clone(), to, open.clone(), signs.clone()));
        Self { to, task }
    }

    pub(super) fn is_to(&self, address: SocketAddr) -> bool {
        self.to == address
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Holds a stream, and says so each time that it was closed.
async fn hold(node: NodeId, to: SocketAddr, open: Count, signs: mpsc::Sender<Sign>) {
    let mut rest = DIAL_REST_MIN;
    loop {
        let dialed = tokio::time::timeout(DIAL_TIMEOUT, TcpStream::connect(to)).await;
        if let Ok(Ok(mut stream)) = dialed {
            let counted = open.one_more();
            until_closed(&mut stream).await;
            drop(counted);
            if signs.send(Sign::Closed(node.clone())).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(rest).await;
        rest = (rest * 2).min(DIAL_REST_MAX);
    }
}

/// Returns when the other side has closed the stream, or says anything: nothing is to be said.
async fn until_closed(stream: &mut TcpStream) {
    let _ = stream.read(&mut [0]).await;
}

/// Holds the ends of the streams that others have to this node.
#[derive(Debug)]
pub(super) struct Listener {
    task: JoinHandle<()>,
}

impl Listener {
    pub(super) fn start(listener: TcpListener) -> Self {
        Self { task: tokio::spawn(accept(listener)) }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener) {
    let mut held = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((mut stream, _)) => {
                while held.try_join_next().is_some() {}
                // One too many is closed at once: its holder pings, and hears that all is well.
                if held.len() < HELD_MAX {
                    held.spawn(async move { until_closed(&mut stream).await });
                }
            }
            // Mostly for want of descriptors.
            Err(_) => tokio::time::sleep(DIAL_REST_MIN).await,
        }
    }
}

/// How long a dial may take.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);

/// The waits between dials to one member. They double.
const DIAL_REST_MIN: Duration = Duration::from_secs(1);
const DIAL_REST_MAX: Duration = Duration::from_secs(300);

/// The most streams that are held for others. Eight for each node of a usual cluster is far less:
/// the others choose whom they watch evenly.
const HELD_MAX: usize = 64;
