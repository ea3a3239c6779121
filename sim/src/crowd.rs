//! Very many nodes and nothing but datagrams: for figures, where a [`World`](crate::World) is for
//! properties.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;
use swarm_base::{Instant, Machine, Output, Rng};

use crate::addr;

/// Up to 65,535 machines at [`addr`]`(1)` and up, a network with a delay and some loss, and
/// nothing else: no sessions, no checkers, no trace. That makes it several times as fast as a
/// world, and the time of a step does not depend on how many nodes there are.
///
/// The same seed and the same calls give the same run.
pub struct Crowd<M: Machine<Peer = SocketAddr>> {
    now: Instant,
    rng: Rng,
    delay: RangeInclusive<Duration>,
    loss_permille: u32,
    nodes: Vec<Node<M>>,
    due: BinaryHeap<Reverse<(Instant, u64, Due)>>,
    n_pushed: u64,
    flying: Vec<Option<(u16, u16, M::Message)>>,
    free: Vec<u32>,
    steps: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// A place in the air.
    Packet(u32),
    Timer(u16),
}

struct Node<M: Machine> {
    machine: Option<M>,
    armed: Option<Instant>,
    blocked: Option<Blocked<M>>,
}

/// What waits while a node is blocked.
struct Blocked<M: Machine> {
    came_in: VecDeque<(u16, M::Message)>,
    to_go: VecDeque<(SocketAddr, M::Message)>,
}

/// What a crowd shows to who looks on.
pub enum Seen<'a, M: Machine> {
    /// A node sends, whether it arrives or not.
    Sent {
        /// The receiver.
        to: SocketAddr,
        /// What it sends.
        message: &'a M::Message,
    },
    /// A node tells the layer above.
    Event(&'a M::Event),
}

impl<M: Machine<Peer = SocketAddr>> Crowd<M> {
    /// Nobody, at [`Instant::START`].
    #[must_use]
    pub fn new(seed: u64, delay: RangeInclusive<Duration>, loss_permille: u32) -> Self {
        Self {
            now: Instant::START,
            rng: Rng::new(seed),
            delay,
            loss_permille,
            nodes: Vec::new(),
            due: BinaryHeap::new(),
            n_pushed: 0,
            flying: Vec::new(),
            free: Vec::new(),
            steps: 0,
        }
    }

    /// The clock.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// How many inputs the nodes have handled.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// A generator for whoever drives the crowd, or for a machine.
    pub fn fork_rng(&mut self) -> Rng {
        self.rng.fork()
    }

    /// Puts `machine` at [`addr`]`(n)`, in the place of who was there.
    pub fn insert(&mut self, n: u16, machine: M) {
        let idx = usize::from(n);
        if self.nodes.len() <= idx {
            let nobody = || Node { machine: None, armed: None, blocked: None };
            self.nodes.resize_with(idx + 1, nobody);
        }
        self.nodes[idx].machine = Some(machine);
        self.nodes[idx].blocked = None;
        self.arm(n);
    }

    /// Ends the node `n` without a word.
    pub fn remove(&mut self, n: u16) {
        if let Some(node) = self.nodes.get_mut(usize::from(n)) {
            (node.machine, node.blocked) = (None, None);
        }
    }

    /// Those who run, with their numbers.
    pub fn nodes(&self) -> impl Iterator<Item = (u16, &M)> {
        (0..).zip(&self.nodes).filter_map(|(n, node)| Some((n, node.machine.as_ref()?)))
    }

    /// The node `n`, where it runs.
    #[must_use]
    pub fn node(&self, n: u16) -> Option<&M> {
        self.nodes.get(usize::from(n))?.machine.as_ref()
    }

    /// Calls into the node `n`, where it runs. What it wants is carried out when something
    /// happens next.
    pub fn with<R>(&mut self, n: u16, call: impl FnOnce(&mut M, Instant) -> R) -> Option<R> {
        let machine = self.nodes.get_mut(usize::from(n))?.machine.as_mut()?;
        let result = call(machine, self.now);
        // At once, so that its outputs are fetched.
        self.push(self.now, Due::Timer(n));
        self.nodes[usize::from(n)].armed = Some(self.now);
        Some(result)
    }

