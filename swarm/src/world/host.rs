//! One node of the world: the real node, with stubs for what its driver would run.

use super::Defect;
use super::frame::{Frame, Lane, Message, Packet};
use super::make::{CLUSTER, Make};
use super::news::{Asked, Change, News};
use super::processes::Processes;
use super::temper::Temper;
use crate::Event as Public;
use crate::node::{Event, Gauges, Node, Outcome, Peer, What};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Boot, Instant, Machine, Name, NodeId, Output, Pid, Rng, Session};
use swarm_link::{Cause, Identity};
use swarm_registry::{Event as Fresh, State};
use swarm_sim::{Effect, Host, SessionInput};

/// A node of the world.
///
/// It does what the driver does: hands inputs to the node, carries out what comes out, keeps the
/// views that readers would see, and runs the processes, which are stubs with a count for a state.
pub(crate) struct SimNode {
    pub(super) node: Node,
    pub(super) now: Instant,
    pub(super) rng: Rng,
    pub(super) temper: Temper,
    pub(super) defect: Option<Defect>,
    pub(super) names: swarm_registry::View,
    pub(super) groups: swarm_groups::Groups,
    pub(super) processes: Processes,
    pub(super) end: End,
    pub(super) effects: VecDeque<Effect<Packet, Frame, News>>,
    /// The sessions that messages can go over.
    routes: BTreeMap<Boot, Session>,
    open: BTreeMap<Session, Transport>,
    asks: BTreeMap<u64, (Instant, Asked)>,
    next_ask: u64,
    /// The scopes in which it has said that it has a seat.
    seats: BTreeSet<Option<String>>,
    /// When it goes on alone, unless it has found the others.
    alone_at: Option<Instant>,
    late: Option<String>,
}

/// A session that is open at this end.
#[derive(Debug, Default)]
struct Transport {
    is_up: bool,
    /// Messages that came before this node knew whose session it is.
    early: Vec<Message>,
}

/// Where a node is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    No,
    /// It hands over its names; whether it goes when that is done.
    Draining {
        leaves: bool,
    },
    /// Its processes end.
    Ending,
    /// It has said goodbye, and stops at this moment at the latest.
    Departing(Instant),
    /// It has stopped.
    Gone,
}

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

impl SimNode {
    pub(crate) fn new(make: Make) -> Self {
        let (now, temper, defect) = (make.now, make.temper.clone(), make.defect);
        let (node, rng) = make.node();
        Self {
            node,
            now,
            rng,
            temper,
            defect,
            names: swarm_registry::View::new(),
            groups: swarm_groups::Groups::new(),
            processes: Processes::default(),
            end: End::No,
            effects: VecDeque::new(),
            routes: BTreeMap::new(),
            open: BTreeMap::new(),
            asks: BTreeMap::new(),
            next_ask: 0,
            seats: BTreeSet::new(),
            alone_at: Some(now + crate::node::ALONE_AFTER),
            late: None,
        }
    }

    pub(crate) const fn id(&self) -> &NodeId {
        self.node.id()
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.end == End::Gone
    }

    pub(crate) const fn end(&self) -> End {
        self.end
    }

    pub(crate) const fn node(&self) -> &Node {
        &self.node
    }

    pub(crate) const fn names(&self) -> &swarm_registry::View {
        &self.names
    }

    pub(crate) const fn groups(&self) -> &swarm_groups::Groups {
        &self.groups
    }

    pub(crate) const fn processes(&self) -> &Processes {
        &self.processes
    }

    pub(crate) fn gauges(&self) -> Gauges {
        self.node.gauges()
    }

    /// Whether an answer did not come in its time, and which.
    pub(crate) fn late(&self) -> Option<&str> {
        self.late.as_deref()
    }

    /// How many callers wait.
    pub(crate) fn waiting(&self) -> usize {
        self.asks.len()
    }

