//! The lane of sessions: dials, ordered frames, silence, breaks.
//!
//! A session is one connection with two ends, each with a state of its own: what one end knows,
//! the other learns later or by silence only. Of QUIC it keeps what a layer above can tell: a
//! handshake of one and a half round trips, order, retransmission, closes that reach the peer if
//! anything does, and the idle timeout of the end that hears nothing (RFC 9000 §10).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Instant, Session};

use super::node::{Ending, Input};
use super::{Happening, World};
use crate::faults::Tail;
use crate::struck::Class;
use crate::{Host, SessionInput, Violation};

pub(super) type ConnId = u64;

/// A connection between two nodes, or one that is being dialled.
pub(super) struct Conn<F> {
    pub(super) state: State,
    /// The dialler, then the acceptor.
    pub(super) ends: [End<F>; 2],
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Dialling {
        deadline: Instant,
    },
    /// Only the acceptor believes in it.
    HalfOpen,
    Open,
    /// Nothing gets through any more, and the ends are about to hear.
    Broken,
}

/// One end of a connection, and the lane towards it.
pub(super) struct End<F> {
    pub(super) addr: SocketAddr,
    pub(super) life: u64,
    pub(super) session: Session,
    /// Whether this end would still take a frame and still shows signs of life.
    pub(super) is_open: bool,
    /// The idle timeout that runs since the last sign of life, if one does.
    pub(super) idle_ticket: Option<u64>,
    /// When the last frame towards this end arrives.
    pub(super) last_at: Instant,
    /// Frames that wait for the way towards this end to be mended.
    pub(super) held: VecDeque<F>,
}

/// What travels to one end.
pub(super) enum Carried<F, I> {
    Opened(I),
    Frame(F),
    Closed,
}

impl<H: Host> World<H> {
    /// How many frames of one session a cut holds back before the session breaks: a sender that
    /// nobody slows down.
    pub const FRAMES_HELD_MAX: usize = 65_536;

    /// How many sessions are open at both ends.
    #[must_use]
    pub fn open_sessions(&self) -> usize {
        let is_open = |conn: &&Conn<H::Frame>| {
            conn.state == State::Open && conn.ends.iter().all(|end| end.is_open)
        };
        self.conns.values().filter(is_open).count()
    }

    pub(super) fn dial(&mut self, from: SocketAddr, session: Session, to: SocketAddr) {
        let id = self.conns_made;
        let Some(node) = self.nodes.get_mut(&from) else { return };
        if !session.is_dialled() || !node.dialled.insert(session) {
            let sentence = format!("{from} dials {to} with {session}, which is not a new one");
            return self.violate(Violation::new("world: new sessions", self.now, sentence));
        }
        node.sessions.insert(session, (id, 0));
        let life = node.life;
        let round: Duration = (0..3).map(|_| self.faults.draw_delay(&mut node.rng).0).sum();
        self.conns_made += 1;
        let end = |addr, life, session, is_open| End {
            addr,
            life,
            session,
            is_open,
            idle_ticket: None,
            last_at: self.now,
            held: VecDeque::new(),
        };
        let deadline = self.now + self.faults.dial_timeout;
        // The acceptor's life and number are filled in when it accepts.
        let ends = [end(from, life, session, true), end(to, 0, Session::accepted(0), false)];
        self.conns.insert(id, Conn { state: State::Dialling { deadline }, ends });
        self.trace.line(self.now, format_args!("{from} dials {to}: {session}"));
        let at = (self.now + round).min(deadline);
        self.queue.push(at, Happening::Dial { conn: id, attempt: 0 });
    }

