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

use crate::backoff::Backoff;
use crate::config::Checked;
use crate::{Cause, Hello, Identity, Reason, Role};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use swarm_base::{Instant, Machine, NodeId, NodeName, Output, Rng, Session};

/// What the layer above learns or has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Open a transport to `node`, and answer with [`Links::handle_opened`] or
    /// [`Links::handle_failed`].
    Dial {
        /// The number of the session to be.
        session: Session,
        /// Who should answer.
        node: NodeId,
        /// Where.
        address: SocketAddr,
    },
    /// Close the transport, or give up dialling it. It needs no answer.
    Close {
        /// Which.
        session: Session,
        /// What to tell the other side.
        reason: Reason,
    },
    /// `session` carries the traffic with exactly this life of the node.
    Up {
        /// The other node. Its boot may be newer than the membership knows yet.
        node: NodeId,
        /// The session.
        session: Session,
    },
    /// `session` carries no traffic any more. Another one may follow.
    Down {
        /// The other node.
        node: NodeId,
        /// The session.
        session: Session,
        /// Why it ended.
        why: Cause,
    },
    /// A session ended before it was up. If the node is a member, it is tried again later.
    Refused {
        /// The session.
        session: Session,
        /// Who was dialled, or whose certificate it is.
        name: NodeName,
        /// Where it was dialled, or where it came from.
        address: SocketAddr,
        /// Why.
        why: Cause,
    },
}