    /// A caller asks.
    pub(crate) fn ask(&mut self, now: Instant, what: What, asked: Asked, left: Duration) {
        self.now = now;
        if self.is_gone() {
            return;
        }
        self.next_ask += 1;
        let id = self.next_ask;
        self.tell(News::Asked { id, what: asked.clone() });
        self.asks.insert(id, (now + left, asked));
        if self.defect == Some(Defect::EmptyStop) && matches!(what, What::Stop { .. }) {
            return self.answered(id, Outcome::Done);
        }
        self.node.ask(now, id, left, what);
    }

    /// A message for the process that the view of this node says.
    pub(crate) fn send(&mut self, now: Instant, name: Name, id: u64) {
        self.now = now;
        let pid = self.names.whereis(name.as_bytes());
        if pid.is_some() && !self.is_gone() {
            self.route(Message { id, name, pid, hops: 0 });
        }
    }

    pub(crate) fn set_ready(&mut self, now: Instant, ready: bool) {
        self.now = now;
        if matches!(self.end, End::No | End::Draining { leaves: false }) {
            self.end = End::No;
            self.node.stop_draining(now);
            self.node.set_ready(now, ready);
        }
    }

    pub(crate) fn drain(&mut self, now: Instant, left: Duration, leaves: bool) {
        self.now = now;
        if self.end == End::No {
            self.end = End::Draining { leaves };
            self.node.drain(now, left);
        }
    }

    pub(super) fn tell(&mut self, news: News) {
        self.effects.push_back(Effect::Event(news));
    }

    /// Brings a message to its process, here or elsewhere.
    pub(super) fn route(&mut self, message: Message) {
        let to = match message.pid {
            Some(pid) if pid.boot != self.id().boot => pid.boot,
            _ => match self.processes.deliver(&message) {
                super::processes::Delivery::Taken => return self.work(),
                super::processes::Delivery::Nowhere => return,
                super::processes::Delivery::Follow(boot) => boot,
            },
        };
        if message.hops > Message::HOPS_MAX {
            return;
        }
        let Some(session) = self.routes.get(&to).copied() else { return };
        let is_own_hop = message.pid.is_some_and(|pid| pid.boot == to);
        let pid = message.pid.filter(|_| is_own_hop);
        let message = Message { pid, hops: message.hops + 1, ..message };
        let frame = Frame { lane: Lane::Message, bytes: message.encode() };
        self.effects.push_back(Effect::Frame { session, frame });
    }

    /// The name's process here, as the log of this node says.
    pub(super) fn own(&self, name: &Name) -> Option<Pid> {
        self.node.registry().own(name)?.pid()
    }

    fn answered(&mut self, id: u64, outcome: Outcome) {
        if self.defect == Some(Defect::LostAnswer) && self.rng.chance(33) {
            return;
        }
        if self.asks.remove(&id).is_some() {
            self.tell(News::Answered { id, outcome });
        }
    }

