//! A machine above the registry, as a whole node is one: names, groups, and who decides.

use crate::agreement::Agreement;
use crate::news::{Answer, Frame, Grant, How, News, Question};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use swarm_base::{Instant, Machine, Name, NodeId, Output, Pid, Rng};
use swarm_groups::View as Groups;
use swarm_registry::{Checked, Event, Registry, View};
use swarm_sim::Mesh;

pub(crate) struct Member {
    pub(crate) registry: Registry,
    /// What readers of names see.
    pub(crate) names: View,
    /// What readers of groups see.
    pub(crate) groups: Groups,
    /// What really runs here.
    pub(crate) processes: BTreeMap<Pid, Name>,
    pub(crate) agreement: Agreement,
    pub(crate) starts: BTreeMap<Name, Start>,
    pub(crate) asked: BTreeMap<u64, Asked>,
    /// The number of the session with each peer that it has one with.
    pub(crate) sessions: BTreeMap<NodeId, u64>,
    pub(super) held: Vec<Request>,
    /// Names to look at again.
    pub(super) dirty: BTreeSet<Name>,
    /// Names that run here below a token that is known.
    pub(super) outranked: BTreeSet<Name>,
    pub(super) temper: Temper,
    pub(super) rng: Rng,
    pub(super) serial: u64,
    pub(super) out: VecDeque<Output<NodeId, Frame, News>>,
    next_id: u64,
    n_sessions: u64,
    born: Instant,
    tick_at: Instant,
    ticked_at: Instant,
    probe_at: Instant,
    last_now: Instant,
}

/// How the nodes of a seed are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Temper {
    /// Whether they decide only when all agree.
    pub(crate) is_careful: bool,
    pub(crate) start_max: Duration,
    /// How many bytes of arguments a process has.
    pub(crate) args_len: usize,
}

/// A process that is being started.
pub(crate) struct Start {
    pub(super) at: Instant,
    pub(super) how: How,
    pub(super) asker: Option<(NodeId, u64)>,
}

/// A question that waits for its answer.
pub(crate) struct Asked {
    pub(crate) deadline: Instant,
    /// The answer, whose log has not come so far here.
    grant: Option<Grant>,
}

/// A question of another node that cannot be answered yet.
pub(super) struct Request {
    pub(super) asker: (NodeId, u64),
    pub(super) name: Name,
    pub(super) until: Instant,
}

impl Member {
    pub(crate) fn new(
        now: Instant,
        me: NodeId,
        config: Checked,
        temper: Temper,
        mut rng: Rng,
    ) -> Self {
        Self {
            registry: Registry::new(now, me.clone(), config, rng.fork()),
            names: View::new(),
            groups: Groups::new(),
            processes: BTreeMap::new(),
            agreement: Agreement::new(me),
            starts: BTreeMap::new(),
            asked: BTreeMap::new(),
            sessions: BTreeMap::new(),
            n_sessions: 0,
            held: Vec::new(),
            dirty: BTreeSet::new(),
            outranked: BTreeSet::new(),
            temper,
            rng,
            serial: 0,
            out: VecDeque::new(),
            next_id: 0,
            born: now,
            tick_at: now + TICK,
            ticked_at: now,
            probe_at: now + PROBE,
            last_now: now,
        }
    }

    pub(crate) const fn me(&self) -> &NodeId {
        self.registry.me()
    }

    pub(crate) fn node_up(&mut self, now: Instant, node: NodeId) {
        self.registry.node_up(now, node.clone());
        self.change_ring(|ring| {
            ring.retain(|other| other.name != node.name);
            ring.insert(node);
        });
    }

    pub(crate) fn node_dead(&mut self, now: Instant, node: &NodeId) {
        self.registry.node_dead(now, node);
        self.change_ring(|ring| ring.retain(|other| other != node));
    }

    /// Whether this node may decide about names.
    pub(crate) fn may_act(&self, now: Instant) -> bool {
        !self.temper.is_careful
            || (self.born + JOIN_WAIT <= now
                && self.agreement.is_complete(|log| self.registry.position(log))
                && self.registry.caught_up())
    }

    /// When it last looked at what is due.
    pub(crate) const fn ticked_at(&self) -> Instant {
        self.ticked_at
    }

    /// Asks the owner of `name` for something.
    pub(crate) fn ask(&mut self, now: Instant, what: Question, name: Name) {
        self.next_id += 1;
        let (id, deadline) = (self.next_id, now + DEADLINE);
        self.asked.insert(id, Asked { deadline, grant: None });
        self.tell(News::Asked { id, what });
        let owner = self.agreement.owner(&name).clone();
        let to_self = owner == *self.me();
        match what {
            Question::Register if to_self => {
                let asker = (owner, id);
                self.grant(now, Request { asker, name, until: now + HOLD });
            }
            Question::Whereis if to_self => {
                let found = self.names.whereis(name.as_bytes());
                self.answered(id, Answer::Found(found));
            }
            Question::Register => self.send(owner, Frame::Register { id, name }),
            Question::Whereis => self.send(owner, Frame::Whereis { id, name }),
        }
    }

    pub(super) fn answer(&mut self, (to, id): (NodeId, u64), answer: Answer) {
        if to == *self.me() {
            return self.answered(id, answer);
        }
        self.send(to, Frame::Answer { id, answer });
    }

    pub(super) fn tell(&mut self, news: News) {
        self.out.push_back(Output::Event(news));
    }

