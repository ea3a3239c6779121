//! A node of one endpoint, an inbox that keeps everything, and a relay that can be cut.
#![allow(dead_code, reason = "each test uses its part")]

use bytes::Bytes;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use swarm_base::{ClusterSecret, NodeName, Session};
use swarm_link::Cause;
use swarm_link::quic::{BindError, Credentials, Endpoint, Inbox, Notice, Pace, Settings};
use tokio::net::UdpSocket;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub(crate) fn node_name(name: &str) -> NodeName {
    NodeName::new(name).expect("a name")
}

pub(crate) fn cluster_secret() -> ClusterSecret {
    let bytes: Vec<u8> = (0..32).collect();
    ClusterSecret::from_bytes(&bytes).expect("a secret")
}

/// Writes a number as a frame.
pub(crate) fn frame(number: u32) -> impl FnOnce(&mut Vec<u8>) {
    move |bytes| bytes.extend_from_slice(&number.to_be_bytes())
}

/// Polls until there is something.
pub(crate) async fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, looking).await.expect("in time")
}

pub(crate) struct Node {
    pub(crate) endpoint: Endpoint,
    pub(crate) inbox: Arc<Kept>,
    notices: mpsc::Receiver<Notice>,
}

/// What the side that was dialled in vain learns.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Rejected(Cause),
    Closed(Cause),
}

impl Node {
    pub(crate) fn start(name: &str) -> Self {
        Self::with(name, "blue", &cluster_secret(), Settings::default())
    }

    pub(crate) fn with(
        name: &str,
        cluster: &str,
        secret: &ClusterSecret,
        settings: Settings,
    ) -> Self {
        Self::bind(name, cluster, secret, settings, (Ipv4Addr::LOCALHOST, 0).into()).expect("bound")
    }

    pub(crate) fn try_bind(name: &str, address: SocketAddr) -> Result<Self, BindError> {
        Self::bind(name, "blue", &cluster_secret(), Settings::default(), address)
    }

    fn bind(
        name: &str,
        cluster: &str,
        secret: &ClusterSecret,
        settings: Settings,
        address: SocketAddr,
    ) -> Result<Self, BindError> {
        let credentials = Credentials::from_secret(secret, cluster, &node_name(name))?;
        let (sender, notices) = mpsc::channel(64);
        let inbox = Arc::new(Kept::default());
        let endpoint = Endpoint::bind(address, &credentials, settings, sender, inbox.clone())?;
        Ok(Self { endpoint, inbox, notices })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.endpoint.local_addr()
    }

    pub(crate) async fn next(&mut self) -> Notice {
        timeout(PATIENCE, self.notices.recv()).await.expect("in time").expect("running")
    }

    /// Ends without flushing anything. The port is free when this returns.
    pub(crate) async fn stop(self) {
        let Self { endpoint, .. } = self;
        let address = endpoint.local_addr();
        drop(endpoint);
        until(|| std::net::UdpSocket::bind(address).ok()).await;
    }

    async fn opened(&mut self) -> (Session, String) {
        match self.next().await {
            Notice::Opened { session, identity, .. } => (session, identity.to_string()),
            notice => panic!("expected a session, got {notice:?}"),
        }
    }

    pub(crate) async fn dial(&mut self, other: &mut Self) -> (Session, Session) {
        self.dial_at(other, other.address()).await
    }

    pub(crate) async fn dial_at(&mut self, other: &mut Self, at: SocketAddr) -> (Session, Session) {
        static COUNT: AtomicU64 = AtomicU64::new(1000);
        let session = Session::dialled(COUNT.fetch_add(1, Ordering::Relaxed));
        self.endpoint.dial(session, at, &node_name("b"));
        let (here, theirs) = self.opened().await;
        assert_eq!((here, &theirs[..]), (session, "swarm://blue/node/b"));
        let (there, theirs) = other.opened().await;
        assert!(!there.is_dialled());
        assert_eq!(theirs, "swarm://blue/node/a");
        (here, there)
    }

