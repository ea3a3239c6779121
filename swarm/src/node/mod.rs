//! The whole node as one machine.
//!
//! It composes membership, links, facts, agreement and moves, and is the only place that knows
//! how they relate: a member that joins is dialled, a session that comes up carries facts, a
//! death closes a log and orphans its names, a change of the ring opens a round of agreement, and
//! an agreed ring lets the reconciler start and move names. It has no clock, socket or task: the
//! driver feeds it, and so does the simulated world.

mod answered;
mod asks;
mod conflicts;
mod escalating;
mod event;
mod exits;
mod explaining;
#[cfg(feature = "sim")]
mod flawed;
#[cfg(feature = "sim")]
mod gauges;
mod leaving;
mod losing;
mod meta;
mod moving;
mod names;
mod placing;
mod planning;
mod quorum;
mod registering;
mod relaying;
mod requests;
mod reserved;
mod resolving;
mod resuming;
mod rings;
mod seating;
mod seats;
mod sessions;
mod settings;
mod standbys;
mod starting;
mod stopping;
mod sweeping;
mod winning;
mod wire;

pub(crate) use event::{Command, Drained, Event, Freeze, Frozen, Gone, Mode, Policy};
#[cfg(feature = "sim")]
pub(crate) use gauges::Gauges;
pub(crate) use meta::NodeMeta;
pub(crate) use placing::{Owner, Placing};
pub(crate) use rings::{MakeStrategy, Strategies};
pub(crate) use seats::Seat;
pub(crate) use settings::{Differs, TOLD_WITHIN};
pub use wire::Stop;
pub(crate) use wire::{Outcome, What, Wire};

use crate::resolver::Resolvers;
use crate::scope::split_kind;
use answered::Answered;
use asks::Asks;
use conflicts::Conflicts;
use explaining::Late;
use leaving::Leaving;
use names::Names;
use planning::Behind;
use quorum::Under;
use reserved::Reserved;
use resuming::Resuming;
use standbys::Standbys;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use swarm_base::{Boot, Instant, Machine, NodeId, Output, Scope, Session};
use swarm_handoff::{Accepting, Agreement, MoveId, MoveMessage, Moves, Reconciler};
use swarm_link::Links;
use swarm_registry::Registry;
use swarm_swim::Swim;
use sweeping::Sweep;

/// How a node addresses a peer: by a datagram, or on one of the lanes of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    /// Gossip.
    Datagram(SocketAddr),
    /// The control stream: in order.
    Control(Session),
    /// Beside the control stream and not in order with it: for what is large.
    Bulk(Session),
}

/// What a node is made of.
pub(crate) struct Parts {
    pub me: NodeId,
    pub meta: NodeMeta,
    pub swim: Swim,
    pub links: Links,
    pub registry: Registry,
    pub agreement: Agreement,
    pub handoff: swarm_handoff::Checked,
    pub moves: Moves,
    pub reconciler: Reconciler,
    pub placing: Placing,
    pub policies: BTreeMap<String, Policy>,
    pub resolvers: Resolvers,
    /// Whether the node owns nothing until a seed has handed over the member list.
    pub seeded: bool,
}

/// The node.
pub(crate) struct Node {
    me: NodeId,
    meta: NodeMeta,
    swim: Swim,
    links: Links,
    registry: Registry,
    agreement: Agreement,
    /// Of each scope whose strategy wants a quorum.
    under: Vec<Under>,
    /// Set when there may be a seat for this node that there was not.
    seats_due: bool,
    moves: Moves,
    reconciler: Reconciler,
    placing: Placing,
    names: Names,
    late: Late,
    asks: Asks,
    answered: Answered,
    conflicts: Conflicts,
    resolvers: Resolvers,
    standbys: Standbys,
    reserved: Reserved,
    leaving: Leaving,
    /// Processes that go on here once it is known that they do not run elsewhere.
    resuming: Vec<Resuming>,
    /// When the reconciler can do what it could not before, apart from its own timer.
    plan_at: Option<Instant>,
    /// All names are being looked at.
    sweep: Option<Sweep>,
    /// Set while the nodes agree, but not all that they had written and hold of dead ones has
    /// arrived here.
    behind: Option<Behind>,
    /// Set once it has waited long enough for that, until the ring changes.
    gave_up_waiting: bool,
    /// The members that differ in a setting that all must share: they are none of ours.
    kept_out: BTreeSet<NodeId>,
    /// Set once it is known that this node is the one that is kept out.
    differs: Option<Differs>,
    /// Until when the node owns nothing because it has not heard of the others yet.
    alone_until: Option<Instant>,
    outputs: VecDeque<Output<Peer, Vec<u8>, Event>>,
    /// Answers, which go behind the facts that they speak of: on the same stream to other nodes,
    /// and behind the views to callers of this one.
    answers: Vec<(NodeId, wire::Answer)>,
    /// Since when the layers may have something to say to each other.
    unsettled: Option<Instant>,
    /// Frames from peers that could not be read.
    malformed: u64,
    /// Set while the node stops: what ends then is no news, and its names start elsewhere.
    is_closing: bool,
}

