//! Machines and endpoints together, as a node drives them: sessions come up by themselves, and come
//! up again.
#![cfg(feature = "quic")]
#![expect(clippy::disallowed_methods, reason = "real sockets need a real clock")]

mod common;

use common::{Kept, cluster_secret, node_name, until};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use swarm_base::codec::{self, Limits};
use swarm_base::{Boot, ClusterSecret, Instant, Machine, NodeId, Output, Rng, Session};
use swarm_link::quic::{Credentials, Endpoint, Lane, Notice, Outbox, Push, Settings};
use swarm_link::{Cause, Config, Event, Links};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

#[tokio::test]
async fn members_are_connected_by_one_session_each() {
    let nodes: Vec<_> = ["a", "b", "c", "d"].iter().map(|name| Driven::start(name, 1)).collect();
    for node in &nodes {
        for other in nodes.iter().filter(|other| other.id != node.id) {
            node.meet(other).await;
        }
    }
    for node in &nodes {
        until(|| (node.connected() == 3).then_some(())).await;
    }
    let messages = nodes[0].messages(&nodes[3].id).await;
    messages.send(|bytes| bytes.extend_from_slice(b"hello")).await.expect("queued");
    assert_eq!(nodes[3].inbox.next().await.1, "hello");
}

#[tokio::test]
async fn a_restarted_node_is_connected_again_as_another() {
    let (a, b) = (Driven::start("a", 1), Driven::start("b", 1));
    a.meet(&b).await;
    b.meet(&a).await;
    let old = a.messages(&b.id).await;
    until(|| (b.connected() == 1).then_some(())).await;
    let (address, id) = (b.address, b.id.clone());
    drop(b);
    let again = until(|| Driven::try_start("b", 2, address)).await;
    again.meet(&a).await;
    let new = a.messages(&again.id).await;
    new.send(|bytes| bytes.extend_from_slice(b"new")).await.expect("queued");
    assert_eq!(again.inbox.next().await.1, "new");
    assert!(a.seen(|event| matches!(event, Event::Down { node, .. } if *node == id)));
    assert_eq!(old.push(|bytes| bytes.push(1)), Push::Closed, "nothing reaches another life");
}

#[tokio::test]
async fn another_secret_is_a_plain_cause_in_the_events() {
    let a = Driven::start("a", 1);
    let nobody = (Ipv4Addr::LOCALHOST, 0).into();
    let b = Driven::bind("b", 1, &ClusterSecret::generate(), nobody).expect("bound");
    a.meet(&b).await;
    let refused = |event: &Event| matches!(event, Event::Refused { why: Cause::WrongSecret, .. });
    until(|| a.seen(refused).then_some(())).await;
    assert_eq!(a.connected(), 0);
}

/// A node that is nothing but its sessions.
struct Driven {
    id: NodeId,
    address: SocketAddr,
    inbox: Arc<Kept>,
    view: Arc<View>,
    members: mpsc::Sender<(NodeId, SocketAddr)>,
    task: JoinHandle<()>,
}

/// What the driver shows of its machine.
#[derive(Default)]
struct View {
    up: Mutex<Vec<(NodeId, Outbox)>>,
    events: Mutex<Vec<Event>>,
}

impl Driven {
    fn start(name: &str, boot: u64) -> Self {
        Self::try_start(name, boot, (Ipv4Addr::LOCALHOST, 0).into()).expect("bound")
    }

    fn try_start(name: &str, boot: u64, address: SocketAddr) -> Option<Self> {
        Self::bind(name, boot, &cluster_secret(), address)
    }

