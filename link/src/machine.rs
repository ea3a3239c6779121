//! Which sessions should exist, and which of two stays.
//!
//! Of each pair, the node with the smaller name is the *arbiter*: only its hello makes a session
//! count, so it alone decides which one that is, and both ends always agree.
//! - The arbiter dials at once, and says hello as soon as the transport is up. From then on it
//!   turns away every session that the other dials.
//! - The other dials when nothing came for a while: the arbiter may be unable to reach it, or may
//!   not know it yet. It says hello first; the arbiter answers, unless it has a session, and gives
//!   up a dial of its own that is not through yet.
//! - A session is up for the arbiter when the other's hello is there and its own is sent, and for
//!   the other when the arbiter's hello is there.
//!
//! A rule that compares two open sessions without an arbiter needs both ends to see both, and takes
//! down a session that already carries traffic.

mod arbiter;
mod attempts;

use crate::backoff::Backoff;
use crate::checks::{self, Refusal};
use crate::config::Checked;
use crate::{Cause, Event, Hello, Identity, Reason};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use swarm_base::{Instant, Machine, NodeId, NodeName, Output, Rng, Session};

/// The sessions of one node with all others.
#[derive(Clone, Debug)]
pub struct Links {
    me: NodeId,
    cluster: String,
    settings: Vec<(String, String)>,
    config: Checked,
    rng: Rng,
    dials: u64,
    stopping: Option<Reason>,
    peers: BTreeMap<NodeName, Peer>,
    links: BTreeMap<Session, Link>,
    timeout: Option<Instant>,
    outputs: VecDeque<Output<Session, Hello, Event>>,
}

/// A node that should be connected.
#[derive(Clone, Debug)]
struct Peer {
    node: NodeId,
    address: SocketAddr,
    backoff: Backoff,
    /// When to dial. Not while a dial is under way or a session is up.
    dial_at: Option<Instant>,
    up: Option<Up>,
    /// The arbiter's number of the last session that was up and is gone.
    lost: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Up {
    session: Session,
    since: Instant,
    /// The arbiter's number for it.
    number: u64,
}

/// A transport, open or being opened.
#[derive(Clone, Debug)]
struct Link {
    name: NodeName,
    address: SocketAddr,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    /// The shell is opening it.
    Dialling { deadline: Instant },
    /// It is open, and a hello is missing. `sent` is the number in ours, `theirs` waits until the
    /// node is a member.
    Open { deadline: Instant, sent: Option<u64>, theirs: Option<Hello> },
    /// It carries traffic.
    Up,
}

impl Links {
    /// The sessions of `me`. Fork `rng` for it.
    #[must_use]
    pub fn new(me: NodeId, cluster: impl Into<String>, config: Checked, rng: Rng) -> Self {
        Self {
            me,
            cluster: cluster.into(),
            settings: Vec::new(),
            config,
            rng,
            dials: 0,
            stopping: None,
            peers: BTreeMap::new(),
            links: BTreeMap::new(),
            timeout: None,
            outputs: VecDeque::new(),
        }
    }

    /// The settings that all nodes must share, by name, with what they are set to here. A node in
    /// which one of them differs is refused, and both sides learn which. One that a node has not set
    /// differs, but for those whose names begin with [`SCOPED`](crate::SCOPED).
    #[must_use]
    pub fn with_settings(mut self, settings: Vec<(String, String)>) -> Self {
        self.settings = settings;
        self
    }

    /// `node` is a member and should be connected at `address`.
    ///
    /// May be called again: a dial under way to another address is given up for a new one, a newer
    /// boot ends the session with the old one, an older boot is ignored.
    pub fn member_up(&mut self, now: Instant, node: NodeId, address: SocketAddr) {
        if node.name == self.me.name || self.stopping.is_some() {
            return;
        }
        let name = node.name.clone();
        match self.peers.get_mut(&name) {
            Some(peer) if node.boot < peer.node.boot => return,
            Some(peer) if node.boot == peer.node.boot && address == peer.address => return,
            Some(peer) => {
                peer.address = address;
                if node.boot > peer.node.boot {
                    self.renew(now, &node);
                }
                self.redial(now, &name);
            }
            None => {
                let peer = Peer {
                    node,
                    address,
                    backoff: Backoff::default(),
                    dial_at: None,
                    up: None,
                    lost: None,
                };
                self.peers.insert(name.clone(), peer);
                self.greet_waiting(now, &name);
                self.schedule(now, &name);
            }
        }
        self.settle();
    }

    /// `node` is no member any more: it is neither dialled nor kept. A newer boot of its name is
    /// not affected.
    pub fn member_gone(&mut self, now: Instant, node: &NodeId) {
        if self.peers.get(&node.name).is_some_and(|peer| peer.node.boot <= node.boot) {
            for session in self.sessions_of(&node.name) {
                self.close(now, session, Reason::Gone, Cause::Here(Reason::Gone));
            }
            self.peers.remove(&node.name);
            self.settle();
        }
    }

