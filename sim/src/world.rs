//! The world: one clock, one queue, one seed.

mod acts;
mod clock;
mod network;
mod node;
mod run;
mod sessions;
mod silence;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Instant, Rng};

use crate::links::{Links, Way};
use crate::queue::{Queue, Timers};
use crate::struck::Class;
use crate::trace::{Hash64, Trace, mixed};
use crate::{Check, Faults, Host, Struck, Violation};
use node::{Node, Place};
use sessions::{Carried, Conn, ConnId};

/// A deterministic world of nodes.
///
/// Everything happens in the order of (time, sequence), timers after packets of the same moment
/// and in the order of the addresses. The nodes draw from generators of their own, so that what
/// one sends does not shift the luck of another.
pub struct World<H: Host> {
    now: Instant,
    seed: u64,
    faults: Faults,
    hosts: BTreeMap<SocketAddr, H>,
    nodes: BTreeMap<SocketAddr, Node<H>>,
    places: BTreeMap<SocketAddr, Place>,
    links: Links,
    conns: BTreeMap<ConnId, Conn<H::Frame>>,
    conns_made: u64,
    idle_tickets: u64,
    break_ticket: u64,
    queue: Queue<Happening<H>>,
    timers: Timers,
    rng: Rng,
    forks: Rng,
    packets: Packets,
    trace: Trace,
    struck: Struck,
    checks: Vec<Box<dyn Check<H>>>,
    events: VecDeque<(Instant, SocketAddr, H::Event)>,
    steps: u64,
    steps_now: u64,
    steps_at: Instant,
    steps_at_one_instant_max: u64,
    violation: Option<Violation>,
}

/// What the queue holds.
enum Happening<H: Host> {
    Datagram { from: SocketAddr, to: SocketAddr, datagram: H::Datagram },
    Session { conn: ConnId, end: usize, carried: Carried<H::Frame, H::Identity> },
    Dial { conn: ConnId, attempt: u32 },
    Idle { conn: ConnId, end: usize, ticket: u64 },
    Wake(SocketAddr),
    Flap(Way),
    Break { ticket: u64 },
}

/// How packets enter the trace.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Packets {
    Hashed,
    Traced,
}

impl<H: Host> World<H> {
    /// How long a node of slowness 1 takes for one input. A node of normal speed takes no time.
    pub const SERVICE_TIME: Duration = Duration::from_micros(100);
    /// How many inputs may be handled at one instant before the world calls it a livelock, unless
    /// [`limit_steps`](Self::limit_steps) says otherwise.
    pub const STEPS_AT_ONE_INSTANT_MAX: u64 = 1_000_000;
    /// How many times one timer may go off at one instant before the world calls it a livelock.
    pub const TIMEOUTS_AT_ONE_INSTANT_MAX: u64 = 1_000;
    /// How many packets may be in flight before the world calls it a flood.
    pub const IN_FLIGHT_MAX: usize = 1_000_000;
    /// How many datagrams wait for a node that is paused or slow; more are lost, as they are in
    /// the buffer of a socket.
    pub const INBOX_DATAGRAMS_MAX: usize = 4_096;
    /// How many events are remembered.
    pub const EVENTS_MAX: usize = 65_536;

    /// An empty world, at [`Instant::START`].
    #[must_use]
    pub fn new(seed: u64, faults: Faults) -> Self {
        let mut world = Self {
            now: Instant::START,
            seed,
            faults: Faults::calm(),
            hosts: BTreeMap::new(),
            nodes: BTreeMap::new(),
            places: BTreeMap::new(),
            links: Links::default(),
            conns: BTreeMap::new(),
            conns_made: 0,
            idle_tickets: 0,
            break_ticket: 0,
            queue: Queue::new(),
            timers: Timers::default(),
            rng: stream(seed, Purpose::Network, None, 0),
            forks: stream(seed, Purpose::Forks, None, 0),
            packets: Packets::Hashed,
            trace: Trace::new(),
            struck: Struck::default(),
            checks: Vec::new(),
            events: VecDeque::new(),
            steps: 0,
            steps_now: 0,
            steps_at: Instant::START,
            steps_at_one_instant_max: Self::STEPS_AT_ONE_INSTANT_MAX,
            violation: None,
        };
        world.set_faults(faults);
        world
    }

    /// Adds a checker. It sees what happens from now on.
    pub fn check(&mut self, check: impl Check<H> + 'static) {
        self.check_boxed(Box::new(check));
    }

    /// As [`check`](Self::check), for a checker of a list.
    pub fn check_boxed(&mut self, check: Box<dyn Check<H>>) {
        self.checks.push(check);
    }

    /// The world's clock.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// What the world was made from.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The generator for the host that is inserted at `addr` next. It depends on the seed, the
    /// address and the number of the life, and on nothing else.
    #[must_use]
    pub fn rng(&self, addr: SocketAddr) -> Rng {
        stream(self.seed, Purpose::Host, Some(addr), self.lives(addr))
    }