    fn bind(name: &str, boot: u64, secret: &ClusterSecret, address: SocketAddr) -> Option<Self> {
        let id = NodeId::new(node_name(name), Boot { millis: boot, random: 0 });
        let credentials = Credentials::from_secret(secret, "blue", &id.name).expect("credentials");
        let (sender, notices) = mpsc::channel(16);
        let (members, learned) = mpsc::channel(16);
        let (inbox, view) = (Arc::new(Kept::default()), Arc::new(View::default()));
        let settings = Settings { keep_alive: Duration::from_millis(200), ..Settings::default() };
        let endpoint =
            Endpoint::bind(address, &credentials, settings, sender, inbox.clone()).ok()?;
        let address = endpoint.local_addr();
        let config = Config::default().check().expect("sensible");
        let links = Links::new(id.clone(), "blue", config, Rng::new(boot));
        let driver = Driver { links, endpoint, view: view.clone() };
        let task = tokio::spawn(driver.run(notices, learned));
        Some(Self { id, address, inbox, view, members, task })
    }

    async fn meet(&self, other: &Self) {
        self.members.send((other.id.clone(), other.address)).await.expect("running");
    }

    fn connected(&self) -> usize {
        self.view.up.lock().expect("no panic").len()
    }

    fn seen(&self, what: impl Fn(&Event) -> bool) -> bool {
        self.view.events.lock().expect("no panic").iter().any(what)
    }

    async fn messages(&self, node: &NodeId) -> Outbox {
        until(|| {
            let up = self.view.up.lock().expect("no panic");
            up.iter().find(|(up, _)| up == node).map(|(_, outbox)| outbox.clone())
        })
        .await
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Driver {
    links: Links,
    endpoint: Endpoint,
    view: Arc<View>,
}

impl Driver {
    async fn run(
        mut self,
        mut notices: mpsc::Receiver<Notice>,
        mut members: mpsc::Receiver<(NodeId, SocketAddr)>,
    ) {
        let start = std::time::Instant::now();
        let now = move || Instant::after_start(start.elapsed());
        loop {
            let next = self.links.poll_timeout().map(|next| next.since(now()));
            tokio::select! {
                Some(notice) = notices.recv() => self.notice(now(), notice),
                Some((node, address)) = members.recv() => {
                    self.links.member_up(now(), node, address);
                }
                _ = timeout(next.unwrap_or(Duration::MAX), std::future::pending::<()>()) => {
                    self.links.handle_timeout(now());
                }
                else => break,
            }
            while let Some(output) = self.links.poll_output() {
                match output {
                    Output::Send { to, message } => self.send(to, &message),
                    Output::Event(event) => self.event(event),
                }
            }
        }
    }

    fn notice(&mut self, now: Instant, notice: Notice) {
        match notice {
            Notice::Opened { session, identity, peer } => {
                self.links.handle_opened(now, session, identity, peer);
            }
            Notice::Failed { session, why } => self.links.handle_failed(now, session, why),
            Notice::Closed { session, why } => self.links.handle_closed(now, session, why),
            Notice::Frame { session, lane: Lane::Control, bytes } => {
                let hello = codec::decode(&bytes, Limits::default()).expect("a hello");
                self.links.handle_message(now, session, hello);
            }
            other => assert!(matches!(other, Notice::Rejected { .. }), "{other:?}"),
        }
    }

    fn send(&self, to: Session, message: &swarm_link::Hello) {
        let Some(control) = self.endpoint.control(to) else { return };
        let push = control.push(|bytes| codec::encode_into(bytes, message).expect("encodes"));
        assert!(matches!(push, Push::Queued | Push::Closed));
    }

    fn event(&self, event: Event) {
        let mut up = self.view.up.lock().expect("no panic");
        match &event {
            Event::Dial { session, node, address } => {
                self.endpoint.dial(*session, *address, &node.name);
            }
            Event::Close { session, reason } => self.endpoint.close(*session, *reason),
            Event::Up { node, session } => {
                self.endpoint.open(*session);
                if let Some(messages) = self.endpoint.messages(*session) {
                    up.push((node.clone(), messages));
                }
            }
            Event::Down { node, .. } => up.retain(|(up, _)| up != node),
            Event::Refused { .. } => (),
        }
        self.view.events.lock().expect("no panic").push(event);
    }
}
