//! What a node listens on: a UDP socket for its packets, and a TCP listener on the same port for
//! streams that stay idle.
//!
//! Nothing is ever sent on the streams. They are there to be closed: when a process ends, its
//! system closes its streams at once, however it ended, and whoever holds the other end doubts
//! that the node lives (see [`Swim::hint_closed`]). To the address of a node that is doubted,
//! packets go through a connected socket, which the system tells that a packet was refused.
//!
//! Measured on loopback: a killed process is doubted after 0.1 ms and its death proved after 0.3.
//! A datagram alone would have to be sent first, and a healthy node is sent one a second. Where
//! the listener's port is taken, or a firewall keeps streams away, deaths are noticed by probes
//! alone.

mod connected;
mod stream;

use crate::Swim;
use connected::Connected;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use stream::{Count, Listener, Stream};
use swarm_base::{Instant, NodeId};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;

/// See the module.
#[derive(Debug)]
pub struct Port {
    udp: UdpSocket,
    listener: Option<Listener>,
    streams: BTreeMap<NodeId, Stream>,
    open: Count,
    connected: BTreeMap<NodeId, Connected>,
    signs: mpsc::Receiver<Sign>,
    signs_in: mpsc::Sender<Sign>,
    /// The hash of the members of whom those to hold streams to were chosen.
    followed: Option<u64>,
    changing: Option<Changing>,
}

/// The members have changed since those to hold streams to were chosen.
#[derive(Debug)]
struct Changing {
    /// The hash of the members now.
    digest: u64,
    first: Instant,
    last: Instant,
}

/// What arrives at a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// A packet of so many bytes, in the buffer.
    Packet {
        /// How many.
        len: usize,
        /// From where.
        from: SocketAddr,
    },
    /// The stream to a node was closed by its system: for [`Swim::hint_closed`].
    Closed(NodeId),
    /// A packet to a node was refused by its system: for [`Swim::hint_refused`].
    Refused(NodeId),
}

/// What a task of the port has to say.
#[derive(Debug)]
enum Sign {
    Packet { bytes: Vec<u8>, from: SocketAddr },
    Closed(NodeId),
    Refused(NodeId),
}

