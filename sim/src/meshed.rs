//! A machine whose messages need sessions between all pairs, as a host.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Instant, Machine, Output, Session};

use crate::{Effect, Host, SessionInput};

/// A machine that wants to know which peers it has a session with.
pub trait Mesh: Machine {
    /// A session with `peer` is up: what is sent to it from now on arrives, in order, until
    /// [`peer_down`](Self::peer_down).
    fn peer_up(&mut self, now: Instant, peer: &Self::Peer);

    /// The session with `peer` is gone. What was sent last may not have arrived. Called once for
    /// each `peer_up`, also where the next `peer_up` follows at once.
    fn peer_down(&mut self, now: Instant, peer: &Self::Peer);
}

/// Makes a [`Mesh`] a [`Host`]: each message is a frame on the one session with its peer.
///
/// The host with the smaller address dials, and dials again for ever. A message to a peer without
/// a session is lost, one to itself too.
pub struct Meshed<M: Mesh> {
    /// The machine itself.
    pub machine: M,
    key: M::Peer,
    /// How often in a row each address could not be dialled.
    failures: BTreeMap<SocketAddr, u32>,
    due: BTreeSet<(Instant, SocketAddr)>,
    dialled: u64,
    /// Where each session that was dialled leads.
    addresses: BTreeMap<Session, SocketAddr>,
    sessions: BTreeMap<M::Peer, Session>,
    keys: BTreeMap<Session, M::Peer>,
    wants: VecDeque<Want>,
}

/// What the adapter wants, besides what the machine wants.
enum Want {
    Dial(Session, SocketAddr),
    Close(Session),
}

impl<M> Meshed<M>
where
    M: Mesh,
    M::Peer: Ord + Clone,
{
    /// Wraps `machine`, which peers know by `key` and find at `addr`. `others` are the addresses
    /// at which peers run or will run; its own may be among them.
    pub fn new(
        now: Instant,
        addr: SocketAddr,
        key: M::Peer,
        machine: M,
        others: impl IntoIterator<Item = SocketAddr>,
    ) -> Self {
        let larger = others.into_iter().filter(|other| addr < *other);
        Self {
            machine,
            key,
            failures: BTreeMap::new(),
            due: larger.map(|other| (now, other)).collect(),
            dialled: 0,
            addresses: BTreeMap::new(),
            sessions: BTreeMap::new(),
            keys: BTreeMap::new(),
            wants: VecDeque::new(),
        }
    }

    /// What peers know this machine by.
    pub const fn key(&self) -> &M::Peer {
        &self.key
    }

    /// The peers that it has a session with.
    pub fn peers(&self) -> impl Iterator<Item = &M::Peer> {
        self.sessions.keys()
    }

    fn opened(&mut self, now: Instant, session: Session, key: M::Peer) {
        if let Some(address) = self.addresses.get(&session) {
            self.failures.remove(address);
        }
        // The peer gave up the old session before this end noticed. Frames that are still on it
        // must not arrive among those of the new one.
        if let Some(old) = self.sessions.insert(key.clone(), session) {
            self.keys.remove(&old);
            self.addresses.remove(&old);
            self.wants.push_back(Want::Close(old));
            self.machine.peer_down(now, &key);
        }
        self.machine.peer_up(now, &key);
        self.keys.insert(session, key);
    }

    fn lost(&mut self, now: Instant, session: Session) {
        if let Some(address) = self.addresses.remove(&session) {
            let failures = self.failures.entry(address).or_default();
            let wait = DIAL_AGAIN.saturating_mul(1 << (*failures).min(3));
            *failures += 1;
            self.due.insert((now + wait, address));
        }
        if let Some(key) = self.keys.remove(&session) {
            self.sessions.remove(&key);
            self.machine.peer_down(now, &key);
        }
    }
}

impl<M> Host for Meshed<M>
where
    M: Mesh,
    M::Peer: Ord + Clone + Debug,
    M::Message: Clone + Debug,
    M::Event: Debug,
{
    type Datagram = ();
    type Frame = M::Message;
    type Identity = M::Peer;
    type Event = M::Event;

    fn identity(&self) -> M::Peer {
        self.key.clone()
    }

    /// Nobody sends datagrams, so nothing happens.
    fn handle_datagram(&mut self, _: Instant, _: SocketAddr, (): ()) {}

    fn handle_session(
        &mut self,
        now: Instant,
        session: Session,
        input: SessionInput<M::Message, M::Peer>,
    ) {
        match input {
            SessionInput::Opened { identity, .. } => self.opened(now, session, identity),
            SessionInput::Failed | SessionInput::Closed => self.lost(now, session),
            SessionInput::Frame(message) => {
                if let Some(from) = self.keys.get(&session) {
                    self.machine.handle_message(now, from.clone(), message);
                }
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        while let Some((_, address)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.pop_first();
            let session = Session::dialled(self.dialled);
            self.dialled += 1;
            self.addresses.insert(session, address);
            self.wants.push_back(Want::Dial(session, address));
        }
        self.machine.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at).into_iter().chain(self.machine.poll_timeout()).min()
    }

    fn poll_effect(&mut self) -> Option<Effect<(), M::Message, M::Event>> {
        if let Some(want) = self.wants.pop_front() {
            return Some(match want {
                Want::Dial(session, to) => Effect::Dial { session, to },
                Want::Close(session) => Effect::Close { session },
            });
        }
        loop {
            match self.machine.poll_output()? {
                Output::Event(event) => return Some(Effect::Event(event)),
                Output::Send { to, message } => {
                    if let Some(session) = self.sessions.get(&to) {
                        return Some(Effect::Frame { session: *session, frame: message });
                    }
                }
            }
        }
    }
}

/// How long after a lost session or a failed dial the next one is tried; doubled after each
/// failure in a row, three times at most.
const DIAL_AGAIN: Duration = Duration::from_millis(100);