/// The sessions of one node with all others.
#[derive(Clone, Debug)]
pub struct Links {
    me: NodeId,
    cluster: String,
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
        match self.check_identity(identity, expected) {
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
        match check_hello(&self.cluster, &name, &hello) {
            Err((reason, why)) => self.close(now, from, reason, why),
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
    fn is_arbiter(&self, other: &NodeName) -> bool {
        self.me.name < *other
    }

    fn check_identity(
        &self,
        found: Identity,
        dialled: Option<NodeName>,
    ) -> Result<(), (Reason, Cause)> {
        if found.cluster != self.cluster {
            let (ours, theirs) = (self.cluster.clone(), found.cluster);
            return Err((Reason::WrongCluster, Cause::WrongCluster { ours, theirs }));
        }
        if found.role != Role::Member {
            return Err((Reason::WrongCertificate, Cause::WrongCertificate));
        }
        if let Some(expected) = dialled.filter(|expected| *expected != found.node) {
            return Err((Reason::WrongName, Cause::WrongName { expected, found: found.node }));
        }
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

    /// Says hello on an open session, once, and only to a member: a hello tells the other that its
    /// traffic is welcome.
    fn say_hello(&mut self, session: Session) {
        let Some(Link { name, stage: Stage::Open { sent, .. }, .. }) = self.links.get_mut(&session)
        else {
            return;
        };
        let (None, Some(peer)) = (&*sent, self.peers.get(name)) else { return };
        let number = self.rng.next_u64();
        *sent = Some(number);
        let message = Hello {
            version: Hello::VERSION,
            oldest: Hello::OLDEST,
            cluster: self.cluster.clone(),
            node: self.me.clone(),
            link: number,
            lost: peer.lost,
        };
        self.outputs.push_back(Output::Send { to: session, message });
    }

    /// Goes on with the sessions of a node that has just become a member.
    fn greet_waiting(&mut self, now: Instant, name: &NodeName) {
        for session in self.sessions_of(name) {
            if !self.is_arbiter(name) {
                self.say_hello(session);
            }
            self.consider(now, session);
        }
    }

    /// Looks at an open session whose valid hello may be there.
    fn consider(&mut self, now: Instant, session: Session) {
        let Some(Link { name, stage: Stage::Open { theirs: Some(hello), sent, .. }, .. }) =
            self.links.get(&session)
        else {
            return;
        };
        let Some(peer) = self.peers.get(name) else { return };
        let (name, node, sent) = (name.clone(), hello.node.clone(), *sent);
        let (link, lost) = (hello.link, hello.lost);
        if node.boot < peer.node.boot {
            let why = Cause::StaleBoot { found: node.boot, newest: peer.node.boot };
            return self.close(now, session, Reason::StaleBoot, why);
        }
        if node.boot > peer.node.boot {
            self.renew(now, &node);
        }
        let number = match (self.is_arbiter(&name), sent) {
            (false, _) => link,
            (true, Some(number)) => number,
            // The other dialled. Its session is turned away where another one has our hello,
            // unless the other says that it has lost that very session.
            (true, None) => {
                let up = self.peers[&name].up.filter(|up| Some(up.number) != lost);
                if up.is_some() || self.has_said_hello(&name) {
                    let why = Cause::Here(Reason::Duplicate);
                    return self.close(now, session, Reason::Duplicate, why);
                }
                self.say_hello(session);
                match self.links.get(&session) {
                    Some(Link { stage: Stage::Open { sent: Some(number), .. }, .. }) => *number,
                    _ => return,
                }
            }
        };
        self.raise(now, session, &name, number);
    }

    /// Whether the arbiter's own dial to `name` is through and decided.
    fn has_said_hello(&self, name: &NodeName) -> bool {
        let said = |stage: &Stage| matches!(stage, Stage::Open { sent: Some(_), .. });
        self.links.values().any(|link| link.name == *name && said(&link.stage))
    }

    /// Makes `session` the one that carries the traffic with `name`.
    fn raise(&mut self, now: Instant, session: Session, name: &NodeName, number: u64) {
        for other in self.sessions_of(name) {
            if other != session {
                let was_up = matches!(self.links[&other].stage, Stage::Up);
                let reason = if was_up { Reason::Replaced } else { Reason::Duplicate };
                self.close(now, other, reason, Cause::Here(reason));
            }
        }
        let (Some(link), Some(peer)) = (self.links.get_mut(&session), self.peers.get_mut(name))
        else {
            return;
        };
        link.stage = Stage::Up;
        peer.up = Some(Up { session, since: now, number });
        peer.dial_at = None;
        let node = peer.node.clone();
        self.emit(Event::Up { node, session });
    }

    /// A newer life of a known name: what belongs to the old one ends.
    fn renew(&mut self, now: Instant, node: &NodeId) {
        let up = self.peers.get(&node.name).and_then(|peer| peer.up);
        if let Some(Up { session, .. }) = up {
            self.close(now, session, Reason::Replaced, Cause::Here(Reason::Replaced));
        }
        if let Some(peer) = self.peers.get_mut(&node.name) {
            peer.node = node.clone();
            peer.lost = None;
            peer.backoff = Backoff::default();
        }
    }

    /// Sets the time of the first dial to `name`, unless it is connected or connecting.
    fn schedule(&mut self, now: Instant, name: &NodeName) {
        let wait =
            if self.is_arbiter(name) { Default::default() } else { self.config.larger_waits };
        let dialling = self.is_dialling(name);
        if let Some(peer) = self.peers.get_mut(name).filter(|peer| peer.up.is_none() && !dialling) {
            peer.dial_at = Some(now + wait);
        }
        if wait.is_zero() {
            self.dial(now, name);
        }
    }

    /// Dials anew where the node is now said to be.
    fn redial(&mut self, now: Instant, name: &NodeName) {
        let under_way =
            |link: &Link| link.name == *name && matches!(link.stage, Stage::Dialling { .. });
        let old: Vec<_> =
            self.links.iter().filter(|(_, l)| under_way(l)).map(|(s, _)| *s).collect();
        for session in old {
            self.close(now, session, Reason::GivenUp, Cause::Here(Reason::GivenUp));
        }
        self.schedule(now, name);
    }

    fn is_dialling(&self, name: &NodeName) -> bool {
        self.links.iter().any(|(session, link)| session.is_dialled() && link.name == *name)
    }

    fn dial(&mut self, now: Instant, name: &NodeName) {
        let dialling = self.is_dialling(name);
        let Some(peer) = self.peers.get_mut(name) else { return };
        peer.dial_at = None;
        if dialling || peer.up.is_some() {
            return;
        }
        self.dials += 1;
        let session = Session::dialled(self.dials);
        let (node, address) = (peer.node.clone(), peer.address);
        let stage = Stage::Dialling { deadline: now + self.config.dial_timeout };
        self.links.insert(session, Link { name: name.clone(), address, stage });
        self.emit(Event::Dial { session, node, address });
    }

    /// Closes a session and forgets it.
    fn close(&mut self, now: Instant, session: Session, reason: Reason, why: Cause) {
        if self.links.contains_key(&session) {
            // Down comes first: nothing may be sent on a session that is being closed.
            self.end(now, session, why);
            self.emit(Event::Close { session, reason });
        }
    }

    /// Forgets a session, and sets the time of the next dial.
    fn end(&mut self, now: Instant, session: Session, why: Cause) {
        let Some(Link { name, address, stage }) = self.links.remove(&session) else { return };
        let was_up = matches!(stage, Stage::Up);
        let turned_away = matches!(
            why,
            Cause::Here(Reason::Duplicate | Reason::GivenUp)
                | Cause::There(Reason::Duplicate | Reason::GivenUp)
        );
        let event = match self.peers.get_mut(&name).filter(|_| was_up) {
            Some(peer) => {
                if let Some(up) = peer.up.take() {
                    peer.lost = Some(up.number);
                    peer.backoff.end(&self.config, up.since, now);
                }
                Some(Event::Down { node: peer.node.clone(), session, why })
            }
            None => {
                let name = name.clone();
                (!turned_away).then_some(Event::Refused { session, name, address, why })
            }
        };
        if was_up || session.is_dialled() {
            self.retry(now, &name);
        }
        if let Some(event) = event {
            self.emit(event);
        }
    }

    /// Sets the time of the next dial after a failure.
    fn retry(&mut self, now: Instant, name: &NodeName) {
        let extra =
            if self.is_arbiter(name) { Default::default() } else { self.config.larger_waits };
        if let Some(peer) = self.peers.get_mut(name).filter(|peer| peer.up.is_none()) {
            let wait = peer.backoff.fail(&self.config, &mut self.rng);
            peer.dial_at = Some(now + extra + wait);
        }
    }

    fn sessions_of(&self, name: &NodeName) -> Vec<Session> {
        let of = self.links.iter().filter(|(_, link)| link.name == *name);
        of.map(|(session, _)| *session).collect()
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

/// Whether a hello fits the cluster and the certified name.
fn check_hello(cluster: &str, certified: &NodeName, hello: &Hello) -> Result<(), (Reason, Cause)> {
    if hello.oldest > Hello::VERSION || hello.version < Hello::OLDEST {
        let ours = (Hello::OLDEST, Hello::VERSION);
        let why = Cause::Version { ours, theirs: (hello.oldest, hello.version) };
        return Err((Reason::Version, why));
    }
    if hello.cluster != cluster {
        let (ours, theirs) = (cluster.to_owned(), hello.cluster.clone());
        return Err((Reason::WrongCluster, Cause::WrongCluster { ours, theirs }));
    }
    if hello.node.name != *certified {
        let (expected, found) = (certified.clone(), hello.node.name.clone());
        return Err((Reason::WrongName, Cause::WrongName { expected, found }));
    }
    Ok(())
}

/// The most open sessions that may wait for a hello or for membership, of all nodes together.
const WAITING_MAX: usize = 1024;
/// The most of them of one name: both directions, and a restarted node beside its old life.
const WAITING_PER_NAME_MAX: usize = 4;