impl Port {
    /// Binds both sockets. With port 0 the system chooses one that is free for both.
    ///
    /// # Errors
    ///
    /// Those of the system, where the UDP socket cannot be bound. Nothing is bound then. A taken
    /// TCP port is no error: see [`is_watchable`](Self::is_watchable).
    ///
    /// # Cancel safety
    ///
    /// Cancelled, nothing is bound.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let mut udp = UdpSocket::bind(address).await?;
        let mut tcp = TcpListener::bind(udp.local_addr()?).await;
        for _ in 0..BINDS_MAX {
            if address.port() != 0 || tcp.is_ok() {
                break;
            }
            udp = UdpSocket::bind(address).await?;
            tcp = TcpListener::bind(udp.local_addr()?).await;
        }
        let (signs_in, signs) = mpsc::channel(SIGNS_MAX);
        Ok(Self {
            udp,
            listener: tcp.ok().map(Listener::start),
            streams: BTreeMap::new(),
            open: Count::default(),
            connected: BTreeMap::new(),
            signs,
            signs_in,
            followed: None,
            changing: None,
        })
    }

    /// The bound address.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr()
    }

    /// Whether others can hold streams to this node: whether its TCP port was free.
    #[must_use]
    pub const fn is_watchable(&self) -> bool {
        self.listener.is_some()
    }

    /// How many of the streams to others are open.
    #[must_use]
    pub fn n_streams(&self) -> usize {
        self.open.get()
    }

    /// Waits for the next arrival.
    ///
    /// # Errors
    ///
    /// Those of the UDP socket.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, nothing has arrived and nothing is lost.
    pub async fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Arrival> {
        tokio::select! {
            received = self.udp.recv_from(buffer) => {
                received.map(|(len, from)| Arrival::Packet { len, from })
            }
            Some(sign) = self.signs.recv() => Ok(match sign {
                Sign::Packet { bytes, from } => {
                    let len = bytes.len().min(buffer.len());
                    buffer[..len].copy_from_slice(&bytes[..len]);
                    Arrival::Packet { len, from }
                }
                Sign::Closed(node) => Arrival::Closed(node),
                Sign::Refused(node) => Arrival::Refused(node),
            }),
        }
    }

    /// A packet that has arrived already, if there is one.
    pub fn try_receive(&self, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        self.udp.try_recv_from(buffer).ok()
    }

    /// Sends a packet. A full buffer or an unreachable address is a lost packet; the machine
    /// copes.
    pub fn send(&self, packet: &[u8], to: SocketAddr) {
        let doubted = self.connected.values().find(|connected| connected.is_to(to));
        match doubted {
            Some(connected) => connected.send(packet),
            None => drop(self.udp.try_send_to(packet, to)),
        }
    }

    /// Holds streams to those that `swim` watches, and connected sockets to those that it doubts.
    /// To be called before its packets are sent, each time that it did something.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn follow(&mut self, now: Instant, swim: &Swim) {
        self.follow_doubted(swim);
        if self.is_settled(now, swim.digest()) {
            self.follow_watched(swim);
            self.followed = Some(swim.digest());
        }
    }

    /// Whether others are to be chosen, of members with the hash `digest`: while many join at
    /// once, those that come next change again and again.
    fn is_settled(&mut self, now: Instant, digest: u64) -> bool {
        if self.followed == Some(digest) {
            self.changing = None;
            return false;
        }
        let changing = self.changing.get_or_insert(Changing { digest, first: now, last: now });
        if changing.digest != digest {
            (changing.digest, changing.last) = (digest, now);
        }
        let is_settled = changing.last + SETTLED <= now || changing.first + CHANGING_MAX <= now;
        if is_settled {
            self.changing = None;
        }
        is_settled
    }

    fn follow_doubted(&mut self, swim: &Swim) {
        let mut doubted = swim.doubted().peekable();
        if doubted.peek().is_none() && self.connected.is_empty() {
            return;
        }
        let mut before = std::mem::take(&mut self.connected);
        for member in doubted {
            let connected = before.remove(&member.id).or_else(|| {
                Connected::new(&self.udp, &member.id, member.address, &self.signs_in).ok()
            });
            if let Some(connected) = connected {
                self.connected.insert(member.id.clone(), connected);
            }
        }
    }

    fn follow_watched(&mut self, swim: &Swim) {
        let mut before = std::mem::take(&mut self.streams);
        for member in swim.watched() {
            let same = before.remove(&member.id).filter(|stream| stream.is_to(member.address));
            let start = || Stream::start(&member.id, member.address, &self.open, &self.signs_in);
            let stream = same.unwrap_or_else(start);
            self.streams.insert(member.id.clone(), stream);
        }
    }
}

/// How often a pair of free ports is looked for.
const BINDS_MAX: usize = 16;

/// The most signs that wait. A task that has one more waits for room.
const SIGNS_MAX: usize = 64;

/// How long the members have to be the same before others are chosen.
const SETTLED: Duration = Duration::from_millis(50);

/// How long they may change before others are chosen all the same.
const CHANGING_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn others_are_chosen_as_soon_as_the_members_have_settled() {
        let mut port = Port::bind("127.0.0.1:0".parse().expect("an address")).await.expect("free");
        let at = |ms| Instant::after_start(Duration::from_millis(ms));
        for (ms, digest, expected) in
            [(0, 1, false), (20, 2, false), (60, 2, false), (70, 2, true), (75, 2, false)]
        {
            let is_settled = port.is_settled(at(ms), digest);
            assert_eq!(is_settled, expected, "after {ms} ms");
            if is_settled {
                port.followed = Some(digest);
            }
        }
        // While they go on changing, once a second.
        let chosen = (100..2_000).step_by(10).filter(|ms| {
            let is_settled = port.is_settled(at(*ms), ms + 10);
            if is_settled {
                port.followed = Some(ms + 10);
            }
            is_settled
        });
        assert_eq!(chosen.collect::<Vec<_>>(), [1_100]);
    }
}