    /// Carries out whatever the node wants.
    fn pump(&mut self) {
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Send { to: Peer::Datagram(to), message } => {
                    self.effects.push_back(Effect::Datagram { to, datagram: Packet(message) });
                }
                Output::Send { to: Peer::Control(session), message } => {
                    let frame = Frame { lane: Lane::Control, bytes: message };
                    self.effects.push_back(Effect::Frame { session, frame });
                }
                Output::Send { to: Peer::Bulk(session), message } => {
                    let frame = Frame { lane: Lane::Bulk, bytes: message };
                    self.effects.push_back(Effect::Frame { session, frame });
                }
                Output::Event(event) => self.on_event(event),
            }
        }
        self.tell_of_seats();
    }

    fn tell_of_seats(&mut self) {
        for scope in [None, super::make::scope().as_str().map(str::to_owned)] {
            let has = self.node.has_seat(scope.as_deref());
            if has == self.seats.contains(&scope) {
                continue;
            }
            match has {
                true => self.seats.insert(scope.clone()),
                false => self.seats.remove(&scope),
            };
            self.tell(News::Seat { scope, has });
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Dial { session, address, .. } => {
                self.effects.push_back(Effect::Dial { session, to: address });
            }
            Event::Close { session, .. } => {
                self.open.remove(&session);
                self.effects.push_back(Effect::Close { session });
            }
            Event::SessionUp { node, session } => {
                self.routes.insert(node.boot, session);
                let transport = self.open.entry(session).or_default();
                transport.is_up = true;
                for message in std::mem::take(&mut transport.early) {
                    self.arrived(message);
                }
            }
            Event::SessionDown { session, .. } => self.routes.retain(|_, route| *route != session),
            Event::Facts(event) => self.on_fact(&event),
            Event::Process(command) => self.command(command),
            Event::Answer { id, outcome } => self.answered(id, outcome),
            Event::Public(event) => self.on_public(event),
            Event::Draining { end, .. } => {
                if end.is_some() && self.end == (End::Draining { leaves: true }) {
                    self.begin_end();
                }
            }
            Event::Departed => {
                if matches!(self.end, End::Departing(_)) {
                    self.end = End::Departing(self.now);
                }
            }
            Event::NameTaken { holder } => {
                self.tell(News::Disowned { why: format!("{holder} has its name") });
            }
            Event::BootBehind { remembered } => {
                self.tell(News::Disowned { why: format!("boot {remembered} is remembered") });
            }
            Event::SettingsDiffer(differs) => {
                self.tell(News::Disowned { why: format!("{} differs", differs.setting) });
            }
            Event::Merged => {
                self.alone_at = None;
                self.tell(News::Merged);
            }
            Event::NodeDown { .. } | Event::Members | Event::MeetsOthers => (),
        }
    }

    fn on_public(&mut self, event: Public) {
        let (node, change) = match &event {
            Public::NodeUp { node } => (node, Change::Up),
            Public::NodeDown { node } => (node, Change::Dead),
            Public::NodeLeft { node } => (node, Change::Left),
            Public::QuorumRegained { .. } if self.defect == Some(Defect::ForgetsSuspended) => {
                self.node.forget_suspended();
                return self.tell(News::Public(event));
            }
            _ => return self.tell(News::Public(event)),
        };
        self.peer(&node.clone(), change);
    }

    fn peer(&mut self, node: &NodeId, change: Change) {
        let incarnation = self.node.swim().member(node).map_or(0, |member| member.incarnation);
        let (boot, name) = (node.boot, node.name.clone());
        self.tell(News::Peer { boot, name, incarnation, change });
        if self.defect == Some(Defect::Ghosts) && change == Change::Dead && self.rng.chance(500) {
            self.peer(node, Change::Up);
        }
    }

    fn on_fact(&mut self, event: &Fresh) {
        match event {
            Fresh::Changed { name, now, state, .. } => {
                self.tell(News::Saw { name: name.clone(), pid: *now, state: *state });
                // As the driver does: until the claim of its new node is here, messages go to the
                // old process.
                let is_deaf = self.defect == Some(Defect::DeafView) && self.rng.chance(25);
                if *state != State::Pending && !is_deaf {
                    self.names.apply(event);
                }
            }
            Fresh::Left { .. } if self.defect == Some(Defect::StickyGroups) => (),
            Fresh::Joined { .. } | Fresh::Left { .. } => drop(self.groups.apply(event)),
            Fresh::RolledBack { peer, position } => {
                self.tell(News::Disowned { why: format!("{peer} holds its log up to {position}") });
            }
            Fresh::Conflict { .. } | Fresh::Applied { .. } | Fresh::Slowed { .. } => (),
        }
    }

    fn arrived(&mut self, message: Message) {
        let pid = message.pid.or_else(|| self.own(&message.name));
        if pid.is_some_and(|pid| pid.boot == self.id().boot) {
            self.route(Message { pid, ..message });
        }
    }

    fn on_message(&mut self, session: Session, bytes: &[u8]) {
        let Some(message) = Message::decode(bytes) else { return };
        match self.open.get_mut(&session) {
            Some(transport) if transport.is_up => self.arrived(message),
            Some(transport) => transport.early.push(message),
            None => (),
        }
    }

    /// A frame of a stream of its own.
    pub(super) fn on_bulk(&mut self, session: Session, bytes: Vec<u8>) {
        if self.open.contains_key(&session) {
            self.node.handle_message(self.now, Peer::Bulk(session), bytes);
        }
    }

    /// All names are handed over, or their time is over: the processes end.
    fn begin_end(&mut self) {
        self.tell(News::Leaving);
        self.end = End::Ending;
        self.node.closing(self.now);
        self.end_processes();
    }

    fn go_on_leaving(&mut self) {
        if self.end == End::Ending && self.processes.is_empty() {
            self.node.depart(self.now);
            self.end = End::Departing(self.now + GOODBYE);
        }
        if let End::Departing(until) = self.end
            && until <= self.now
        {
            self.node.close(self.now);
            self.pump();
            self.end = End::Gone;
            self.asks.clear();
            self.tell(News::Gone);
        }
    }

    /// Notes when an answer did not come in its time: the node is asked to act by each deadline,
    /// and has answered when it has acted.
    fn check_answers(&mut self) {
        let first = self.asks.iter().min_by_key(|(_, (deadline, _))| *deadline);
        let Some((id, (deadline, asked))) = first else { return };
        let is_asleep = self.node.poll_timeout().is_none_or(|at| *deadline < at);
        if self.late.is_none() && is_asleep {
            self.late = Some(format!("{asked:?}, number {id}, was due at {deadline}"));
        }
    }
}