/// A node that cannot reach its seeds goes on alone after this: they may not have started yet.
pub(crate) const ALONE_AFTER: Duration = Duration::from_secs(2);

/// How many marked names the reconciler looks at, and how many more in a sweep, before the node
/// handles other inputs.
const PLAN_BUDGET: usize = 1_000;

/// Larger frames of moves and conflicts, and all chunks of states, go beside the control stream, so
/// that facts overtake them.
const BULK_FROM: usize = 64 * 1024;

impl Node {
    /// Composes the parts, which have been created at `now`.
    pub(crate) fn new(now: Instant, parts: Parts) -> Self {
        let me = &parts.me;
        let under = |(scope, want): (&Scope, usize)| {
            Under::new(now, &parts.handoff, me.clone(), scope.clone(), want)
        };
        let mut moves = parts.moves;
        moves.set_kinds(parts.meta.kinds.clone());
        let mut node = Self {
            under: parts.placing.quorums().map(under).collect(),
            me: parts.me,
            meta: parts.meta,
            swim: parts.swim,
            links: parts.links,
            registry: parts.registry,
            agreement: parts.agreement,
            moves,
            reconciler: parts.reconciler,
            placing: parts.placing,
            names: Names::new(parts.policies),
            late: Late::default(),
            asks: Asks::default(),
            answered: Answered::default(),
            conflicts: Conflicts::default(),
            resolvers: parts.resolvers,
            standbys: Standbys::default(),
            reserved: Reserved::default(),
            seats_due: false,
            plan_at: None,
            sweep: None,
            behind: None,
            gave_up_waiting: false,
            leaving: Leaving::default(),
            resuming: Vec::new(),
            kept_out: BTreeSet::new(),
            differs: None,
            alone_until: parts.seeded.then(|| now + ALONE_AFTER),
            outputs: VecDeque::new(),
            answers: Vec::new(),
            unsettled: None,
            malformed: 0,
            is_closing: false,
        };
        node.placing.update(&node.me, node.meta.clone());
        node.ring_changed(now);
        node
    }

    pub(crate) const fn id(&self) -> &NodeId {
        &self.me
    }

    pub(crate) const fn swim(&self) -> &Swim {
        &self.swim
    }

    pub(crate) const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Control frames that could not be read.
    pub(crate) const fn malformed(&self) -> u64 {
        self.malformed
    }

    pub(crate) const fn placing(&self) -> &Placing {
        &self.placing
    }

    /// Says whether names may be placed here.
    pub(crate) fn set_ready(&mut self, now: Instant, ready: bool) {
        if self.meta.ready == ready {
            return;
        }
        self.meta.ready = ready;
        self.say_anew(now);
    }

    /// What this node says of itself has changed.
    fn say_anew(&mut self, now: Instant) {
        if let Ok(metadata) = swarm_swim::Metadata::new(self.meta.encode()) {
            self.swim.set_metadata(now, metadata);
        }
        self.placing.update(&self.me, self.meta.clone());
        self.ring_changed(now);
        // Membership tells of others only.
        self.emit(Event::Members);
    }

    /// An input came in at `now`.
    fn touch(&mut self, now: Instant) {
        self.unsettled = Some(now);
    }