    /// The handshake reaches the acceptor, or has to be tried again, or was tried long enough.
    pub(super) fn try_dial(&mut self, id: ConnId, attempt: u32) {
        let Some(conn) = self.conns.get(&id) else { return };
        let [dialler, acceptor] = &conn.ends;
        let (from, to, session) = (dialler.addr, acceptor.addr, dialler.session);
        if !dialler.is_open {
            return;
        }
        let State::Dialling { deadline } = conn.state else {
            if conn.state == State::HalfOpen {
                self.fail_dial(id, from, session);
            }
            return;
        };
        if deadline <= self.now {
            return self.fail_dial(id, from, session);
        }
        let Some(node) = self.nodes.get_mut(&from) else { return };
        let is_lost = node.rng.chance(self.faults.loss_permille);
        let is_half = node.rng.chance(self.faults.half_open_permille);
        let blocked = self.links.blocked(self.now, from, to);
        let blocked = blocked.or_else(|| self.links.blocked(self.now, to, from));
        if let Some(class) = blocked {
            self.strike(class);
        }
        let is_deaf = self.nodes.get(&to).is_none_or(|node| node.is_paused());
        if is_lost || is_deaf || blocked.is_some() {
            let wait = DIAL_RETRY.saturating_mul(1 << attempt.min(10));
            let at = (self.now + wait).min(deadline);
            return self.queue.push(at, Happening::Dial { conn: id, attempt: attempt + 1 });
        }
        self.accept(id, deadline, is_half);
    }

