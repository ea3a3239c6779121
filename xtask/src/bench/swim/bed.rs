//! Many nodes in this process, and what they tell.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock and starts tasks")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use swarm_base::{ClusterSecret, NodeId, NodeName};
use swarm_swim::udp::{Group, Notice, Udp};
use swarm_swim::{Checked, Event, Filter, Keyring, Metadata};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// What a node told, and when.
pub(super) struct Told {
    pub(super) at: Instant,
    pub(super) by: usize,
    pub(super) event: Event,
}

/// A node of this process.
pub(super) struct Node {
    pub(super) group: Group,
    n_live: Arc<AtomicUsize>,
    reader: JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// The nodes, and what they tell.
pub(super) struct Bed {
    config: Checked,
    keyring: Keyring,
    pub(super) nodes: Vec<Option<Node>>,
    tells: mpsc::UnboundedSender<Told>,
    pub(super) told: mpsc::UnboundedReceiver<Told>,
}

impl Bed {
    pub(super) fn new(config: Checked, secret: ClusterSecret) -> Self {
        let (tells, told) = mpsc::unbounded_channel();
        Self { config, keyring: Keyring::new("bench", secret), nodes: Vec::new(), tells, told }
    }

    /// Binds a node that has not joined yet.
    pub(super) async fn start(
        &mut self,
        idx: usize,
        address: SocketAddr,
    ) -> Result<SocketAddr, String> {
        let udp = Udp::bind(address).await.map_err(|error| format!("{address}: {error}"))?;
        let name = NodeName::new(format!("n{idx}")).map_err(|error| error.to_string())?;
        let group = udp
            .start(name, Metadata::default(), self.config, self.keyring.clone())
            .map_err(|error| error.to_string())?;
        let address = group.address();
        let n_live = Arc::new(AtomicUsize::new(0));
        let mut subscription = group.subscribe(Filter::all());
        let (count, tells) = (Arc::clone(&n_live), self.tells.clone());
        let reader = tokio::spawn(async move {
            while let Some(notice) = subscription.next().await {
                match notice {
                    Notice::Snapshot(members) => {
                        let live = members.iter().filter(|member| member.is_live()).count();
                        count.store(live, Ordering::Relaxed);
                    }
                    Notice::Event(event) => {
                        match event {
                            Event::Joined(_) => drop(count.fetch_add(1, Ordering::Relaxed)),
                            Event::Failed { .. } | Event::Left { .. } => {
                                count.fetch_sub(1, Ordering::Relaxed);
                            }
                            _ => {}
                        }
                        let _ = tells.send(Told { at: Instant::now(), by: idx, event });
                    }
                    Notice::Lagged { .. } => {}
                }
            }
        });
        if self.nodes.len() <= idx {
            self.nodes.resize_with(idx + 1, || None);
        }
        self.nodes[idx] = Some(Node { group, n_live, reader });
        Ok(address)
    }

    pub(super) fn running(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().flatten()
    }

    pub(super) fn address(&self, idx: usize) -> SocketAddr {
        self.nodes[idx].as_ref().expect("it runs").group.address()
    }

    pub(super) fn id(&self, idx: usize) -> NodeId {
        self.nodes[idx].as_ref().expect("it runs").group.id()
    }

    /// Whether every node sees `n` live ones.
    pub(super) fn all_see(&self, n: usize) -> bool {
        self.running().all(|node| node.n_live.load(Ordering::Relaxed) == n)
    }

    /// Waits until every node sees `n`; how long that took from `start` on.
    pub(super) async fn until_all_see(&mut self, n: usize, start: Instant) -> Result<f64, String> {
        let end = start + PATIENCE;
        while !self.all_see(n) {
            let next = tokio::time::timeout(Duration::from_millis(20), self.told.recv());
            // Looked at again at the latest after the timeout.
            let _ = next.await;
            if Instant::now() > end {
                return Err(format!("after {PATIENCE:?} not all nodes see {n}"));
            }
        }
        Ok(start.elapsed().as_secs_f64())
    }

    /// Forgets what was told up to now.
    pub(super) fn drain(&mut self) -> Vec<Told> {
        std::iter::from_fn(|| self.told.try_recv().ok()).collect()
    }
}

/// How long anything may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