    /// A generator for whoever drives the world.
    pub fn fork_rng(&mut self) -> Rng {
        self.forks.fork()
    }

    /// The nodes that run, paused ones included.
    #[must_use]
    pub const fn hosts(&self) -> &BTreeMap<SocketAddr, H> {
        &self.hosts
    }

    /// The node at `addr`.
    ///
    /// # Panics
    ///
    /// Where no node runs.
    #[must_use]
    pub fn host(&self, addr: SocketAddr) -> &H {
        self.hosts.get(&addr).unwrap_or_else(|| panic!("no node runs at {addr}"))
    }

    /// Whether a node runs at `addr`, paused or not.
    #[must_use]
    pub fn is_running(&self, addr: SocketAddr) -> bool {
        self.hosts.contains_key(&addr)
    }

    /// How many lives the address has had, the present one included.
    #[must_use]
    pub fn lives(&self, addr: SocketAddr) -> u64 {
        self.places.get(&addr).map_or(0, |place| place.lives)
    }

    /// How the network behaves now.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Whether `from` reaches `to`, as far as the network goes.
    #[must_use]
    pub fn reaches(&self, from: SocketAddr, to: SocketAddr) -> bool {
        self.links.blocked(self.now, from, to).is_none()
    }

    /// How often each class of faults struck so far.
    #[must_use]
    pub const fn struck(&self) -> &Struck {
        &self.struck
    }

    /// The checkers with how often each has judged.
    pub fn judged(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.checks.iter().map(|check| (check.name(), check.judged()))
    }

    /// How many inputs the nodes handled so far.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// The last [`EVENTS_MAX`](Self::EVENTS_MAX) events, the oldest first.
    pub fn events(&self) -> impl Iterator<Item = &(Instant, SocketAddr, H::Event)> {
        self.events.iter()
    }

    /// A hash of all that happened. Two runs of one seed have the same at every moment.
    #[must_use]
    pub const fn trace_hash(&self) -> u64 {
        self.trace.hash()
    }

    /// The last `n` lines of the trace, the oldest first, of those that are kept.
    pub fn last(&self, n: usize) -> impl Iterator<Item = &str> {
        self.trace.last(n)
    }

    /// Keeps this many lines of the trace instead of 256.
    pub fn keep_lines(&mut self, lines_max: usize) {
        self.trace.keep(lines_max);
    }

    /// Calls it a livelock when more than `at_one_instant_max` inputs are handled at one instant.
    pub const fn limit_steps(&mut self, at_one_instant_max: u64) {
        self.steps_at_one_instant_max = at_one_instant_max;
    }

    /// Writes every packet into the trace, with its content, and keeps more lines. Otherwise
    /// packets only enter the hash, by time, sender and receiver. Changes the hash, nothing else.
    pub fn trace_packets(&mut self) {
        self.packets = Packets::Traced;
        self.trace.keep(LINES_WITH_PACKETS);
    }

    /// Writes a line of the driver's into the trace.
    pub fn note(&mut self, text: impl std::fmt::Display) {
        self.trace.line(self.now, format_args!("note: {text}"));
    }

    /// The violation that stopped the run, if one did.
    #[must_use]
    pub const fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn strike(&mut self, class: Class) {
        self.struck.add(class);
    }

    /// Stops the run. Only the first violation counts: what follows may be its consequence.
    fn violate(&mut self, mut violation: Violation) {
        if self.violation.is_none() {
            let n_lines = match self.packets {
                Packets::Hashed => LAST_LINES,
                Packets::Traced => LINES_WITH_PACKETS,
            };
            violation.last = self.trace.last(n_lines).map(str::to_owned).collect();
            self.violation = Some(violation);
        }
    }
}

/// The generator for one purpose of one seed: what one consumer draws shifts no other.
fn stream(seed: u64, purpose: Purpose, addr: Option<SocketAddr>, life: u64) -> Rng {
    let mut hash = Hash64::new();
    hash.word(purpose as u64);
    hash.word(addr.map_or(0, addr_word));
    hash.word(life);
    Rng::new(mixed(seed) ^ hash.finish())
}

/// An address as a number, the same on every platform.
fn addr_word(addr: SocketAddr) -> u64 {
    let mut hash = Hash64::new();
    match addr.ip() {
        std::net::IpAddr::V4(ip) => ip.octets().iter().for_each(|byte| hash.byte(*byte)),
        std::net::IpAddr::V6(ip) => ip.octets().iter().for_each(|byte| hash.byte(*byte)),
    }
    hash.word(u64::from(addr.port()));
    hash.finish()
}

/// Who draws.
#[derive(Clone, Copy)]
enum Purpose {
    Network = 1,
    Forks,
    Host,
    Sender,
}

/// How much of the trace a violation carries.
const LAST_LINES: usize = 40;
/// How much of it is kept, and carried, when packets stand in it too.
const LINES_WITH_PACKETS: usize = 20_000;
