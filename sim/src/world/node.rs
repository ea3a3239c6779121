//! The life of a node: start, end, pauses, slowness and its clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Instant, Rng, Session};

use super::clock::Clock;
use super::sessions::ConnId;
use super::{Happening, Purpose, World, stream};
use crate::struck::Class;
use crate::{Action, Host, SessionInput, Violation};

/// What the world knows about a node that runs, besides its host.
pub(super) struct Node<H: Host> {
    pub(super) life: u64,
    pub(super) rng: Rng,
    /// The sessions that the host holds, with the end that it is.
    pub(super) sessions: BTreeMap<Session, (ConnId, usize)>,
    /// What it has dialled in this life.
    pub(super) dialled: BTreeSet<Session>,
    /// How many timeouts it handled at the latest moment.
    pub(super) timeouts: (Instant, u64),
    clock: Clock,
    paused_until: Option<Instant>,
    slow: u32,
    busy_until: Instant,
    inbox: VecDeque<Input<H>>,
    inbox_datagrams: usize,
}

/// What outlives the node at an address.
#[derive(Default)]
pub(super) struct Place {
    pub(super) lives: u64,
    /// Sessions accepted in all lives: a number is never used again.
    pub(super) accepted: u64,
}

/// One thing for a host to handle.
pub(super) enum Input<H: Host> {
    Datagram { from: SocketAddr, datagram: H::Datagram },
    Session { session: Session, input: SessionInput<H::Frame, H::Identity> },
    Timeout,
}

/// How a node ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Crash,
    Stop,
}

impl<H: Host> Node<H> {
    pub(super) const fn is_paused(&self) -> bool {
        self.paused_until.is_some()
    }

    /// Whether it may handle something now.
    fn is_free(&self, now: Instant) -> bool {
        !self.is_paused() && self.busy_until <= now
    }
}

impl<H: Host> World<H> {
    /// Starts `host` at `addr`. A node that runs there crashes first.
    ///
    /// Make it with [`rng`](Self::rng) and [`now`](Self::now). Frames of sessions of a former life
    /// never reach it; datagrams that are still in flight may.
    pub fn insert(&mut self, addr: SocketAddr, host: H) {
        if self.is_running(addr) {
            self.crash(addr);
        }
        self.announce(&Action::Start(addr));
        let place = self.places.entry(addr).or_default();
        place.lives += 1;
        let life = place.lives;
        if life > 1 {
            self.strike(Class::Restart);
        }
        let node = Node {
            life,
            rng: stream(self.seed, Purpose::Sender, Some(addr), life),
            sessions: BTreeMap::new(),
            dialled: BTreeSet::new(),
            timeouts: (self.now, 0),
            clock: Clock::TRUE,
            paused_until: None,
            slow: 0,
            busy_until: self.now,
            inbox: VecDeque::new(),
            inbox_datagrams: 0,
        };
        self.nodes.insert(addr, node);
        self.hosts.insert(addr, host);
        self.reach_changed();
        self.flush(addr);
    }

    /// Calls into the node at `addr`, with the time on its clock, then carries out what it wants.
    /// Acts on a paused node too.
    ///
    /// # Panics
    ///
    /// Where no node runs.
    pub fn with<R>(&mut self, addr: SocketAddr, call: impl FnOnce(&mut H, Instant) -> R) -> R {
        let now = self.local_now(addr);
        let host = self.hosts.get_mut(&addr).unwrap_or_else(|| panic!("no node runs at {addr}"));
        let result = call(host, now);
        self.flush(addr);
        result
    }

    /// As [`with`](Self::with), but calls nobody where the node does not run or is paused.
    pub fn try_with<R>(
        &mut self,
        addr: SocketAddr,
        call: impl FnOnce(&mut H, Instant) -> R,
    ) -> Option<R> {
        let is_awake = self.nodes.get(&addr).is_some_and(|node| !node.is_paused());
        is_awake.then(|| self.with(addr, call))
    }

    /// The time on the clock of the node at `addr`; the world's where none runs.
    #[must_use]
    pub fn local_now(&self, addr: SocketAddr) -> Instant {
        self.nodes.get(&addr).map_or(self.now, |node| node.clock.local(self.now))
    }

    /// Whether a node at `addr` is paused.
    #[must_use]
    pub fn is_paused(&self, addr: SocketAddr) -> bool {
        self.nodes.get(&addr).is_some_and(Node::is_paused)
    }

    pub(super) fn end(&mut self, addr: SocketAddr, ending: Ending) {
        if !self.is_running(addr) {
            return;
        }
        self.strike(if ending == Ending::Stop { Class::Stop } else { Class::Crash });
        self.end_sessions(addr, ending);
        self.nodes.remove(&addr);
        self.hosts.remove(&addr);
        self.timers.set(addr, None);
    }

    pub(super) fn pause_node(&mut self, addr: SocketAddr, span: Duration) {
        let until = self.now + span;
        let Some(node) = self.nodes.get_mut(&addr) else { return };
        let until = node.paused_until.map_or(until, |before| before.max(until));
        node.paused_until = Some(until);
        self.timers.set(addr, None);
        self.queue.push(until, Happening::Wake(addr));
    }