    /// Blocks the node `n` just before each send and just after each receive; its timers go on
    /// (the anomaly of Lifeguard's experiments).
    pub fn block(&mut self, n: u16) {
        if let Some(node) = self.nodes.get_mut(usize::from(n)) {
            node.blocked.get_or_insert_with(|| Blocked {
                came_in: VecDeque::new(),
                to_go: VecDeque::new(),
            });
        }
    }

    /// Lets the node `n` go on: what it wanted to send goes out, then it handles what came in.
    pub fn unblock(&mut self, n: u16, see: &mut impl FnMut(Instant, u16, Seen<'_, M>)) {
        let node = self.nodes.get_mut(usize::from(n));
        let Some(Blocked { came_in, to_go }) = node.and_then(|node| node.blocked.take()) else {
            return;
        };
        for (to, message) in to_go {
            self.send(n, to, message, see);
        }
        for (from, message) in came_in {
            self.deliver(from, n, message, see);
        }
    }

    /// Runs until the clock shows `end`. Whatever is sent and told is shown to `see`.
    pub fn run_until(&mut self, end: Instant, see: &mut impl FnMut(Instant, u16, Seen<'_, M>)) {
        while let Some(Reverse((at, _, due))) = self.due.peek().copied()
            && at <= end
        {
            self.due.pop();
            self.now = at.max(self.now);
            match due {
                Due::Packet(slot) => {
                    if let Some((from, to, message)) = self.flying[slot as usize].take() {
                        self.free.push(slot);
                        self.deliver(from, to, message, see);
                    }
                }
                Due::Timer(n) => self.timer(n, at, see),
            }
        }
        self.now = end.max(self.now);
    }

    fn timer(&mut self, n: u16, at: Instant, see: &mut impl FnMut(Instant, u16, Seen<'_, M>)) {
        let now = self.now;
        let node = &mut self.nodes[usize::from(n)];
        if node.armed != Some(at) {
            return;
        }
        node.armed = None;
        let Some(machine) = &mut node.machine else { return };
        if machine.poll_timeout().is_some_and(|deadline| deadline <= now) {
            self.steps += 1;
            machine.handle_timeout(now);
        }
        self.flush(n, see);
    }

    fn deliver(
        &mut self,
        from: u16,
        to: u16,
        message: M::Message,
        see: &mut impl FnMut(Instant, u16, Seen<'_, M>),
    ) {
        let Some(node) = self.nodes.get_mut(usize::from(to)) else { return };
        let Some(machine) = &mut node.machine else { return };
        if let Some(blocked) = &mut node.blocked {
            // As many as fit the buffer of a socket.
            if blocked.came_in.len() < WAITING_MAX {
                blocked.came_in.push_back((from, message));
            }
            return;
        }
        self.steps += 1;
        machine.handle_message(self.now, addr(from), message);
        self.flush(to, see);
    }

    fn flush(&mut self, n: u16, see: &mut impl FnMut(Instant, u16, Seen<'_, M>)) {
        let now = self.now;
        loop {
            let node = &mut self.nodes[usize::from(n)];
            let Some(output) = node.machine.as_mut().and_then(Machine::poll_output) else { break };
            match (output, &mut node.blocked) {
                (Output::Event(event), _) => see(now, n, Seen::Event(&event)),
                (Output::Send { to, message }, None) => self.send(n, to, message, see),
                (Output::Send { to, message }, Some(blocked)) => {
                    if blocked.to_go.len() < WAITING_MAX {
                        blocked.to_go.push_back((to, message));
                    }
                }
            }
        }
        self.arm(n);
    }

    fn send(
        &mut self,
        from: u16,
        to: SocketAddr,
        message: M::Message,
        see: &mut impl FnMut(Instant, u16, Seen<'_, M>),
    ) {
        see(self.now, from, Seen::Sent { to, message: &message });
        let is_lost = self.rng.chance(self.loss_permille);
        let delay = self.rng.duration(self.delay.clone());
        let Some(to) = number(to).filter(|_| !is_lost) else { return };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.flying.push(None);
            (self.flying.len() - 1) as u32
        });
        self.flying[slot as usize] = Some((from, to, message));
        self.push(self.now + delay, Due::Packet(slot));
    }

    /// Sets the timer, unless one goes off before it is needed.
    fn arm(&mut self, n: u16) {
        let node = &mut self.nodes[usize::from(n)];
        let Some(deadline) = node.machine.as_ref().and_then(Machine::poll_timeout) else { return };
        if node.armed.is_none_or(|armed| deadline < armed) {
            let at = deadline.max(self.now);
            node.armed = Some(at);
            self.push(at, Due::Timer(n));
        }
    }

    fn push(&mut self, at: Instant, due: Due) {
        self.n_pushed += 1;
        self.due.push(Reverse((at, self.n_pushed, due)));
    }
}

/// The number of an address that [`addr`] made.
fn number(at: SocketAddr) -> Option<u16> {
    let SocketAddr::V4(v4) = at else { return None };
    let [_, _, high, low] = v4.ip().octets();
    let n = u16::from_be_bytes([high, low]);
    (addr(n) == at).then_some(n)
}

/// The most packets that wait in each direction of a blocked node.
const WAITING_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends a number back, one less; knocks at its neighbour every second.
    struct Echo {
        to: SocketAddr,
        next: Instant,
        out: VecDeque<Output<SocketAddr, u8, u8>>,
    }

    impl Machine for Echo {
        type Peer = SocketAddr;
        type Message = u8;
        type Event = u8;

        fn handle_message(&mut self, _: Instant, from: SocketAddr, hops: u8) {
            self.out.push_back(Output::Event(hops));
            if hops > 0 {
                self.out.push_back(Output::Send { to: from, message: hops - 1 });
            }
        }

        fn handle_timeout(&mut self, now: Instant) {
            if self.next <= now {
                self.next = now + Duration::from_secs(1);
                self.out.push_back(Output::Send { to: self.to, message: 3 });
            }
        }

        fn poll_timeout(&self) -> Option<Instant> {
            Some(self.next)
        }

        fn poll_output(&mut self) -> Option<Output<SocketAddr, u8, u8>> {
            self.out.pop_front()
        }
    }

    fn crowd(loss_permille: u32) -> Crowd<Echo> {
        let ms = Duration::from_millis;
        let mut crowd = Crowd::new(7, ms(1)..=ms(2), loss_permille);
        for n in 1..=2 {
            let next = Instant::START + ms(u64::from(n));
            crowd.insert(n, Echo { to: addr(3 - n), next, out: VecDeque::new() });
        }
        crowd
    }

    fn events(crowd: &mut Crowd<Echo>, until_ms: u64) -> Vec<(Instant, u16, u8)> {
        let mut events = Vec::new();
        let end = Instant::after_start(Duration::from_millis(until_ms));
        crowd.run_until(end, &mut |now, n, seen| {
            if let Seen::Event(hops) = seen {
                events.push((now, n, *hops));
            }
        });
        events
    }

    #[test]
    fn the_same_seed_gives_the_same_run_and_nothing_is_lost() {
        let run = || events(&mut crowd(0), 10_500);
        assert_eq!(run(), run());
        // Two nodes, eleven knocks each, four hops.
        assert_eq!(run().len(), 2 * 11 * 4);
        assert!(events(&mut crowd(500), 10_500).len() < 60);
    }

    #[test]
    fn a_blocked_node_neither_hears_nor_speaks_until_it_goes_on() {
        let mut crowd = crowd(0);
        crowd.block(2);
        assert_eq!(events(&mut crowd, 5_500), []);
        let mut heard = Vec::new();
        crowd.unblock(2, &mut |_, n, seen| {
            if let Seen::Event(hops) = seen {
                heard.push((n, *hops));
            }
        });
        assert_eq!(heard, [(2, 3); 6], "what came in, at once");
        let after = events(&mut crowd, 5_600);
        assert_eq!(after.iter().filter(|(_, n, hops)| (*n, *hops) == (1, 3)).count(), 6);
    }

    #[test]
    fn who_is_gone_hears_nothing() {
        let mut crowd = crowd(0);
        crowd.remove(2);
        assert_eq!(events(&mut crowd, 3_000), []);
        assert_eq!(crowd.nodes().map(|(n, _)| n).collect::<Vec<_>>(), [1]);
    }
}