impl Host for SimNode {
    type Datagram = Packet;
    type Frame = Frame;
    type Identity = Identity;
    type Event = News;

    fn identity(&self) -> Identity {
        Identity::member(CLUSTER, self.id().name.clone())
    }

    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: Packet) {
        self.now = now;
        if !self.is_gone() {
            self.node.handle_message(now, Peer::Datagram(from), datagram.0);
        }
    }

    fn handle_session(
        &mut self,
        now: Instant,
        session: Session,
        input: SessionInput<Frame, Identity>,
    ) {
        self.now = now;
        if self.is_gone() {
            return;
        }
        match input {
            SessionInput::Opened { identity, peer } => {
                self.open.insert(session, Transport::default());
                self.node.session_opened(now, session, identity, peer);
            }
            SessionInput::Failed => self.node.session_failed(now, session, Cause::Silent),
            SessionInput::Closed => {
                self.open.remove(&session);
                self.node.session_closed(now, session, Cause::Silent);
            }
            SessionInput::Frame(Frame { lane: Lane::Control, bytes }) => {
                self.node.handle_message(now, Peer::Control(session), bytes);
            }
            SessionInput::Frame(Frame { lane: Lane::Bulk, bytes }) => {
                self.bulk_later(session, bytes);
            }
            SessionInput::Frame(Frame { lane: Lane::Message, bytes }) => {
                self.on_message(session, &bytes);
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        if self.is_gone() {
            return;
        }
        self.run_errands();
        if self.alone_at.is_some_and(|at| at <= now) {
            self.alone_at = None;
            self.tell(News::Alone);
        }
        if self.node.poll_timeout().is_some_and(|at| at <= now) {
            self.node.handle_timeout(now);
        }
        self.pump();
        self.go_on_leaving();
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let leaving = match self.end {
            End::Gone => return None,
            End::Departing(until) => Some(until),
            End::Ending if self.processes.is_empty() => Some(self.now),
            _ => None,
        };
        [self.node.poll_timeout(), self.processes.poll_timeout(), leaving]
            .into_iter()
            .flatten()
            .min()
    }

    fn poll_effect(&mut self) -> Option<Effect<Packet, Frame, News>> {
        if self.effects.is_empty() && !self.is_gone() {
            self.pump();
            if self.effects.is_empty() {
                self.check_answers();
            }
        }
        self.effects.pop_front()
    }

    fn damaged(&self, datagram: &Packet, rng: &mut Rng) -> Option<Packet> {
        let mut bytes = datagram.0.clone();
        let at = rng.index(bytes.len())?;
        bytes[at] ^= 1 << rng.below(8);
        Some(Packet(bytes))
    }
}
