//! Two machines and every order in which what they do to each other can arrive.
//!
//! A transport is two queues, one towards each end. The search delivers the head of any queue next,
//! fails a dial or breaks a transport where the scenario allows it, and lets time pass when nothing
//! is on its way. At rest both ends must have the same one session.

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use swarm_base::{Boot, Instant, Machine, NodeId, NodeName, Output, Rng, Session};
use swarm_link::{Cause, Config, Event, Hello, Identity, Links, Reason};

#[test]
fn simultaneous_dials_end_in_one_session() {
    let mut world = World::new(Duration::from_millis(1), None);
    world.is_calm = true;
    assert!(search(world) > 50);
}

#[test]
fn a_session_is_made_again_after_any_two_breaks() {
    let mut world = World::new(Duration::from_millis(1), None);
    world.breaks = 2;
    assert!(search(world) > 1000);
}

#[test]
fn a_late_dial_of_the_larger_changes_nothing_in_the_end() {
    let mut world = World::new(Duration::from_millis(500), None);
    world.breaks = 2;
    assert!(search(world) > 100);
}

#[test]
fn one_that_cannot_dial_is_dialled() {
    for mute in [0, 1] {
        let mut world = World::new(Duration::from_millis(1), Some(mute));
        world.is_calm = true;
        assert!(search(world) > 10);
    }
}

#[test]
fn a_newer_life_takes_the_place_of_the_old() {
    for restarted in [0, 1] {
        let mut world = World::new(Duration::from_millis(1), None);
        world.restarts = Some(restarted);
        assert!(search(world) > 100);
    }
}

#[test]
fn random_walks_with_many_breaks_and_a_restart_come_to_rest() {
    for seed in 0..2000 {
        let mut rng = Rng::new(seed);
        let mut world = World::new(Duration::from_millis(1), None);
        world.breaks = 6;
        world.restarts = rng.chance(500).then(|| rng.below(2) as usize);
        loop {
            let moves = world.moves();
            let Some(at) = rng.index(moves.len()) else { break };
            world.take(moves[at]);
            world.history.push(moves[at]);
            assert!(world.history.len() < 2000, "seed {seed} does not come to rest");
        }
        eprintln!("seed {seed}");
        world.check();
    }
}

/// Visits every reachable state, and says how many there are.
fn search(first: World) -> usize {
    let (mut seen, mut open) = (BTreeSet::new(), vec![first]);
    while let Some(world) = open.pop() {
        let moves = world.moves();
        if moves.is_empty() {
            world.check();
        }
        for step in moves {
            let mut next = world.clone();
            next.take(step);
            next.history.push(step);
            if seen.insert(next.fingerprint()) {
                assert!(seen.len() < 2_000_000, "the search does not end");
                open.push(next);
            }
        }
    }
    seen.len()
}

#[derive(Clone)]
struct World {
    now: Instant,
    nodes: [Links; 2],
    boots: [u64; 2],
    transports: Vec<Transport>,
    accepted: u64,
    /// How many transports may still break by themselves.
    breaks: u32,
    /// Whose dials never get through.
    mute: Option<usize>,
    /// Who restarts once, at any time.
    restarts: Option<usize>,
    /// How many times the clock went on.
    waits: u32,
    /// Whether nothing breaks, so that no session may go down.
    is_calm: bool,
    history: Vec<Step>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Deliver { transport: usize, end: usize },
    Break { transport: usize },
    Restart,
    Wait,
}

/// A transport between the nodes; `sessions[i]` is node i's number for it.
#[derive(Clone, Hash)]
struct Transport {
    dialler: usize,
    sessions: [Option<Session>; 2],
    queues: [VecDeque<Item>; 2],
    /// Which ends still have it.
    alive: [bool; 2],
}

#[derive(Clone, Debug)]
enum Item {
    Opened,
    Failed,
    Hello(Hello),
    Closed(Cause),
}

