//! A host that does what a test tells it, and tells what it was given.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Instant, Session};
use swarm_sim::{Effect, Faults, Host, SessionInput, World, addr};

/// What a probe was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    Datagram(SocketAddr, u64),
    Opened(Session, u64, SocketAddr),
    Failed(Session),
    Frame(Session, u64),
    Closed(Session),
    Timeout(Instant),
}

/// Its identity is the number of its life.
#[derive(Default)]
pub(crate) struct Probe {
    life: u64,
    pub(crate) timer: Option<Instant>,
    /// A timer that is never taken back.
    pub(crate) is_stuck: bool,
    /// Answers every datagram with the next number.
    pub(crate) is_echo: bool,
    effects: VecDeque<Effect<u64, u64, Given>>,
}

impl Probe {
    pub(crate) fn life(life: u64) -> Self {
        Self { life, ..Self::default() }
    }

    pub(crate) fn send(&mut self, to: SocketAddr, datagram: u64) {
        self.effects.push_back(Effect::Datagram { to, datagram });
    }

    pub(crate) fn dial(&mut self, count: u64, to: SocketAddr) {
        self.effects.push_back(Effect::Dial { session: Session::dialled(count), to });
    }

    pub(crate) fn frame(&mut self, session: Session, frame: u64) {
        self.effects.push_back(Effect::Frame { session, frame });
    }

    pub(crate) fn close(&mut self, session: Session) {
        self.effects.push_back(Effect::Close { session });
    }

    fn tell(&mut self, given: Given) {
        self.effects.push_back(Effect::Event(given));
    }
}

impl Host for Probe {
    type Datagram = u64;
    type Frame = u64;
    type Identity = u64;
    type Event = Given;

    fn identity(&self) -> u64 {
        self.life
    }

    fn handle_datagram(&mut self, _: Instant, from: SocketAddr, datagram: u64) {
        self.tell(Given::Datagram(from, datagram));
        if self.is_echo {
            self.send(from, datagram + 1);
        }
    }

    fn handle_session(&mut self, _: Instant, session: Session, input: SessionInput<u64, u64>) {
        self.tell(match input {
            SessionInput::Opened { identity, peer } => Given::Opened(session, identity, peer),
            SessionInput::Failed => Given::Failed(session),
            SessionInput::Frame(frame) => Given::Frame(session, frame),
            SessionInput::Closed => Given::Closed(session),
        });
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.timer.is_some_and(|deadline| deadline <= now) {
            if !self.is_stuck {
                self.timer = None;
            }
            self.tell(Given::Timeout(now));
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timer
    }

    fn poll_effect(&mut self) -> Option<Effect<u64, u64, Given>> {
        self.effects.pop_front()
    }

    fn damaged(&self, datagram: &u64, _: &mut swarm_base::Rng) -> Option<u64> {
        Some(datagram | DAMAGED)
    }
}

/// The mark of a damaged datagram.
pub(crate) const DAMAGED: u64 = 1 << 63;

/// The first two nodes of a world of probes.
pub(crate) const A: SocketAddr = addr(1);
pub(crate) const B: SocketAddr = addr(2);
pub(crate) const C: SocketAddr = addr(3);

/// A world of three probes, in their first lives.
pub(crate) fn probes(seed: u64, faults: Faults) -> World<Probe> {
    let mut world = World::new(seed, faults);
    for addr in [A, B, C] {
        world.insert(addr, Probe::life(1));
    }
    world
}

/// What the node at `addr` was given since `since`.
pub(crate) fn given(world: &World<Probe>, addr: SocketAddr, since: Instant) -> Vec<Given> {
    let of_node = world.events().filter(|(at, node, _)| *node == addr && since <= *at);
    of_node.map(|(_, _, given)| given.clone()).collect()
}

/// The numbers of the datagrams and frames that the node at `addr` was given.
pub(crate) fn numbers(world: &World<Probe>, addr: SocketAddr) -> Vec<u64> {
    let of_node = world.events().filter(|(_, node, _)| *node == addr);
    of_node
        .filter_map(|(_, _, given)| match given {
            Given::Datagram(_, number) | Given::Frame(_, number) => Some(*number),
            _ => None,
        })
        .collect()
}

/// Opens a session from `A` to `B`, and tells how both call it.
pub(crate) fn opened(world: &mut World<Probe>) -> (Session, Session) {
    let start = world.now();
    let count = world.host(A).identity() * 1_000;
    world.with(A, |probe, _| probe.dial(count, B));
    let is_open =
        |world: &World<Probe>| [A, B].into_iter().all(|addr| session(world, addr, start).is_some());
    let took = world.run_to(Duration::from_secs(5), is_open).expect("nothing is checked");
    assert!(took.is_some(), "seed {}: no session opens", world.seed());
    let both = session(world, A, start).zip(session(world, B, start));
    both.expect("both ends are open")
}

fn session(world: &World<Probe>, addr: SocketAddr, since: Instant) -> Option<Session> {
    given(world, addr, since).into_iter().find_map(|given| match given {
        Given::Opened(session, ..) => Some(session),
        _ => None,
    })
}