    /// Dials b and opens both ends.
    pub(crate) async fn connect(&mut self, other: &mut Self) -> (Session, Session) {
        let (here, there) = self.dial(other).await;
        self.endpoint.open(here);
        other.endpoint.open(there);
        (here, there)
    }

    /// Dials `other` as `expected`, and tells why that failed here and there.
    pub(crate) async fn dial_in_vain(
        &mut self,
        other: &mut Self,
        expected: &str,
    ) -> (Cause, Outcome) {
        let session = Session::dialled(1);
        self.endpoint.dial(session, other.address(), &node_name(expected));
        let here = match self.next().await {
            Notice::Failed { session: failed, why } if failed == session => why,
            notice => panic!("expected a failure, got {notice:?}"),
        };
        let there = loop {
            match other.next().await {
                Notice::Rejected { why, .. } => break Outcome::Rejected(why),
                Notice::Closed { why, .. } => break Outcome::Closed(why),
                Notice::Opened { .. } => (),
                notice => panic!("expected a failure, got {notice:?}"),
            }
        };
        (here, there)
    }
}

/// An inbox that keeps every frame until it is taken.
pub(crate) struct Kept {
    frames: Mutex<VecDeque<(Session, Bytes)>>,
    arrived: Notify,
    held: watch::Sender<bool>,
    fatal: Mutex<Option<&'static [u8]>>,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            frames: Mutex::default(),
            arrived: Notify::new(),
            held: watch::Sender::new(false),
            fatal: Mutex::default(),
        }
    }
}

impl Kept {
    /// Takes nothing from the next frame on.
    pub(crate) fn hold(&self) {
        self.held.send_replace(true);
    }

    pub(crate) fn release(&self) {
        self.held.send_replace(false);
    }

    /// Panics at a frame of these bytes.
    pub(crate) fn panic_at(&self, frame: &'static [u8]) {
        *self.fatal.lock().expect("no panic") = Some(frame);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.lock().expect("no panic").is_empty()
    }

    pub(crate) async fn next(&self) -> (Session, Bytes) {
        let taking = async {
            loop {
                if let Some(frame) = self.frames.lock().expect("no panic").pop_front() {
                    return frame;
                }
                self.arrived.notified().await;
            }
        };
        timeout(PATIENCE, taking).await.expect("in time")
    }
}

impl Inbox for Kept {
    fn deliver(&self, from: Session, frame: Bytes) -> Pace {
        let fatal = *self.fatal.lock().expect("no panic");
        assert_ne!(fatal, Some(&frame[..]), "by intention");
        self.frames.lock().expect("no panic").push_back((from, frame));
        self.arrived.notify_one();
        let mut held = self.held.subscribe();
        if !*held.borrow() {
            return Pace::Go;
        }
        Pace::Wait(Box::pin(async move {
            let _ = held.wait_for(|held| !held).await;
        }))
    }
}

/// Forwards datagrams between one dialler and one target.
pub(crate) struct Relay {
    address: SocketAddr,
    cut: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Relay {
    pub(crate) fn start(target: SocketAddr) -> Self {
        let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bound");
        socket.set_nonblocking(true).expect("set");
        let address = socket.local_addr().expect("an address");
        let socket = UdpSocket::from_std(socket).expect("a socket");
        let cut = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(forward(socket, target, cut.clone()));
        Self { address, cut, task }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn pause(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    pub(crate) fn resume(&self) {
        self.cut.store(false, Ordering::Relaxed);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(socket: UdpSocket, target: SocketAddr, cut: Arc<AtomicBool>) {
    let (mut buffer, mut dialler) = ([0; 2048], None);
    loop {
        // A closed port at the other end shows as an error here: that is a lost datagram.
        let Ok((len, from)) = socket.recv_from(&mut buffer).await else { continue };
        let to = if from == target { dialler } else { Some(target) };
        if from != target {
            dialler = Some(from);
        }
        if let (Some(to), false) = (to, cut.load(Ordering::Relaxed)) {
            let _ = socket.send_to(&buffer[..len], to).await;
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(20);