impl Hash for Item {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The numbers drawn at random differ from order to order and change nothing.
        match self {
            Self::Hello(hello) => hello.node.hash(state),
            other => format!("{other:?}").hash(state),
        }
        std::mem::discriminant(self).hash(state);
    }
}

impl World {
    fn new(larger_waits: Duration, mute: Option<usize>) -> Self {
        let config = Config { larger_waits, ..Config::default() }.check().expect("sensible");
        let links = |at: usize| Links::new(id(at, 1), "blue", config.clone(), Rng::new(at as u64));
        let mut world = Self {
            now: Instant::START,
            nodes: [links(0), links(1)],
            boots: [1, 1],
            transports: Vec::new(),
            accepted: 0,
            breaks: 0,
            mute,
            restarts: None,
            waits: 0,
            is_calm: false,
            history: Vec::new(),
        };
        for at in [0, 1] {
            world.meet(at);
        }
        // Past the wait of the larger one, if that is short: both dial now.
        world.now += Duration::from_millis(2);
        world.tick();
        world
    }

    /// Node `at` learns that the other is a member.
    fn meet(&mut self, at: usize) {
        let other = id(1 - at, self.boots[1 - at]);
        self.nodes[at].member_up(self.now, other, address(1 - at));
        self.act(at);
    }

