//! The world: one clock, one queue, one seed.

mod network;
mod node;
mod run;
mod sessions;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Instant, Rng};

use crate::links::{Links, Way};
use crate::queue::{Queue, Timers};
use crate::struck::Class;
use crate::trace::{Hash64, Trace, mixed};
use crate::{Action, Check, Cut, Faults, Host, Struck, Violation};
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
    event_count: u64,
    steps: u64,
    steps_now: u64,
    steps_at: Instant,
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
    /// How many inputs may be handled at one instant before the world calls it a livelock.
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
            event_count: 0,
            steps: 0,
            steps_now: 0,
            steps_at: Instant::START,
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

    /// Writes every packet into the trace, with its content. Otherwise packets only enter the
    /// hash, by time, sender and receiver.
    pub const fn trace_packets(&mut self) {
        self.packets = Packets::Traced;
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

    /// Does `action`. What does not apply, such as the crash of a dead node, does nothing, and so
    /// does [`Action::Start`]: for that the world needs a host, see [`insert`](Self::insert).
    pub fn act(&mut self, action: Action) {
        self.announce(&action);
        match action {
            Action::Start(_) => (),
            Action::Crash(addr) => self.end(addr, node::Ending::Crash),
            Action::Stop(addr) => self.end(addr, node::Ending::Stop),
            Action::Pause(addr, span) => self.pause_node(addr, span),
            Action::Slow(addr, factor) => self.slow_node(addr, factor),
            Action::Skew(addr, permille) => self.skew_node(addr, permille),
            Action::Cut(from, to) => self.links.cut(from, to, Cut::OneWay),
            Action::Sever(a, b) => {
                self.links.cut(a, b, Cut::NonTransitive);
                self.links.cut(b, a, Cut::NonTransitive);
            }
            Action::Partition(groups) => self.divide(&groups),
            Action::Mend(kind) => self.links.mend(kind),
            Action::Join(a, b) => self.links.join(a, b),
            Action::Flap { a, b, period, until } => self.start_flap(a, b, period, until),
            Action::Lossy(from, to, permille) => self.links.set_loss(from, to, permille),
            Action::Break(a, b) => self.break_between(a, b),
            Action::Network(faults) => self.apply_faults(*faults),
            Action::Heal => {
                self.links.heal();
                self.cure_nodes();
                let Faults { idle_timeout, dial_timeout, .. } = self.faults;
                self.apply_faults(Faults { idle_timeout, dial_timeout, ..Faults::calm() });
            }
        }
        self.reach_changed();
    }

    /// Kills the node at `addr` without a word: the peers of its sessions hear nothing until
    /// their idle timeout. What it sent before is still on its way.
    pub fn crash(&mut self, addr: SocketAddr) {
        self.act(Action::Crash(addr));
    }

    /// Ends the node at `addr`; its sessions close as they do on [`Effect::Close`].
    ///
    /// [`Effect::Close`]: crate::Effect::Close
    pub fn stop(&mut self, addr: SocketAddr) {
        self.act(Action::Stop(addr));
    }

    /// Stops the node at `addr` from handling anything for `span`, then lets it handle everything
    /// at once.
    pub fn pause(&mut self, addr: SocketAddr, span: Duration) {
        self.act(Action::Pause(addr, span));
    }

    /// Makes the node at `addr` take `factor` times [`SERVICE_TIME`](Self::SERVICE_TIME) for each
    /// input and each timeout; zero makes it normal.
    pub fn slow(&mut self, addr: SocketAddr, factor: u32) {
        self.act(Action::Slow(addr, factor));
    }

    /// Makes the clock of the node at `addr` run at `permille` thousandths of the true rate.
    ///
    /// # Panics
    ///
    /// If `permille` is zero.
    pub fn skew(&mut self, addr: SocketAddr, permille: u32) {
        self.act(Action::Skew(addr, permille));
    }

    /// Cuts the way from `from` to `to`; the other direction stays as it is. Frames of sessions
    /// are held until it is mended, or until the receiving end closes of silence.
    pub fn cut(&mut self, from: SocketAddr, to: SocketAddr) {
        self.act(Action::Cut(from, to));
    }

    /// Cuts `a` and `b` off from each other, but from nobody else.
    pub fn sever(&mut self, a: SocketAddr, b: SocketAddr) {
        self.act(Action::Sever(a, b));
    }

    /// Cuts the groups off from each other. A node of no group reaches everybody: a bridge. Cuts
    /// of an earlier partition are gone.
    pub fn partition(&mut self, groups: &[&[SocketAddr]]) {
        self.act(Action::Partition(groups.iter().map(|group| group.to_vec()).collect()));
    }

    /// Cuts `addr` off from every other address that ever ran a node.
    pub fn isolate(&mut self, addr: SocketAddr) {
        let others = self.places.keys().copied().filter(|other| *other != addr).collect();
        self.act(Action::Partition(vec![vec![addr], others]));
    }

    /// Cuts `a` and `b` off from each other for one `period`, joins them for the next, and so on
    /// until `until`.
    pub fn flap(&mut self, a: SocketAddr, b: SocketAddr, period: Duration, until: Instant) {
        self.act(Action::Flap { a, b, period, until });
    }

    /// Loses `permille` in a thousand of the datagrams from `from` to `to`, besides what
    /// [`Faults::loss_permille`] takes.
    pub fn lossy(&mut self, from: SocketAddr, to: SocketAddr, permille: u32) {
        self.act(Action::Lossy(from, to, permille));
    }

    /// Takes away whatever is wrong between `a` and `b`.
    pub fn join(&mut self, a: SocketAddr, b: SocketAddr) {
        self.act(Action::Join(a, b));
    }

    /// Breaks all sessions between `a` and `b`. What is in flight is lost, and each end hears
    /// `Closed` at a time of its own, within the idle timeout; until then it may send in vain.
    pub fn break_session(&mut self, a: SocketAddr, b: SocketAddr) {
        self.act(Action::Break(a, b));
    }

    /// Changes how the network behaves from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.act(Action::Network(Box::new(faults)));
    }

    /// Takes away all cuts, flaps, lossy pairs, pauses, slowness and skew, and calms the network,
    /// whose timeouts stay as they are. Dead nodes stay dead, broken sessions broken.
    pub fn heal(&mut self) {
        self.act(Action::Heal);
    }

    fn announce(&mut self, action: &Action) {
        self.trace.line(self.now, format_args!("fault: {action:?}"));
        for check in &mut self.checks {
            check.act(self.now, action);
        }
    }

    fn strike(&mut self, class: Class) {
        self.struck.add(class);
    }

    /// Stops the run. Only the first violation counts: what follows may be its consequence.
    fn violate(&mut self, mut violation: Violation) {
        if self.violation.is_none() {
            violation.last = self.trace.last(LAST_LINES).map(str::to_owned).collect();
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
