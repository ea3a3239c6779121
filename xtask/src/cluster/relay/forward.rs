//! The relay at work.

#![expect(clippy::disallowed_methods, reason = "it delays in real time, and its tasks end with it")]

use super::Route;
use super::held::Counts;
use super::plan::Disorder;
use crate::{Failure, output};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use swarm_base::Rng;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// A packet that came to a port.
struct Packet {
    /// Which port.
    to: usize,
    from: SocketAddr,
    bytes: Vec<u8>,
}

/// A packet that has a port to leave by and a node to go to.
#[derive(Clone)]
struct Passing {
    by: usize,
    to: SocketAddr,
    bytes: Vec<u8>,
}

struct Relay {
    routes: Vec<Route>,
    sockets: Vec<Arc<UdpSocket>>,
    disorder: Disorder,
    rng: Rng,
    /// By when they go on, and in the order in which they came.
    passing: BTreeMap<(Instant, u64), Passing>,
    /// The number of the packet that came last.
    last: u64,
    /// The highest number of those that went on.
    latest: u64,
    counts: Counts,
}

pub(super) async fn relay(routes: &[Route], disorder: &Disorder) -> Result<(), Failure> {
    let mut sockets = Vec::new();
    for Route { public, .. } in routes {
        let bound = UdpSocket::bind(public).await;
        let bound = bound.map_err(|error| Failure::new(format!("{public}: {error}")))?;
        sockets.push(Arc::new(bound));
    }
    let (sender, mut packets) = mpsc::channel(PACKETS_MAX);
    let mut readers = JoinSet::new();
    for (to, socket) in sockets.iter().enumerate() {
        readers.spawn(read(to, Arc::clone(socket), sender.clone()));
    }
    let mut relay = Relay {
        routes: routes.to_vec(),
        sockets,
        disorder: disorder.clone(),
        rng: Rng::new(disorder.seed),
        passing: BTreeMap::new(),
        last: 0,
        latest: 0,
        counts: Counts::default(),
    };
    // Whoever started it waits for the first line, which says that all ports are open.
    relay.show()?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        let due = relay.passing.first_key_value().map(|((due, _), _)| *due);
        let due = due.unwrap_or_else(|| Instant::now() + IDLE);
        tokio::select! {
            Some(packet) = packets.recv() => relay.take(packet),
            () = tokio::time::sleep_until(due) => relay.pass_on(),
            line = lines.next_line() => match line {
                Ok(Some(_)) => relay.show()?,
                _ => return Ok(()),
            },
        }
    }
}

impl Relay {
    fn take(&mut self, Packet { to, from, bytes }: Packet) {
        // Out of the sender's own port; who has none is none of this network.
        let Some(by) = self.routes.iter().position(|route| route.node == from) else {
            self.counts.strange += 1;
            return;
        };
        let fate = self.disorder.draw(&mut self.rng);
        let now = Instant::now();
        let passing = Passing { by, to: self.routes[to].node, bytes };
        self.counts.taken += 1;
        self.counts.held_back += u64::from(fate.is_held_back);
        self.counts.doubled += u64::from(fate.twin.is_some());
        for delay in std::iter::once(fate.delay).chain(fate.twin) {
            if self.passing.len() == PASSING_MAX {
                self.counts.overflow += 1;
                continue;
            }
            self.last += 1;
            self.passing.insert((now + delay, self.last), passing.clone());
        }
    }

    fn pass_on(&mut self) {
        let now = Instant::now();
        while let Some(entry) = self.passing.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((_, number), Passing { by, to, bytes }) = entry.remove_entry();
            self.counts.overtaken += u64::from(number < self.latest);
            self.latest = self.latest.max(number);
            // A full buffer or a closed port: a lost packet.
            match self.sockets[by].try_send_to(&bytes, to) {
                Ok(_) => self.counts.passed += 1,
                Err(_) => self.counts.overflow += 1,
            }
        }
    }

    fn show(&self) -> Result<(), Failure> {
        let line = serde_json::to_string(&self.counts);
        output::line(line.map_err(|error| Failure::new(format!("no counts: {error}")))?)
    }
}

async fn read(to: usize, socket: Arc<UdpSocket>, sender: mpsc::Sender<Packet>) {
    let mut buffer = vec![0; DATAGRAM_LEN_MAX];
    loop {
        // What was sent to a node that is gone comes back as an error of the next read.
        let Ok((len, from)) = socket.recv_from(&mut buffer).await else { continue };
        let packet = Packet { to, from, bytes: buffer[..len].to_vec() };
        if sender.send(packet).await.is_err() {
            return;
        }
    }
}

/// How long it sleeps where nothing waits.
const IDLE: Duration = Duration::from_secs(3600);

/// How many packets wait for the relay; then the system's buffers fill.
const PACKETS_MAX: usize = 256;

/// How many packets it holds; what comes then is lost.
const PASSING_MAX: usize = 100_000;

const DATAGRAM_LEN_MAX: usize = 65_536;