    fn emit(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn command(&mut self, command: Command) {
        self.emit(Event::Process(command));
    }

    fn tell(&mut self, event: crate::Event) {
        self.emit(Event::Public(event));
    }

    /// Sends `wire` to `node`, if a session is up. What must arrive is sent again by its machine.
    fn send(&mut self, node: &NodeId, wire: &Wire) {
        let Some(session) = self.links.session(node) else { return };
        // What this node says of itself always encodes; a value of a user's that does not is
        // refused where it comes in.
        if let Ok(bytes) = wire.encode() {
            let is_long = bytes.len() >= BULK_FROM;
            let lane = match wire {
                Wire::Move(MoveMessage::Chunk { .. }) => Peer::Bulk,
                Wire::Move(_) | Wire::Conflict(_) | Wire::Relay(_) | Wire::Relayed(_)
                    if is_long =>
                {
                    Peer::Bulk
                }
                _ => Peer::Control,
            };
            self.outputs.push_back(Output::Send { to: lane(session), message: bytes });
        }
    }

    /// From now on nothing starts here, and nothing that ends here is logged: the names that are still here are started
    /// again by the others, once this node has left.
    pub(crate) fn closing(&mut self, now: Instant) {
        self.is_closing = true;
        self.moves.set_accepting(Accepting::Leaving);
        // Whoever waits for a start here learns now that there will be none.
        self.reconsider_all(now);
        self.touch(now);
    }

    /// The ring, or who is in it, is not what it was.
    fn ring_changed(&mut self, now: Instant) {
        if self.alone_until.is_some() {
            return;
        }
        // Whoever gets an acknowledgement must know what is being started here: the facts go
        // first on the same stream (ownership rule R2).
        self.log_starts(now);
        let others = self.placing.members().map(|(node, _)| node.clone());
        let others: BTreeSet<NodeId> = others.filter(|node| *node != self.me).collect();
        let hash = self.placing.hash();
        self.quorum_changed(now, hash);
        self.agreement.set_ring(now, hash, others);
        self.gave_up_waiting = false;
        self.reconciler.ring_changed(now);
        self.reconsider_all(now);
    }

    /// Lets the layers talk to each other until they have nothing more to say.
    fn settle(&mut self, now: Instant) {
        loop {
            let mut quiet = !self.settle_peers(now);
            quiet &= !self.settle_facts(now);
            for (origin, answer) in std::mem::take(&mut self.answers) {
                if origin == self.me {
                    self.emit(Event::Answer { id: answer.id, outcome: answer.outcome });
                } else {
                    quiet = false;
                    let answer = wire::AnswerFrame::new(answer, &self.me);
                    self.send_behind_facts(now, &origin, &Wire::Answer(answer));
                }
            }
            while let Some(output) = self.agreement.poll_output() {
                quiet = false;
                match output {
                    Output::Send { to, message } => {
                        let position = self.registry.position(&self.me);
                        let agree = wire::AgreeFrame { position, message };
                        self.send_behind_facts(now, &to, &Wire::Agree(agree));
                    }
                    Output::Event(event) => self.on_agreement(now, event),
                }
            }
            quiet &= !self.settle_quorums(now);
            while let Some(output) = self.moves.poll_output() {
                quiet = false;
                match output {
                    Output::Send { to, message } => {
                        self.send_behind_facts(now, &to, &Wire::Move(message));
                    }
                    Output::Event(event) => self.on_move(now, event),
                }
            }
            if quiet && !self.check_behind(now) {
                break;
            }
        }
        for (kind, reason) in self.placing.take_failures() {
            let (scope, kind) = split_kind(&kind);
            let (scope, kind) = (scope.map(str::to_owned), kind.to_owned());
            self.tell(crate::Event::StrategyFailed { scope, kind, reason });
        }
    }

    /// Sends what its receiver must not read before the facts that this node has appended: an
    /// answer speaks of them, and for acknowledgements see [`ring_changed`](Self::ring_changed).
    fn send_behind_facts(&mut self, now: Instant, node: &NodeId, wire: &Wire) {
        self.registry.flush();
        self.settle_facts(now);
        self.send(node, wire);
    }

    /// Lets the registry say what it has to say; tells whether it had anything.
    fn settle_facts(&mut self, now: Instant) -> bool {
        let mut any = false;
        while let Some(output) = self.registry.poll_output() {
            any = true;
            match output {
                Output::Send { to, message } => self.send(&to, &Wire::facts(message, &self.me)),
                Output::Event(event) => self.on_fact(now, event),
            }
        }
        any
    }

    /// Lets membership and links say what they have to say; tells whether they had anything.
    /// Unlike the rest this cannot wait for the outputs to be asked for: what a peer says next
    /// counts only once it is known to be there.
    fn settle_peers(&mut self, now: Instant) -> bool {
        let mut any = false;
        while let Some(output) = self.swim.poll_output() {
            any = true;
            match output {
                Output::Send { to, message } => {
                    self.outputs.push_back(Output::Send { to: Peer::Datagram(to), message });
                }
                Output::Event(event) => self.on_member(now, event),
            }
        }
        while let Some(output) = self.links.poll_output() {
            any = true;
            match output {
                Output::Send { to, message } => {
                    let message = Wire::Hello(message).encode().expect("a hello encodes");
                    self.outputs.push_back(Output::Send { to: Peer::Control(to), message });
                }
                Output::Event(event) => self.on_link(now, event),
            }
        }
        any
    }

    fn on_frame(&mut self, now: Instant, session: Session, bytes: &[u8]) {
        let Ok(wire) = Wire::decode(bytes) else {
            self.malformed += 1;
            return;
        };
        if let Wire::Hello(hello) = wire {
            self.links.handle_message(now, session, hello);
            self.settle_peers(now);
            return;
        }
        // Before the hello a session carries nothing else.
        let Some(from) = self.links.node(session).cloned() else { return };
        self.swim.hint_alive(now, &from);
        match wire {
            Wire::Hello(_) => (),
            Wire::Facts(message) => self.registry.handle_message(now, from, message),
            Wire::Own(facts) => {
                let message = facts.message(&from);
                self.registry.handle_message(now, from, message);
            }
            Wire::Agree(wire::AgreeFrame { position, message }) => {
                self.log_starts(now);
                self.registry.expect(&from, position);
                self.agreement.handle_message(now, from, message);
                self.check_behind(now);
            }
            Wire::Adopt(adopt) => self.adopt(now, &from, adopt),
            Wire::NotAdopted(no) => self.not_adopted(now, &from, &no),
            Wire::Vote(vote) => self.on_vote(now, from, vote),
            Wire::Seats(seats) => self.on_seats(now, from, seats),
            Wire::Move(message) => self.moves.handle_message(now, from, message),
            Wire::Ask(ask) => self.on_ask(now, ask.ask(from)),
            Wire::Referral(referral) => self.on_referral(now, &from, referral),
            Wire::Answer(answer) => self.on_answer(now, answer.answer(&from)),
            Wire::Withdrawn(id) => self.end_ask(now, (from.boot, id)),
            Wire::Conflict(conflict) => self.on_conflict_message(now, &from, conflict),
            Wire::Relay(relay) => self.pass_on_conflict(from, relay),
            Wire::Relayed(relayed) => self.on_relayed(now, from, relayed),
        }
    }
}

impl Machine for Node {
    type Peer = Peer;
    type Message = Vec<u8>;
    type Event = Event;