    fn moves(&self) -> Vec<Step> {
        let mut moves = Vec::new();
        for (transport, found) in self.transports.iter().enumerate() {
            for end in [0, 1] {
                if !found.queues[end].is_empty() {
                    moves.push(Step::Deliver { transport, end });
                }
            }
            if self.breaks > 0 && found.alive == [true, true] {
                moves.push(Step::Break { transport });
            }
        }
        if self.restarts.is_some() {
            moves.push(Step::Restart);
        }
        let quiet = !moves.iter().any(|step| matches!(step, Step::Deliver { .. }));
        let done = [0, 1].into_iter().all(|at| self.session(at).is_some());
        if quiet && !(done && self.nodes.iter().all(|node| node.poll_timeout().is_none())) {
            assert!(self.waits < 60, "no rest after {:?}", self.history);
            moves.push(Step::Wait);
        }
        moves
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Deliver { transport, end } => self.deliver(transport, end),
            Step::Break { transport } => {
                self.breaks -= 1;
                // What is on its way is lost, except that each end learns of it when it does.
                let broken = &mut self.transports[transport];
                for end in [0, 1] {
                    broken.queues[end].retain(|item| matches!(item, Item::Opened));
                    broken.queues[end].push_back(Item::Closed(Cause::Silent));
                }
            }
            Step::Restart => self.restart(),
            Step::Wait => {
                self.waits += 1;
                let next = self.nodes.iter().filter_map(Links::poll_timeout).min();
                self.now = next.expect("without a session somebody waits for something");
                self.tick();
            }
        }
    }

    fn tick(&mut self) {
        for at in [0, 1] {
            self.nodes[at].handle_timeout(self.now);
            self.act(at);
        }
    }

    fn deliver(&mut self, transport: usize, end: usize) {
        let found = &mut self.transports[transport];
        let item = found.queues[end].pop_front().expect("checked");
        if !found.alive[end] {
            return;
        }
        let dialled = found.dialler == end;
        let (now, node) = (self.now, &mut self.nodes[end]);
        let session = *found.sessions[end].get_or_insert_with(|| {
            self.accepted += 1;
            Session::accepted(self.accepted)
        });
        match item {
            Item::Opened => {
                let identity = Identity::member("blue", name(1 - end));
                node.handle_opened(now, session, identity, address(1 - end));
            }
            Item::Failed => {
                found.alive = [false, false];
                node.handle_failed(now, session, Cause::Silent);
            }
            Item::Hello(hello) => node.handle_message(now, session, hello),
            Item::Closed(why) => {
                found.alive[end] = false;
                if dialled {
                    node.handle_failed(now, session, why);
                } else {
                    node.handle_closed(now, session, why);
                }
            }
        }
        self.act(end);
    }

    fn restart(&mut self) {
        let at = self.restarts.take().expect("checked");
        self.boots[at] = 2;
        for transport in &mut self.transports {
            transport.alive[at] = false;
            transport.queues[at].clear();
            transport.queues[1 - at].push_back(Item::Closed(Cause::Reset));
        }
        let config = Config { larger_waits: Duration::from_millis(1), ..Config::default() };
        let config = config.check().expect("sensible");
        self.nodes[at] = Links::new(id(at, 2), "blue", config, Rng::new(9));
        // The other learns of it only by the hello.
        self.meet(at);
    }

    /// Does what node `at` asks for.
    fn act(&mut self, at: usize) {
        while let Some(output) = self.nodes[at].poll_output() {
            match output {
                Output::Event(Event::Dial { session, .. }) => {
                    let mut sessions = [None, None];
                    sessions[at] = Some(session);
                    let mut queues = [VecDeque::from([Item::Opened]), [Item::Opened].into()];
                    if self.mute == Some(at) {
                        queues = [VecDeque::new(), VecDeque::new()];
                        queues[at].push_back(Item::Failed);
                    }
                    let alive = [true, true];
                    self.transports.push(Transport { dialler: at, sessions, queues, alive });
                }
                Output::Event(Event::Close { session, reason }) => {
                    let found = self.transport(at, session);
                    found.alive[at] = false;
                    found.queues[at].clear();
                    found.queues[1 - at].push_back(Item::Closed(Cause::There(reason)));
                    assert_ne!(reason, Reason::Version);
                }
                Output::Event(Event::Down { .. }) => {
                    assert!(!self.is_calm, "a session went down after {:?}", self.history);
                }
                Output::Event(Event::Up { .. } | Event::Refused { .. }) => (),
                Output::Send { to, message } => {
                    let found = self.transport(at, to);
                    assert!(found.alive[at], "sent on a session that is closed");
                    found.queues[1 - at].push_back(Item::Hello(message));
                }
            }
        }
    }

    fn transport(&mut self, at: usize, session: Session) -> &mut Transport {
        let found = self.transports.iter_mut().rfind(|t| t.sessions[at] == Some(session));
        found.expect("a session has a transport")
    }

    /// The transport whose session is up at node `at`.
    fn session(&self, at: usize) -> Option<usize> {
        let other = id(1 - at, self.boots[1 - at]);
        let session = self.nodes[at].session(&other)?;
        self.transports.iter().rposition(|t| t.alive[at] && t.sessions[at] == Some(session))
    }

    fn check(&self) {
        let (a, b) = (self.session(0), self.session(1));
        assert!(a.is_some() && a == b, "{a:?} and {b:?} after {:?}", self.history);
        let open = self.transports.iter().filter(|t| t.alive != [false, false]).count();
        assert_eq!(open, 1, "transports left open after {:?}", self.history);
    }

    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.now, self.boots, &self.transports, self.breaks, self.restarts).hash(&mut hasher);
        for node in &self.nodes {
            shape(node).hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// A machine's state without what its generator has drawn.
fn shape(node: &Links) -> String {
    let state = format!("{node:?}");
    let (before, after) = state.split_once("rng: ").expect("it owns one");
    let after = after.split_once("dials: ").expect("the field after it").1;
    let mut shape = before.to_owned();
    // Numbers of links are the only ones of more than sixteen digits.
    let digits = |part: &str| part.len() > 16 && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts = after.split_inclusive(|c: char| !c.is_ascii_digit());
    shape
        .extend(parts.filter(|part| !digits(part.trim_end_matches(|c: char| !c.is_ascii_digit()))));
    shape
}

fn name(at: usize) -> NodeName {
    NodeName::new(["a", "b"][at]).expect("a name")
}

fn id(at: usize, boot: u64) -> NodeId {
    NodeId::new(name(at), Boot { millis: boot, random: 0 })
}

fn address(at: usize) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 4000 + at as u16).into()
}
