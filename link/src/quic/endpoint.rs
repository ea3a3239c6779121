//! The transports of one node.

use super::connection::FLUSH_MAX;
use super::credentials::Credentials;
use super::inbox::Inbox;
use super::link::Link;
use super::notice::Notice;
use super::outbox::{Outbox, Push};
use super::settings::{BULK_LEN_MAX, INCOMING_MAX, SHARED_LEN_MAX, Settings};
use super::socket::{self, BindError, Warning};
use super::{connection_id, handshake};
use crate::{Identity, Reason};
use bytes::Bytes;
use quinn::{ClientConfig, TokioRuntime, VarInt};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use swarm_base::{NodeName, Session};
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A UDP socket, and the connections that it carries in both directions.
///
/// Does what [`Links`](crate::Links) asks for and tells what became of it. Methods that name a
/// session do nothing, or return `None`, where it is gone. All tasks end when this is dropped;
/// [`shutdown`](Self::shutdown) also flushes.
pub struct Endpoint {
    shared: Arc<Shared>,
    address: SocketAddr,
    warnings: Vec<Warning>,
    runtime: Handle,
    /// The task that accepts, with those of all accepted sessions, and one for each dial.
    tasks: Mutex<JoinSet<()>>,
}

/// What the tasks of an endpoint share.
pub(super) struct Shared {
    pub(super) me: Identity,
    pub(super) settings: Settings,
    pub(super) endpoint: quinn::Endpoint,
    pub(super) client: ClientConfig,
    pub(super) inbox: Arc<dyn Inbox>,
    notices: mpsc::Sender<Notice>,
    links: Mutex<BTreeMap<Session, Arc<Link>>>,
    accepted: AtomicU64,
    stopping: watch::Sender<bool>,
}

impl Endpoint {
    /// Listens on `address`; port 0 is one of the system's choice.
    ///
    /// What happens is told to `notices`; a driver that is slow to take it slows the peers down.
    /// Messages go to `inbox` instead.
    ///
    /// # Errors
    ///
    /// [`BindError`]; nothing was started then.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with time and I/O enabled.
    pub fn bind(
        address: SocketAddr,
        credentials: &Credentials,
        settings: Settings,
        notices: mpsc::Sender<Notice>,
        inbox: Arc<dyn Inbox>,
    ) -> Result<Self, BindError> {
        settings.check()?;
        let (client, server) = (settings.client(credentials)?, settings.server(credentials)?);
        let (socket, warnings) = socket::bind(address, settings.socket_buffer_bytes)?;
        let config = connection_id::config(credentials.reset_key());
        let failed = |e: std::io::Error| BindError::Address { address, reason: e.to_string() };
        let endpoint = quinn::Endpoint::new(config, Some(server), socket, Arc::new(TokioRuntime))
            .map_err(failed)?;
        let address = endpoint.local_addr().map_err(failed)?;
        let shared = Arc::new(Shared {
            me: credentials.identity().clone(),
            settings,
            endpoint,
            client,
            inbox,
            notices,
            links: Mutex::default(),
            accepted: AtomicU64::new(0),
            stopping: watch::Sender::new(false),
        });
        let (runtime, mut tasks) = (Handle::current(), JoinSet::new());
        tasks.spawn_on(accept(shared.clone()), &runtime);
        Ok(Self { shared, address, warnings, runtime, tasks: Mutex::new(tasks) })
    }

    /// The address that it listens on.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What works, but not as well as it should.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Opens a transport to `expected` at `address`, which is told as
    /// [`Opened`](Notice::Opened) or [`Failed`](Notice::Failed). How long that may take is the
    /// caller's to decide, by [`close`](Self::close).
    pub fn dial(&self, session: Session, address: SocketAddr, expected: &NodeName) {
        let (link, bulk) = Link::new(session, &self.shared.settings);
        let link = Arc::new(link);
        self.shared.links().insert(session, link.clone());
        let task = handshake::dial(self.shared.clone(), link, bulk, address, expected.clone());
        let mut tasks = self.tasks();
        while tasks.try_join_next().is_some() {}
        tasks.spawn_on(task, &self.runtime);
    }

    /// Takes messages and bulk payloads of `session` from now on: the hellos are through. Until
    /// then they wait at the sender.
    pub fn open(&self, session: Session) {
        if let Some(link) = self.link(session) {
            link.open();
        }
    }

    /// Closes `session`, or gives up dialling it, and tells the other side `reason`.
    ///
    /// Nothing more can be pushed. With a reason that [flushes](Reason::flushes), what is queued is
    /// sent first, for at most two seconds.
    pub fn close(&self, session: Session, reason: Reason) {
        if let Some(link) = self.link(session) {
            link.close_outboxes();
            link.close(reason);
        }
    }

    /// The queue of control frames, each at most
    /// [`CONTROL_LEN_MAX`](super::CONTROL_LEN_MAX). They go before everything else. A session whose
    /// queue exceeds 64 MiB is closed.
    #[must_use]
    pub fn control(&self, session: Session) -> Option<Outbox> {
        self.link(session).map(|link| link.control.clone())
    }