    fn send(&mut self, to: NodeId, message: Frame) {
        self.out.push_back(Output::Send { to, message });
    }

    fn answered(&mut self, id: u64, answer: Answer) {
        let Some(asked) = self.asked.get_mut(&id) else { return };
        if let Answer::Registered(grant) = answer {
            // The caller is told when it would find the process here.
            asked.grant = Some(grant);
            return self.deliver();
        }
        self.asked.remove(&id);
        self.tell(News::Answered { id, answer });
    }

    /// Passes on what is here by now.
    fn deliver(&mut self) {
        let has_come = |grant: &Grant| self.registry.position(&grant.log) >= grant.position;
        let due = self.asked.extract_if(.., |_, asked| asked.grant.as_ref().is_some_and(has_come));
        let due: Vec<_> = due.collect();
        for (id, asked) in due {
            let answer = asked.grant.map_or(Answer::No, Answer::Registered);
            self.tell(News::Answered { id, answer });
        }
    }

    fn change_ring(&mut self, change: impl FnOnce(&mut crate::news::Ring)) {
        let agreed = self.agreement.change(change);
        let position = self.registry.position(self.me());
        for (node, round) in agreed {
            self.send(node, Frame::Agreed { round, position });
        }
        let ring = self.agreement.ring().clone();
        let round = self.agreement.round();
        for node in ring.iter().filter(|node| *node != self.registry.me()) {
            let message = Frame::Ring { ring: ring.clone(), round };
            self.out.push_back(Output::Send { to: node.clone(), message });
        }
    }

    fn follow(&mut self, event: &Event) {
        self.names.apply(event);
        self.groups.apply(event);
        if let Event::Changed { name, .. } | Event::Conflict { name } = event {
            self.dirty.insert(name.clone());
        }
    }

    fn tick(&mut self, now: Instant) {
        self.deliver();
        let late = self.asked.extract_if(.., |_, asked| asked.deadline <= now);
        let late: Vec<_> = late.map(|(id, _)| id).collect();
        for id in late {
            self.tell(News::Answered { id, answer: Answer::Late });
        }
        for request in std::mem::take(&mut self.held) {
            self.grant(now, request);
        }
        self.claim_above(now);
        self.finish_starts(now);
        self.start_orphans(now);
        if self.probe_at <= now {
            self.probe_at = now + self.rng.duration(PROBE / 2..=PROBE);
            let name = crate::program::called(self.rng.below(NAMES));
            self.ask(now, Question::Whereis, name);
        }
    }
}

impl Machine for Member {
    type Peer = NodeId;
    type Message = Frame;
    type Event = News;

    fn handle_message(&mut self, now: Instant, from: NodeId, message: Frame) {
        self.last_now = now;
        match message {
            Frame::Log(message) => self.registry.handle_message(now, from, message),
            Frame::Ring { ring, round } => {
                if self.agreement.asks(from.clone(), ring, round) {
                    let position = self.registry.position(self.me());
                    self.send(from, Frame::Agreed { round, position });
                }
            }
            Frame::Agreed { round, position } => self.agreement.agrees(from, round, position),
            Frame::Register { id, name } => {
                self.grant(now, Request { asker: (from, id), name, until: now + HOLD });
            }
            Frame::Whereis { id, name } => {
                let found = self.names.whereis(name.as_bytes());
                self.send(from, Frame::Answer { id, answer: Answer::Found(found) });
            }
            Frame::Answer { id, answer } => self.answered(id, answer),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.last_now = now;
        self.registry.handle_timeout(now);
        self.look_after(now);
        if self.tick_at <= now {
            self.tick_at = now + TICK;
            self.ticked_at = now;
            self.tick(now);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if !self.dirty.is_empty() {
            return Some(self.last_now);
        }
        self.registry.poll_timeout().into_iter().chain([self.tick_at]).min()
    }

    fn poll_output(&mut self) -> Option<Output<NodeId, Frame, News>> {
        match self.registry.poll_output() {
            Some(Output::Send { to, message }) => {
                Some(Output::Send { to, message: Frame::Log(message) })
            }
            Some(Output::Event(event)) => {
                self.follow(&event);
                Some(Output::Event(News::Log(event)))
            }
            None => self.out.pop_front(),
        }
    }
}

impl Mesh for Member {
    fn peer_up(&mut self, now: Instant, peer: &NodeId) {
        self.last_now = now;
        self.registry.session_up(now, peer.clone());
        self.n_sessions += 1;
        self.sessions.insert(peer.clone(), self.n_sessions);
        // What was said on the last session may be lost.
        let (ring, round) = (self.agreement.ring().clone(), self.agreement.round());
        self.send(peer.clone(), Frame::Ring { ring, round });
    }

    fn peer_down(&mut self, now: Instant, peer: &NodeId) {
        self.last_now = now;
        self.registry.session_down(now, peer);
        self.sessions.remove(peer);
    }
}

/// How many names everybody wants.
pub(crate) const NAMES: u64 = 10;

/// How long a caller waits for an answer.
const DEADLINE: Duration = Duration::from_secs(3);

/// How long a node waits to be allowed to answer.
const HOLD: Duration = Duration::from_millis(2_500);

const TICK: Duration = Duration::from_millis(100);

const PROBE: Duration = Duration::from_millis(1_500);

/// A node that has just started knows who lives by then.
const JOIN_WAIT: Duration = Duration::from_millis(1_500);
