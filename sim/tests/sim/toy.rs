//! A small protocol with a part on each lane: heartbeats, and numbered frames on sessions.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Instant, Rng, Session};
use swarm_sim::{Effect, Host, SessionInput};

/// A node that beats towards all, and holds a session with each.
pub(crate) struct Toy {
    me: SocketAddr,
    life: u64,
    rng: Rng,
    next_beat: Instant,
    dialled: u64,
    /// Since when each peer is silent, where it was heard at all.
    peers: BTreeMap<SocketAddr, Option<Instant>>,
    sessions: BTreeMap<Session, Link>,
    dials: BTreeMap<SocketAddr, Session>,
    effects: VecDeque<Effect<u64, Frame, Event>>,
}

/// An open session.
struct Link {
    peer: SocketAddr,
    peer_life: u64,
    sent: u64,
}

/// A numbered frame, with the life of its sender.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) life: u64,
    pub(crate) number: u64,
}

/// What a toy tells.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Up {
        peer: SocketAddr,
    },
    Down {
        peer: SocketAddr,
    },
    Opened(Session),
    /// A frame, with the life that its session opened with.
    Heard {
        session: Session,
        peer_life: u64,
        frame: Frame,
    },
    Closed(Session),
}

impl Toy {
    pub(crate) fn new(
        now: Instant,
        me: SocketAddr,
        addrs: &[SocketAddr],
        life: u64,
        mut rng: Rng,
    ) -> Self {
        let next_beat = now + rng.duration(Duration::ZERO..=BEAT);
        let peers = addrs.iter().filter(|addr| **addr != me).map(|addr| (*addr, None)).collect();
        Self {
            me,
            life,
            rng,
            next_beat,
            dialled: 0,
            peers,
            sessions: BTreeMap::new(),
            dials: BTreeMap::new(),
            effects: VecDeque::new(),
        }
    }

    /// Whether it hears all of `addrs`, and has a session with each.
    pub(crate) fn knows(&self, addrs: &[SocketAddr]) -> bool {
        addrs.iter().filter(|addr| **addr != self.me).all(|addr| {
            self.peers[addr].is_some() && self.sessions.values().any(|link| link.peer == *addr)
        })
    }

    /// Whether it takes `addr` to be alive.
    pub(crate) fn hears(&self, addr: SocketAddr) -> bool {
        self.peers[&addr].is_some()
    }

    /// Gives up all sessions.
    pub(crate) fn close_all(&mut self) {
        for session in std::mem::take(&mut self.sessions).into_keys() {
            self.effects.push_back(Effect::Close { session });
        }
        self.dials.clear();
    }

    fn beat(&mut self) {
        for peer in self.peers.keys() {
            self.effects.push_back(Effect::Datagram { to: *peer, datagram: self.life });
            let is_mine = self.me < *peer && !self.dials.contains_key(peer);
            if is_mine {
                let session = Session::dialled(self.dialled);
                self.dialled += 1;
                self.dials.insert(*peer, session);
                self.effects.push_back(Effect::Dial { session, to: *peer });
            }
        }
        for (session, link) in &mut self.sessions {
            let frame = Frame { life: self.life, number: link.sent };
            link.sent += 1;
            self.effects.push_back(Effect::Frame { session: *session, frame });
        }
    }

    fn tell(&mut self, event: Event) {
        self.effects.push_back(Effect::Event(event));
    }
}

impl Host for Toy {
    type Datagram = u64;
    type Frame = Frame;
    type Identity = u64;
    type Event = Event;

    fn identity(&self) -> u64 {
        self.life
    }

    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, _: u64) {
        let Some(deadline) = self.peers.get_mut(&from) else { return };
        if deadline.replace(now + BEAT * 5).is_none() {
            self.tell(Event::Up { peer: from });
        }
    }

    fn handle_session(&mut self, _: Instant, session: Session, input: SessionInput<Frame, u64>) {
        match input {
            SessionInput::Opened { identity, peer } => {
                self.sessions.insert(session, Link { peer, peer_life: identity, sent: 0 });
                self.tell(Event::Opened(session));
            }
            SessionInput::Frame(frame) => {
                let peer_life = self.sessions[&session].peer_life;
                self.tell(Event::Heard { session, peer_life, frame });
            }
            SessionInput::Failed | SessionInput::Closed => {
                self.dials.retain(|_, dialled| *dialled != session);
                if self.sessions.remove(&session).is_some() {
                    self.tell(Event::Closed(session));
                }
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        let silent: Vec<_> = self
            .peers
            .iter_mut()
            .filter(|(_, deadline)| deadline.is_some_and(|deadline| deadline <= now))
            .map(|(peer, deadline)| {
                *deadline = None;
                *peer
            })
            .collect();
        silent.into_iter().for_each(|peer| self.tell(Event::Down { peer }));
        if self.next_beat <= now {
            self.next_beat = now + BEAT + self.rng.duration(Duration::ZERO..=BEAT / 10);
            self.beat();
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.peers.values().flatten().copied().chain([self.next_beat]).min()
    }

    fn poll_effect(&mut self) -> Option<Effect<u64, Frame, Event>> {
        self.effects.pop_front()
    }
}

/// How often a toy beats.
pub(crate) const BEAT: Duration = Duration::from_millis(100);