    /// The transport of `session` is open; at its other end are the certificate that says
    /// `identity` and `address`.
    pub fn handle_opened(
        &mut self,
        now: Instant,
        session: Session,
        identity: Identity,
        address: SocketAddr,
    ) {
        if let Some(reason) = self.stopping {
            return self.emit(Event::Close { session, reason });
        }
        let expected = match self.links.get(&session) {
            Some(Link { name, stage: Stage::Dialling { .. }, .. }) => Some(name.clone()),
            Some(_) => return,
            // A dial that was given up while it went through: the shell has been told.
            None if session.is_dialled() => return,
            None => None,
        };
        let deadline = now + self.config.hello_timeout;
        let stage = Stage::Open { deadline, sent: None, theirs: None };
        let name = expected.clone().unwrap_or_else(|| identity.node.clone());
        self.links.insert(session, Link { name: name.clone(), address, stage });
        match self.check(&identity, expected.as_ref()) {
            Err((reason, why)) => self.close(now, session, reason, why),
            Ok(()) if self.is_crowded(&name) => {
                self.close(now, session, Reason::NotMember, Cause::Here(Reason::NotMember));
            }
            Ok(()) => {
                if session.is_dialled() || !self.is_arbiter(&name) {
                    self.say_hello(session);
                }
            }
        }
        self.settle();
    }

    /// The transport of `session` could not be opened.
    pub fn handle_failed(&mut self, now: Instant, session: Session, why: Cause) {
        self.end(now, session, why);
        self.settle();
    }

    /// The transport of `session` is gone.
    pub fn handle_closed(&mut self, now: Instant, session: Session, why: Cause) {
        self.end(now, session, why);
        self.settle();
    }

    /// The session that carries the traffic with `node`, if one is up.
    #[must_use]
    pub fn session(&self, node: &NodeId) -> Option<Session> {
        let peer = self.peers.get(&node.name).filter(|peer| peer.node.boot == node.boot)?;
        peer.up.map(|up| up.session)
    }

    /// The node whose traffic `session` carries, if it is up.
    #[must_use]
    pub fn node(&self, session: Session) -> Option<&NodeId> {
        let link = self.links.get(&session)?;
        matches!(link.stage, Stage::Up).then(|| &self.peers[&link.name].node)
    }

    /// The sessions that are up, in the order of the nodes' names.
    pub fn sessions(&self) -> impl Iterator<Item = (&NodeId, Session)> {
        self.peers.values().filter_map(|peer| Some((&peer.node, peer.up?.session)))
    }

    /// Closes everything, and whatever is opened later.
    pub fn close_all(&mut self, now: Instant, reason: Reason) {
        self.stopping = Some(reason);
        for session in self.links.keys().copied().collect::<Vec<_>>() {
            self.close(now, session, reason, Cause::Here(reason));
        }
        self.peers.clear();
        self.settle();
    }
}

impl Machine for Links {
    type Peer = Session;
    type Message = Hello;
    type Event = Event;

    fn handle_message(&mut self, now: Instant, from: Session, hello: Hello) {
        let Some(Link { name, stage: Stage::Open { theirs, .. }, .. }) = self.links.get_mut(&from)
        else {
            return;
        };
        let name = name.clone();
        match checks::hello(&self.cluster, &name, &hello) {
            Err((reason, why)) => self.close(now, from, reason, why),
            Ok(())
                if let Err((reason, why)) = checks::settings(&self.settings, &hello.settings) =>
            {
                // The other is to learn what it is here, too.
                self.write_hello(from);
                self.close(now, from, reason, why);
            }
            Ok(()) => {
                *theirs = Some(hello);
                self.consider(now, from);
            }
        }
        self.settle();
    }

    fn handle_timeout(&mut self, now: Instant) {
        let late = |link: &Link| match link.stage {
            Stage::Dialling { deadline } => (deadline <= now).then_some(Reason::GivenUp),
            Stage::Open { deadline, .. } if deadline <= now => {
                let member = self.peers.contains_key(&link.name);
                Some(if member { Reason::NoHello } else { Reason::NotMember })
            }
            Stage::Open { .. } | Stage::Up => None,
        };
        let late: Vec<_> =
            self.links.iter().filter_map(|(session, link)| Some((*session, late(link)?))).collect();
        for (session, reason) in late {
            let why = if reason == Reason::GivenUp { Cause::Silent } else { Cause::Here(reason) };
            self.close(now, session, reason, why);
        }
        let due = |peer: &Peer| peer.dial_at.is_some_and(|at| at <= now);
        let due: Vec<_> =
            self.peers.values().filter(|p| due(p)).map(|p| p.node.name.clone()).collect();
        for name in due {
            self.dial(now, &name);
        }
        self.settle();
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timeout
    }

    fn poll_output(&mut self) -> Option<Output<Session, Hello, Event>> {
        self.outputs.pop_front()
    }
}

impl Links {
    fn check(&self, found: &Identity, dialled: Option<&NodeName>) -> Result<(), Refusal> {
        checks::identity(&self.cluster, dialled, found)?;
        if found.node == self.me.name {
            return Err((Reason::WrongName, Cause::OwnName));
        }
        Ok(())
    }

    /// Whether too many sessions of `name`, or of all nodes, wait for a hello or for membership.
    fn is_crowded(&self, name: &NodeName) -> bool {
        let waiting = |link: &&Link| matches!(link.stage, Stage::Open { .. });
        let all = self.links.values().filter(waiting).count();
        let same = self.links.values().filter(waiting).filter(|link| link.name == *name).count();
        all > WAITING_MAX || same > WAITING_PER_NAME_MAX
    }

    fn emit(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Ends every input: the next timeout is read far more often than it changes.
    fn settle(&mut self) {
        let links = self.links.values().filter_map(|link| match link.stage {
            Stage::Dialling { deadline } | Stage::Open { deadline, .. } => Some(deadline),
            Stage::Up => None,
        });
        self.timeout = links.chain(self.peers.values().filter_map(|peer| peer.dial_at)).min();
    }
}

/// The most open sessions that may wait for a hello or for membership, of all nodes together.
const WAITING_MAX: usize = 1024;
/// The most of them of one name: both directions, and a restarted node beside its old life.
const WAITING_PER_NAME_MAX: usize = 4;