    fn handle_message(&mut self, now: Instant, from: Peer, message: Vec<u8>) {
        match from {
            Peer::Datagram(from) => {
                self.swim.handle_message(now, from, message);
                self.settle_peers(now);
            }
            Peer::Control(session) | Peer::Bulk(session) => self.on_frame(now, session, &message),
        }
        self.touch(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.alone_until.is_some_and(|until| until <= now) && !self.stops_for_settings(now) {
            self.alone_until = None;
            self.ring_changed(now);
        }
        self.swim.handle_timeout(now);
        self.links.handle_timeout(now);
        self.registry.handle_timeout(now);
        self.agreement.handle_timeout(now);
        for under in &mut self.under {
            under.machine.handle_timeout(now);
        }
        self.moves.handle_timeout(now);
        self.expire_asks(now);
        self.expire_reserved(now);
        if !self.is_closing {
            self.restart_due(now);
            self.conflicts_due(now);
        }
        self.check_leaving(now);
        self.settle(now);
        self.check_behind(now);
        self.plan(now);
        self.touch(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [
            self.alone_until,
            self.plan_at,
            self.behind.as_ref().map(|behind| behind.until),
            self.swim.poll_timeout(),
            self.links.poll_timeout(),
            self.registry.poll_timeout(),
            self.agreement.poll_timeout(),
            self.under.iter().filter_map(|under| under.machine.poll_timeout()).min(),
            self.under.iter().filter_map(Under::hold_ends).min().filter(|_| !self.is_closing),
            self.under
                .iter()
                .filter_map(|under| under.seats.ask_at)
                .min()
                .filter(|_| !self.is_closing),
            self.moves.poll_timeout(),
            self.plan_timeout().filter(|_| !self.is_closing),
            self.asks.deadline(),
            self.reserved.deadline(),
            self.names.next_restart().filter(|_| !self.is_closing),
            self.conflicts.deadline().filter(|_| !self.is_closing),
            self.leaving.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Settles only here: so a driver that hands over several inputs before it asks for outputs
    /// gets their facts in one batch.
    fn poll_output(&mut self) -> Option<Output<Peer, Vec<u8>, Event>> {
        if self.outputs.is_empty()
            && let Some(now) = self.unsettled.take()
        {
            self.settle(now);
        }
        self.outputs.pop_front()
    }
}

/// The life and number of a move, for logs and events.
fn move_id(source: Boot, serial: u64) -> MoveId {
    MoveId { source, serial }
}

/// A kind, as facts carry it.
type Kind = Arc<str>;