    pub(super) fn slow_node(&mut self, addr: SocketAddr, factor: u32) {
        if let Some(node) = self.nodes.get_mut(&addr) {
            node.slow = factor;
        }
    }

    pub(super) fn skew_node(&mut self, addr: SocketAddr, permille: u32) {
        assert!(permille > 0, "a clock that stands still never comes to a deadline");
        let now = self.now;
        let Some(node) = self.nodes.get_mut(&addr) else { return };
        node.clock = node.clock.at_rate(now, permille);
        if permille != 1_000 {
            self.strike(Class::Skew);
        }
        self.set_timer(addr);
    }

    /// Ends every pause, slowness and skew.
    pub(super) fn cure_nodes(&mut self) {
        let now = self.now;
        for (addr, node) in &mut self.nodes {
            node.slow = 0;
            node.clock = node.clock.at_rate(now, 1_000);
            if node.paused_until.is_some_and(|until| now < until) {
                node.paused_until = Some(now);
            }
            self.queue.push(now.max(node.busy_until), Happening::Wake(*addr));
        }
        for addr in self.nodes.keys().copied().collect::<Vec<_>>() {
            self.set_timer(addr);
        }
    }

    /// Brings `input` to a node, at once or when it has time.
    pub(super) fn receive(&mut self, addr: SocketAddr, input: Input<H>) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(&addr) else { return };
        if node.is_free(now) && node.inbox.is_empty() {
            return self.handle(addr, input);
        }
        if matches!(input, Input::Datagram { .. }) {
            if node.inbox_datagrams == Self::INBOX_DATAGRAMS_MAX {
                return self.strike(Class::Loss);
            }
            node.inbox_datagrams += 1;
        }
        node.inbox.push_back(input);
        if node.inbox.len() > Self::IN_FLIGHT_MAX {
            let sentence = format!("{} inputs wait for {addr}", node.inbox.len());
            return self.violate(Violation::new("world: no flood", now, sentence));
        }
        let class = if node.is_paused() { Class::Pause } else { Class::Slow };
        self.strike(class);
    }

    /// A node may have time again: it handles what waits, all at once unless it is slow.
    pub(super) fn wake(&mut self, addr: SocketAddr) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(&addr) else { return };
        if node.paused_until.is_some_and(|until| until <= now) {
            node.paused_until = None;
            self.reach_changed();
        }
        while let Some(input) = self.next_input(addr) {
            self.handle(addr, input);
            if self.violation.is_some() {
                return;
            }
        }
        self.set_timer(addr);
    }

    /// What a node that has time handles next: its inbox or its timer, by lot, for a driver that
    /// finds both ready may take either.
    fn next_input(&mut self, addr: SocketAddr) -> Option<Input<H>> {
        let now = self.now;
        let node = self.nodes.get_mut(&addr)?;
        if !node.is_free(now) {
            return None;
        }
        let deadline = self.hosts.get(&addr)?.poll_timeout();
        let is_due = deadline.is_some_and(|deadline| deadline <= node.clock.local(now));
        if is_due && (node.inbox.is_empty() || node.rng.chance(500)) {
            return Some(Input::Timeout);
        }
        let input = node.inbox.pop_front()?;
        node.inbox_datagrams -= usize::from(matches!(input, Input::Datagram { .. }));
        Some(input)
    }

    /// Lets the host handle one input, and carries out what it wants.
    pub(super) fn handle(&mut self, addr: SocketAddr, input: Input<H>) {
        self.count_step(addr, &input);
        let Some(node) = self.nodes.get_mut(&addr) else { return };
        let Some(host) = self.hosts.get_mut(&addr) else { return };
        let now = node.clock.local(self.now);
        match input {
            Input::Datagram { from, datagram } => host.handle_datagram(now, from, datagram),
            Input::Timeout => host.handle_timeout(now),
            Input::Session { session, input } => {
                // The host may have closed it while this was on its way.
                if !node.sessions.contains_key(&session) {
                    return;
                }
                if matches!(input, SessionInput::Closed | SessionInput::Failed) {
                    node.sessions.remove(&session);
                }
                host.handle_session(now, session, input);
            }
        }
        if node.slow > 0 {
            node.busy_until = self.now + Self::SERVICE_TIME.saturating_mul(node.slow);
            self.queue.push(node.busy_until, Happening::Wake(addr));
        }
        self.flush(addr);
    }

    /// Arms the timer of a node that has time; a node without time looks at it when it wakes.
    pub(super) fn set_timer(&mut self, addr: SocketAddr) {
        let Some((node, host)) = self.nodes.get(&addr).zip(self.hosts.get(&addr)) else { return };
        let deadline = match node.is_free(self.now) && node.inbox.is_empty() {
            true => host.poll_timeout().map(|deadline| node.clock.world(deadline)),
            false => None,
        };
        self.timers.set(addr, deadline);
    }
}