    fn fail_dial(&mut self, id: ConnId, from: SocketAddr, session: Session) {
        self.strike(Class::DialFailed);
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.ends[0].is_open = false;
        }
        self.ends_changed(id);
        self.receive(from, Input::Session { session, input: SessionInput::Failed });
    }

    fn accept(&mut self, id: ConnId, deadline: Instant, is_half: bool) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let [dialler, acceptor] = &mut conn.ends;
        let (from, to) = (dialler.addr, acceptor.addr);
        let (Some(identity), Some(theirs)) =
            (self.hosts.get(&from).map(Host::identity), self.hosts.get(&to).map(Host::identity))
        else {
            return;
        };
        let (Some(node), Some(place)) = (self.nodes.get_mut(&to), self.places.get_mut(&to)) else {
            return;
        };
        place.accepted += 1;
        let session = Session::accepted(place.accepted);
        node.sessions.insert(session, (id, 1));
        (acceptor.life, acceptor.session, acceptor.is_open) = (node.life, session, true);
        if is_half {
            conn.state = State::HalfOpen;
            self.struck.add(Class::HalfOpen);
            self.queue.push(deadline, Happening::Dial { conn: id, attempt: 0 });
        } else {
            conn.state = State::Open;
            let delay = self.faults.draw_delay(&mut node.rng).0;
            dialler.last_at = self.now + delay;
            let carried = Carried::Opened(theirs);
            self.queue.push(dialler.last_at, Happening::Session { conn: id, end: 0, carried });
        }
        let half = if is_half { ", half open" } else { "" };
        self.trace.line(self.now, format_args!("{to} accepts {from}: {session}{half}"));
        self.listen(id);
        let input = SessionInput::Opened { identity, peer: from };
        self.receive(to, Input::Session { session, input });
    }

    pub(super) fn send_frame(&mut self, from: SocketAddr, session: Session, frame: H::Frame) {
        let Some(node) = self.nodes.get_mut(&from) else { return };
        let Some(&(id, end)) = node.sessions.get(&session) else { return };
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let to = conn.ends[1 - end].addr;
        if conn.state != State::Open || !conn.ends[0].is_open || !conn.ends[1].is_open {
            return self.strike(Class::TailLost);
        }
        // Drawn before anything is decided, as for datagrams.
        let (mut delay, tail) = self.faults.draw_delay(&mut node.rng);
        let is_lost = node.rng.chance(self.faults.loss_permille);
        let blocked = self.links.blocked(self.now, from, to);
        let lane = &mut conn.ends[1 - end];
        if blocked.is_some() || !lane.held.is_empty() {
            if let Some(class) = blocked {
                self.struck.add(class);
            }
            lane.held.push_back(frame);
            if lane.held.len() > Self::FRAMES_HELD_MAX {
                self.break_conn(id);
            }
            return;
        }
        if tail == Tail::Heavy {
            self.struck.add(Class::DelayTail);
        }
        if is_lost {
            self.struck.add(Class::Loss);
            delay += RETRANSMIT;
        }
        // In order, whatever the delays say.
        lane.last_at = lane.last_at.max(self.now + delay);
        let at = lane.last_at;
        self.see_packet("sends", from, to, 2, &frame);
        let carried = Carried::Frame(frame);
        self.queue.push(at, Happening::Session { conn: id, end: 1 - end, carried });
    }

    /// The host at `from` closes its end. The peer hears of it if the network lets it, otherwise
    /// by silence.
    pub(super) fn close(&mut self, from: SocketAddr, session: Session) {
        let Some(node) = self.nodes.get_mut(&from) else { return };
        let Some((id, end)) = node.sessions.remove(&session) else { return };
        let (delay, _) = self.faults.draw_delay(&mut node.rng);
        let is_overtaking = node.rng.chance(self.faults.overtaking_close_permille);
        let Some(conn) = self.conns.get_mut(&id) else { return };
        self.trace.line(self.now, format_args!("{from} closes {session}"));
        conn.ends[end].is_open = false;
        let peer = &mut conn.ends[1 - end];
        let is_blocked = self.links.blocked(self.now, from, peer.addr).is_some();
        if conn.state == State::Open && peer.is_open && !is_blocked {
            let mut at = self.now + delay;
            if !is_overtaking {
                at = at.max(peer.last_at);
                peer.last_at = at;
            }
            let carried = Carried::Closed;
            self.queue.push(at, Happening::Session { conn: id, end: 1 - end, carried });
        }
        self.ends_changed(id);
    }

    /// Something reaches one end of a session.
    pub(super) fn session_arrived(
        &mut self,
        id: ConnId,
        end_idx: usize,
        carried: Carried<H::Frame, H::Identity>,
    ) {
        let is_frame = matches!(carried, Carried::Frame(_));
        let gets_through = |conn: &&mut Conn<H::Frame>| {
            conn.ends[end_idx].is_open && !(is_frame && conn.state == State::Broken)
        };
        let Some(conn) = self.conns.get_mut(&id).filter(gets_through) else {
            if is_frame {
                self.strike(Class::TailLost);
            }
            return;
        };
        let peer = conn.ends[1 - end_idx].addr;
        let end = &mut conn.ends[end_idx];
        let (addr, life, session) = (end.addr, end.life, end.session);
        assert!(
            self.nodes.get(&addr).is_some_and(|node| node.life == life),
            "an open end belongs to the present life of its node"
        );
        let input = match carried {
            Carried::Opened(identity) => SessionInput::Opened { identity, peer },
            Carried::Frame(frame) => {
                self.see_packet("reaches", peer, addr, 3, &frame);
                SessionInput::Frame(frame)
            }
            Carried::Closed => {
                end.is_open = false;
                self.trace.line(self.now, format_args!("{addr} loses {session} to {peer}"));
                self.ends_changed(id);
                SessionInput::Closed
            }
        };
        self.receive(addr, Input::Session { session, input });
    }

    /// All sessions of a node end with it.
    pub(super) fn end_sessions(&mut self, addr: SocketAddr, ending: Ending) {
        let Some(node) = self.nodes.get(&addr) else { return };
        let sessions: Vec<_> = node.sessions.iter().map(|(session, at)| (*session, *at)).collect();
        for (session, (id, end)) in sessions {
            match ending {
                Ending::Stop => self.close(addr, session),
                Ending::Crash => {
                    if let Some(conn) = self.conns.get_mut(&id) {
                        conn.ends[end].is_open = false;
                    }
                    self.ends_changed(id);
                }
            }
        }
    }

    /// An end of this connection closed: the other one falls silent, or all is over.
    fn ends_changed(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get(&id) else { return };
        match conn.ends.iter().any(|end| end.is_open) {
            true => self.listen(id),
            false => drop(self.conns.remove(&id)),
        }
    }
}

/// How long a dial waits for an answer before it tries again; doubled each time.
const DIAL_RETRY: Duration = Duration::from_millis(100);
/// What a lost frame costs: about the time until a probe, on a local network.
const RETRANSMIT: Duration = Duration::from_millis(30);
