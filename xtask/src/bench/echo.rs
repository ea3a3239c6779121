//! The bare echo: frames over a session of the link, answered in the loop that reads them. What a
//! call costs beyond it is the product's own.

use super::calls::rate;
use super::figures::Watch;
use super::node::text;
use super::protocol::Reply;
use super::workers::BODY;
use bytes::Bytes;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use swarm_base::{ClusterSecret, NodeName, Session};
use swarm_link::quic::{Credentials, Endpoint, Inbox, Notice, Outbox, Pace, Settings};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

/// The end that answers.
pub(super) struct Server {
    address: SocketAddr,
    /// Takes the one connection; ends with it.
    _serving: JoinHandle<()>,
}

impl Server {
    pub(super) fn start() -> Result<Self, String> {
        let inbox = Arc::new(Answers::default());
        let (endpoint, mut notices) = bind("b", inbox.clone())?;
        let address = endpoint.local_addr();
        #[expect(clippy::disallowed_methods, reason = "the server owns it")]
        let serving = tokio::spawn(async move {
            while let Some(notice) = notices.recv().await {
                if let Notice::Opened { session, .. } = notice
                    && let Some(messages) = endpoint.messages(session)
                {
                    let _ = inbox.0.set(messages);
                    endpoint.open(session);
                }
            }
        });
        Ok(Self { address, _serving: serving })
    }

    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }
}

/// The end that asks.
pub(super) struct Caller {
    messages: Outbox,
    waiting: Arc<Waiting>,
    _endpoint: Endpoint,
    _notices: mpsc::Receiver<Notice>,
}

impl Caller {
    pub(super) async fn dial(address: &str) -> Result<Self, String> {
        let waiting = Arc::new(Waiting::default());
        let (endpoint, mut notices) = bind("a", waiting.clone())?;
        let session = Session::dialled(1);
        endpoint.dial(session, address.parse().map_err(text)?, &NodeName::new("b").map_err(text)?);
        match notices.recv().await {
            Some(Notice::Opened { .. }) => endpoint.open(session),
            other => return Err(format!("no session: {other:?}")),
        }
        let messages = endpoint.messages(session).ok_or("the session is gone")?;
        Ok(Self { messages, waiting, _endpoint: endpoint, _notices: notices })
    }

    /// Echoes from several callers, each of which waits for its answer.
    pub(super) async fn echo(&self, callers: u64, millis: u64) -> Result<Reply, String> {
        self.waiting.slots().resize_with(callers as usize, || None);
        let watch = Watch::start();
        let mut tasks = JoinSet::new();
        for caller in 0..callers {
            let (messages, waiting) = (self.messages.clone(), self.waiting.clone());
            tasks.spawn(async move {
                let mut nanos = Vec::new();
                while watch.elapsed() < Duration::from_millis(millis) {
                    let asked = Watch::start();
                    let (sender, answer) = oneshot::channel();
                    waiting.slots()[caller as usize] = Some(sender);
                    messages.send(|frame| write(frame, caller)).await.map_err(text)?;
                    answer.await.map_err(text)?;
                    nanos.push(asked.nanos());
                }
                Ok::<_, String>(nanos)
            });
        }
        let mut nanos = Vec::new();
        while let Some(ended) = tasks.join_next().await {
            nanos.extend(ended.map_err(text)??);
        }
        Ok(rate(nanos, &watch))
    }
}

fn write(frame: &mut Vec<u8>, caller: u64) {
    frame.push(0);
    frame.extend_from_slice(&caller.to_le_bytes());
    frame.extend_from_slice(&[7; BODY]);
}

fn bind(name: &str, inbox: Arc<dyn Inbox>) -> Result<(Endpoint, mpsc::Receiver<Notice>), String> {
    // Both ends are this program's, on loopback, and carry nothing.
    let secret = ClusterSecret::from_bytes(&(0..32).collect::<Vec<u8>>()).map_err(text)?;
    let name = NodeName::new(name).map_err(text)?;
    let credentials = Credentials::from_secret(&secret, "echo", &name).map_err(text)?;
    let (sender, notices) = mpsc::channel(64);
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    let endpoint = Endpoint::bind(address, &credentials, Settings::default(), sender, inbox);
    Ok((endpoint.map_err(text)?, notices))
}

/// Answers from the task that reads.
#[derive(Default)]
struct Answers(OnceLock<Outbox>);

impl Inbox for Answers {
    fn deliver(&self, _: Session, frame: Bytes) -> Pace {
        if let Some(outbox) = self.0.get() {
            let _ = outbox.push_reserved(|answer| answer.extend_from_slice(&frame));
        }
        Pace::Go
    }
}

/// Wakes who waits for the answer.
#[derive(Default)]
struct Waiting(Mutex<Vec<Option<oneshot::Sender<()>>>>);

impl Waiting {
    fn slots(&self) -> MutexGuard<'_, Vec<Option<oneshot::Sender<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inbox for Waiting {
    fn deliver(&self, _: Session, frame: Bytes) -> Pace {
        let caller = frame.get(1..).and_then(|rest| rest.first_chunk());
        let caller = caller.map(|bytes| u64::from_le_bytes(*bytes) as usize);
        if let Some(answer) = caller.and_then(|at| self.slots().get_mut(at)?.take()) {
            let _ = answer.send(());
        }
        Pace::Go
    }
}
