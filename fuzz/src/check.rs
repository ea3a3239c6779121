//! What must hold of a node whatever it was fed.

use crate::group::me;
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Instant, Machine, Output};
use swarm_swim::{Counters, Event, Protocol, State, Swim};

/// A node, the time, and what it has done. Each method panics where something does not hold.
pub struct Watch<M> {
    node: M,
    now: Instant,
    /// Bytes that it was fed.
    n_bytes: usize,
    waited: Duration,
    is_silent: bool,
    incarnation: u64,
}

/// What both machines show.
pub trait Shown: Machine<Peer = SocketAddr, Event = Event> {
    /// What it knows.
    fn protocol(&self) -> &Protocol;
    /// Looks at what it wants to send.
    fn look(message: &Self::Message);
}

impl Shown for Swim {
    fn protocol(&self) -> &Protocol {
        self
    }

    fn look(packet: &Vec<u8>) {
        assert!(packet.len() <= PACKET_LEN_MAX, "a packet has {} bytes", packet.len());
    }
}

impl Shown for Protocol {
    fn protocol(&self) -> &Protocol {
        self
    }

    fn look(packet: &swarm_swim::Packet) {
        let body = packet.encode();
        assert_eq!(body.len(), packet.body_len(), "{packet:?}");
        assert!(body.len() <= PACKET_LEN_MAX, "a body has {} bytes", body.len());
        let decoded = swarm_swim::Packet::decode(me(), me().boot, &body);
        let again = decoded.map(|decoded| decoded.encode());
        assert_eq!(again, Some(body), "what is sent is understood: {packet:?}");
    }
}

impl<M: Shown> Watch<M> {
    /// Watches a node from now on.
    pub fn new((node, now): (M, Instant)) -> Self {
        let mut watch = Self {
            node,
            now,
            n_bytes: 0,
            waited: Duration::ZERO,
            is_silent: false,
            incarnation: 0,
        };
        watch.look();
        assert_eq!(watch.node.protocol().n_live(), 3, "a group has formed before it is disturbed");
        watch
    }

    /// What it counted.
    pub fn counts(&self) -> Counters {
        self.node.protocol().counters()
    }

    /// Whether it has fallen silent, as a node does whose name is another's.
    pub const fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// Feeds it a message of `len` bytes.
    pub fn feed(&mut self, from: SocketAddr, len: usize, message: M::Message) {
        self.n_bytes += len;
        self.node.handle_message(self.now, from, message);
        let n_sent = self.drain();
        assert!(n_sent <= REPLIES_MAX, "one packet makes it send {n_sent}");
        self.look();
    }

    /// Lets time pass, up to a bound for all of an input, and does what is due.
    pub fn wait(&mut self, time: Duration) {
        let until = self.now + time.min(WAIT_MAX.saturating_sub(self.waited));
        self.waited += until.since(self.now);
        let mut n_calls = 0;
        while let Some(due) = self.node.poll_timeout().filter(|due| *due <= until) {
            n_calls = if due > self.now { 0 } else { n_calls + 1 };
            assert!(n_calls <= CALLS_MAX, "its timer does not come to rest");
            self.now = self.now.max(due);
            self.node.handle_timeout(self.now);
            let n_sent = self.drain();
            assert!(n_sent <= TURN_MAX, "one turn makes it send {n_sent}");
        }
        self.now = until;
        self.look();
    }

    /// Lets time pass in which it stands still.
    pub fn pause(&mut self, time: Duration) {
        let until = self.now + time.min(WAIT_MAX.saturating_sub(self.waited));
        self.waited += until.since(self.now);
        self.now = until;
    }

    fn drain(&mut self) -> usize {
        let mut n_sent = 0;
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Send { message, .. } => {
                    assert!(!self.is_silent, "it has fallen silent, and sends");
                    M::look(&message);
                    n_sent += 1;
                }
                Output::Event(Event::NameTaken { .. } | Event::BootBehind { .. }) => {
                    self.is_silent |= self.node.poll_timeout().is_none();
                }
                Output::Event(Event::Failed { node, .. } | Event::Left { node }) => {
                    assert_ne!(node, me(), "it believes that it is dead itself");
                }
                Output::Event(_) => {}
            }
        }
        n_sent
    }

    fn look(&mut self) {
        let (mut n_members, mut n_live, mut own) = (0, 0, None);
        for member in self.node.protocol().members() {
            n_members += 1;
            n_live += usize::from(member.is_live());
            if member.id == me() {
                own = Some(member);
            }
        }
        assert_eq!(n_live, self.node.protocol().n_live(), "the count of the live is wrong");
        let n_max = MEMBERS + self.n_bytes / UPDATE_LEN_MIN;
        assert!(n_members <= n_max, "{n_members} members from {} bytes", self.n_bytes);
        let own = own.expect("a node is in its own table");
        assert_eq!(own.state, State::Alive, "a node is alive to itself");
        assert!(own.incarnation >= self.incarnation, "its incarnation falls");
        self.incarnation = own.incarnation;
    }
}

/// Those that it knows before it is fed, and who may send to it.
const MEMBERS: usize = 3 + crate::Role::ALL.len();

/// A statement about one node is never shorter.
const UPDATE_LEN_MIN: usize = 32;

/// The most that an answer takes: a part of the table, and what it has to say besides.
const REPLIES_MAX: usize = 64;

/// The most that a turn of the timer sends.
const TURN_MAX: usize = 1_024;

/// How often the timer may be due at once.
const CALLS_MAX: u32 = 64;

/// How long one input waits: long enough for a death and what comes of it.
const WAIT_MAX: Duration = Duration::from_secs(120);

/// Of every node, unless it is told otherwise.
const PACKET_LEN_MAX: usize = 1_200;