    /// The queue of message frames, which arrive at the other side's [`Inbox`].
    #[must_use]
    pub fn messages(&self, session: Session) -> Option<Outbox> {
        self.link(session).map(|link| link.messages.clone())
    }

    /// Sends one payload behind everything else, at most [`BULK_LEN_MAX`](super::BULK_LEN_MAX).
    /// Those up to 128 KiB keep their order; larger ones may be overtaken. `Full` where 4 MiB of
    /// the former, or 32 of the latter, wait already.
    pub fn send_bulk(&self, session: Session, payload: Bytes) -> Push {
        if payload.len() > BULK_LEN_MAX {
            return Push::TooLong;
        }
        let Some(link) = self.link(session).filter(|link| !link.control.is_closed()) else {
            return Push::Closed;
        };
        if payload.len() <= SHARED_LEN_MAX {
            return link.shared.push(|out| out.extend_from_slice(&payload));
        }
        match link.bulk.try_send(payload) {
            Ok(()) => Push::Queued,
            Err(TrySendError::Full(_)) => Push::Full,
            Err(TrySendError::Closed(_)) => Push::Closed,
        }
    }

    /// How many datagrams have come on `session`. Where that does not change for longer than the
    /// keep-alive, the other node is silent.
    #[must_use]
    pub fn heard(&self, session: Session) -> Option<u64> {
        let link = self.link(session)?;
        Some(link.connection.get()?.stats().udp_rx.datagrams)
    }

    /// Closes everything, having flushed what is queued, and stops. Takes four seconds at most; no
    /// notices are told from its beginning on.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it has stopped accepting and may have lost what was queued.
    pub async fn shutdown(&self) {
        self.shared.stopping.send_replace(true);
        let links: Vec<_> = self.shared.links().values().cloned().collect();
        for link in links {
            link.close_outboxes();
            link.close(Reason::Shutdown);
        }
        let mut tasks = std::mem::take(&mut *self.tasks());
        let ended = async { while tasks.join_next().await.is_some() {} };
        let _ = timeout(FLUSH_MAX + Duration::from_secs(1), ended).await;
        self.shared.close();
        let _ = timeout(Duration::from_secs(1), self.shared.endpoint.wait_idle()).await;
    }

    fn link(&self, session: Session) -> Option<Arc<Link>> {
        self.shared.links().get(&session).cloned()
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        for link in self.shared.links().values() {
            link.close_outboxes();
        }
        self.shared.close();
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("identity", &self.shared.me)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Tells the driver, waiting for it if need be.
    pub(super) async fn tell(&self, notice: Notice) {
        let mut stopping = self.stopping.subscribe();
        tokio::select! {
            biased;
            // Nobody reads notices any more.
            _ = stopping.wait_for(|stopping| *stopping) => (),
            _ = self.notices.send(notice) => (),
        }
    }

    /// Tells the driver, unless it is behind. Strangers get at most half of the queue: they must
    /// not make members wait.
    pub(super) fn try_tell(&self, notice: Notice) {
        let half = self.notices.max_capacity() / 2;
        if !*self.stopping.borrow() && self.notices.capacity() > half {
            let _ = self.notices.try_send(notice);
        }
    }

    /// A session for a connection that was accepted, unless there are too many.
    pub(super) fn accepted(&self) -> Option<(Arc<Link>, mpsc::Receiver<Bytes>)> {
        let mut links = self.links();
        if links.len() >= SESSIONS_MAX || *self.stopping.borrow() {
            return None;
        }
        let session = Session::accepted(self.accepted.fetch_add(1, Ordering::Relaxed));
        let (link, bulk) = Link::new(session, &self.settings);
        let link = Arc::new(link);
        links.insert(session, link.clone());
        Some((link, bulk))
    }

    pub(super) fn forget(&self, session: Session) {
        self.links().remove(&session);
    }

    fn links(&self) -> MutexGuard<'_, BTreeMap<Session, Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let reason = Reason::Shutdown;
        self.endpoint.close(VarInt::from_u32(reason.code()), reason.to_string().as_bytes());
    }
}

/// Takes what others dial, and owns the tasks of their sessions.
async fn accept(shared: Arc<Shared>) {
    let handshakes = Arc::new(Semaphore::new(INCOMING_MAX));
    let (mut sessions, mut stopping) = (JoinSet::new(), shared.stopping.subscribe());
    loop {
        let incoming = tokio::select! {
            incoming = shared.endpoint.accept() => incoming,
            Some(_) = sessions.join_next() => continue,
            _ = stopping.wait_for(|stopping| *stopping) => break,
        };
        let Some(incoming) = incoming else { break };
        if !incoming.remote_address_validated() {
            // Connections last, so a round trip is nothing; and no stranger makes this node send
            // anywhere, or work, by a forged address (RFC 9000 §8.1).
            let _ = incoming.retry();
        } else if let Ok(permit) = handshakes.clone().try_acquire_owned() {
            sessions.spawn(handshake::accept(shared.clone(), incoming, permit));
        } else {
            incoming.refuse();
        }
    }
    while sessions.join_next().await.is_some() {}
}

/// The most sessions at once.
const SESSIONS_MAX: usize = 4096;
