//! Ring agreement under views that change in any order: no two nodes start the same name without
//! one knowing of the other. The same checks catch the weaker rules.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use swarm_base::{Boot, Instant, Machine, NodeId, NodeName, Output, Rng};
use swarm_handoff::{Agree, Agreement, AgreementEvent, Checked, Standing};

#[test]
fn no_two_nodes_start_one_name() {
    let mut struck = BTreeMap::new();
    for seed in seeds() {
        let world = World::new(seed, Rule::Rounds).run();
        for (what, times) in world.struck {
            *struck.entry(what).or_insert(0) += times;
        }
        if let Some(what) = world.violation {
            panic!("SEED={seed} cargo test -p swarm-handoff --test agreement\n{what}");
        }
    }
    println!("{struck:?}");
    for what in ["start", "flag", "join", "break", "lost on break", "agreed", "overdue", "blocked"]
    {
        assert!(struck.contains_key(what), "{what} never struck");
    }
}

#[test]
fn weaker_rules_are_caught() {
    for rule in [Rule::None, Rule::LastHash] {
        let caught =
            (0..5_000).find_map(|seed| Some((seed, World::new(seed, rule).run().violation?)));
        let (seed, what) = caught.unwrap_or_else(|| panic!("{rule:?} was not caught"));
        println!("{rule:?}: seed {seed}: {what}");
    }
}

#[test]
fn a_node_alone_agrees_with_itself() {
    let mut alone = Agreement::new(Instant::START, Checked::default(), node(0));
    assert_eq!(alone.may_act(), Standing::Waiting, "not before its first ring");
    alone.set_ring(Instant::START, 7, BTreeSet::from([node(0)]));
    assert!(alone.agreed());
    assert_eq!(events(&mut alone), [AgreementEvent::Agreed { round: 1 }]);
    assert_eq!(alone.poll_timeout(), None);
    alone.set_ring(Instant::START, 7, BTreeSet::new());
    assert_eq!((alone.round(), alone.poll_output()), (1, None), "the same ring again");
}

#[test]
fn silence_is_overdue_once_and_can_still_be_broken() {
    let (mut me, at) = (Agreement::new(Instant::START, Checked::default(), node(0)), after);
    me.session_up(at(0), &node(1));
    me.set_ring(at(0), 7, BTreeSet::from([node(1), node(2)]));
    assert_eq!(me.may_act(), Standing::Waiting);
    me.handle_message(at(1), node(1), Agree::Ack { hash: 7, round: 1 });
    me.handle_message(at(1), node(1), Agree::Ack { hash: 7, round: 1 });
    assert_eq!(me.waiting_for().collect::<Vec<_>>(), [&node(2)]);
    assert_eq!(me.poll_timeout(), Some(at(2000)));
    me.handle_timeout(at(1999));
    assert_eq!(events(&mut me), []);
    me.handle_timeout(at(2000));
    me.handle_timeout(at(5000));
    let overdue = AgreementEvent::Overdue { round: 1, missing: vec![node(2)] };
    assert_eq!((events(&mut me), me.may_act()), (vec![overdue], Standing::Overdue));
    me.handle_message(at(6000), node(2), Agree::Ack { hash: 7, round: 1 });
    assert_eq!(events(&mut me), [AgreementEvent::Agreed { round: 1 }]);
    assert!(me.agreed());
}

#[test]
fn only_an_answer_to_the_present_round_counts() {
    let mut me = Agreement::new(Instant::START, Checked::default(), node(0));
    let ring = |me: &mut Agreement, hash| me.set_ring(after(0), hash, BTreeSet::from([node(1)]));
    for hash in [7, 8, 7] {
        ring(&mut me, hash);
    }
    for (hash, round) in [(7, 1), (8, 2), (8, 3), (7, 4)] {
        me.handle_message(after(1), node(1), Agree::Ack { hash, round });
        assert!(!me.agreed(), "hash {hash} round {round}");
    }
    me.handle_message(after(1), node(2), Agree::Ack { hash: 7, round: 3 });
    assert!(!me.agreed(), "from a stranger");
    me.handle_message(after(1), node(1), Agree::Ack { hash: 7, round: 3 });
    assert!(me.agreed());
}

#[test]
fn a_question_is_answered_when_the_own_ring_gets_there() {
    let mut me = Agreement::new(Instant::START, Checked::default(), node(0));
    let answers = |me: &mut Agreement| {
        std::iter::from_fn(|| me.poll_output())
            .filter_map(|output| match output {
                Output::Send { to, message: Agree::Ack { hash, round } } => Some((to, hash, round)),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    me.handle_message(after(0), node(1), Agree::Ring { hash: 7, round: 4 });
    me.handle_message(after(0), node(1), Agree::Ring { hash: 6, round: 3 });
    assert_eq!(answers(&mut me), [], "no ring yet");
    me.set_ring(after(0), 6, BTreeSet::new());
    assert_eq!(answers(&mut me), [], "the older question is void");
    me.set_ring(after(0), 7, BTreeSet::new());
    assert_eq!(answers(&mut me), [(node(1), 7, 4)]);
    me.handle_message(after(0), node(1), Agree::Ring { hash: 7, round: 4 });
    assert_eq!(answers(&mut me), [(node(1), 7, 4)], "asked again, answered again");
    me.session_down(after(0), &node(1));
    me.set_ring(after(0), 6, BTreeSet::new());
    me.set_ring(after(0), 7, BTreeSet::new());
    assert_eq!(answers(&mut me), [], "it will ask on its next session");
}

const NODES: usize = 3;
const NAMES: u64 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// What the crate does.
    Rounds,
    /// Agreed when the last hash that each member said is the own one.
    LastHash,
    /// Everybody acts by its own ring.
    None,
}

/// Nodes that join, flags that flip whether a node is in the ring, and news of both that travel
/// in any order. Facts and agreement share one ordered stream for each pair.
struct World {
    rng: Rng,
    now: Instant,
    rule: Rule,
    nodes: Vec<Node>,
    /// Whether each node wants to be in the ring, and how often it has changed its mind.
    truth: Vec<(u64, bool)>,
    streams: BTreeMap<(usize, usize), Stream>,
    starts: BTreeMap<u64, usize>,
    struck: BTreeMap<&'static str, u64>,
    violation: Option<String>,
}

struct Node {
    joined: bool,
    agreement: Agreement,
    flags: BTreeMap<usize, (u64, bool)>,
    started: BTreeSet<u64>,
    known: BTreeSet<u64>,
    heard: BTreeMap<usize, u64>,
}

/// One direction of a session.
#[derive(Default)]
struct Stream {
    up: bool,
    /// The sender has not noticed yet that it is broken.
    stale: bool,
    queue: VecDeque<Wire>,
}

enum Wire {
    Fact(u64),
    Agree(Agree),
}

impl World {
    fn new(seed: u64, rule: Rule) -> Self {
        let mut rng = Rng::new(seed);
        let fresh = |index| Node {
            joined: false,
            agreement: Agreement::new(Instant::START, Checked::default(), node(index)),
            flags: BTreeMap::new(),
            started: BTreeSet::new(),
            known: BTreeSet::new(),
            heard: BTreeMap::new(),
        };
        let mut world = Self {
            truth: (0..NODES).map(|_| (0, rng.chance(800))).collect(),
            rng,
            now: Instant::START,
            rule,
            nodes: (0..NODES).map(fresh).collect(),
            streams: BTreeMap::new(),
            starts: BTreeMap::new(),
            struck: BTreeMap::new(),
            violation: None,
        };
        world.nodes[0].joined = true;
        world.learn(0, 0);
        world
    }

    fn run(mut self) -> Self {
        for _ in 0..300 {
            let (a, b) = (self.any(), self.any());
            match self.rng.below(100) {
                0..3 => self.join(a, b),
                3..8 => self.flip(a),
                8..20 => self.learn(a, b),
                20..24 => self.connect(a, b),
                24..26 => self.break_session(a, b),
                26..30 => self.notice(a, b),
                30..70 => self.deliver(a, b),
                70..90 => self.try_start(a),
                _ => self.pass(Duration::from_millis(100)),
            }
            if self.violation.is_some() {
                return self;
            }
        }
        self.calm_down();
        self
    }

    /// Everybody learns everything: then all agree, at once and without a timer.
    fn calm_down(&mut self) {
        for a in 0..NODES {
            self.join(a, 0);
        }
        for (a, b) in pairs() {
            self.notice(a, b);
        }
        for (a, b) in pairs() {
            self.learn(a, b);
            self.connect(a, b);
        }
        for _ in 0..50 {
            for (a, b) in pairs() {
                while self.streams.get(&(a, b)).is_some_and(|stream| !stream.queue.is_empty()) {
                    self.deliver(a, b);
                }
            }
        }
        let agreed = self.nodes.iter().all(|node| node.agreement.agreed());
        if self.rule == Rule::Rounds && !agreed {
            let waiting = self.nodes.iter().map(|node| node.agreement.waiting_for().collect());
            let waiting: Vec<Vec<&NodeId>> = waiting.collect();
            self.violation = Some(format!("no agreement in calm: {waiting:?}"));
        }
    }

    /// `a` joins through `b`, who gives it the list of members.
    fn join(&mut self, a: usize, b: usize) {
        if self.nodes[a].joined || !self.nodes[b].joined {
            return;
        }
        self.strike("join");
        self.nodes[a].joined = true;
        self.nodes[a].flags = self.nodes[b].flags.clone();
        self.learn(a, a);
        self.connect(a, b);
    }

    fn flip(&mut self, a: usize) {
        self.strike("flag");
        let (version, flag) = self.truth[a];
        self.truth[a] = (version + 1, !flag);
        if self.nodes[a].joined {
            self.learn(a, a);
        }
    }

    /// News of `b` reach `a`.
    fn learn(&mut self, a: usize, b: usize) {
        if !self.nodes[a].joined || !self.nodes[b].joined {
            return;
        }
        let now = self.now;
        let node = &mut self.nodes[a];
        node.flags.insert(b, self.truth[b]);
        let members = node.flags.keys().map(|index| self::node(*index)).collect();
        let hash = node.hash();
        node.agreement.set_ring(now, hash, members);
        if self.rule == Rule::LastHash {
            for other in (0..NODES).filter(|other| *other != a) {
                self.send(a, other, Wire::Agree(Agree::Ring { hash, round: 0 }));
            }
        }
        self.flush(a);
    }

    fn connect(&mut self, a: usize, b: usize) {
        let usable = |world: &Self, a, b| {
            let stream = world.streams.get(&(a, b));
            stream.is_none_or(|stream| !stream.up && !stream.stale)
        };
        let joined = self.nodes[a].joined && self.nodes[b].joined;
        if a == b || !joined || !usable(self, a, b) || !usable(self, b, a) {
            return;
        }
        for (from, to) in [(a, b), (b, a)] {
            let facts = self.nodes[from].started.iter().copied().map(Wire::Fact).collect();
            self.streams.insert((from, to), Stream { up: true, stale: false, queue: facts });
        }
        let now = self.now;
        for (at, with) in [(a, b), (b, a)] {
            self.nodes[at].agreement.session_up(now, &node(with));
            if self.rule == Rule::LastHash {
                let hash = self.nodes[at].hash();
                self.send(at, with, Wire::Agree(Agree::Ring { hash, round: 0 }));
            }
            self.flush(at);
        }
    }

    fn break_session(&mut self, a: usize, b: usize) {
        for ends in [(a, b), (b, a)] {
            if let Some(stream) = self.streams.get_mut(&ends).filter(|stream| stream.up) {
                let lost = std::mem::take(&mut stream.queue).len();
                (stream.up, stream.stale) = (false, true);
                self.strike("break");
                if lost > 0 {
                    self.strike("lost on break");
                }
            }
        }
    }

    fn notice(&mut self, a: usize, b: usize) {
        let now = self.now;
        if let Some(stream) = self.streams.get_mut(&(a, b)).filter(|stream| stream.stale) {
            stream.stale = false;
            self.nodes[a].agreement.session_down(now, &node(b));
        }
    }

    fn deliver(&mut self, from: usize, to: usize) {
        let Some(wire) = self.streams.get_mut(&(from, to)).and_then(|s| s.queue.pop_front()) else {
            return;
        };
        let now = self.now;
        match wire {
            Wire::Fact(name) => drop(self.nodes[to].known.insert(name)),
            Wire::Agree(Agree::Ring { hash, .. }) if self.rule == Rule::LastHash => {
                self.nodes[to].heard.insert(from, hash);
            }
            Wire::Agree(agree) => {
                self.nodes[to].agreement.handle_message(now, node(from), agree);
                self.flush(to);
            }
        }
    }

    /// `a` starts a name that it owns, where the rule lets it.
    fn try_start(&mut self, a: usize) {
        let name = self.rng.below(NAMES);
        let owner = self.nodes[a].owner(name);
        if owner != Some(a) || self.nodes[a].known.contains(&name) {
            return;
        }
        let node = &self.nodes[a];
        let mut members = node.flags.keys().filter(|index| **index != a);
        let may = match self.rule {
            Rule::Rounds => node.agreement.agreed(),
            Rule::LastHash => members.all(|b| node.heard.get(b) == Some(&node.hash())),
            Rule::None => true,
        };
        if !may {
            return self.strike("blocked");
        }
        self.strike("start");
        if let Some(other) = self.starts.insert(name, a) {
            self.violation = Some(format!("{a} starts name {name}, which {other} runs"));
        }
        self.nodes[a].started.insert(name);
        self.nodes[a].known.insert(name);
        for other in (0..NODES).filter(|other| *other != a) {
            self.send(a, other, Wire::Fact(name));
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        for index in 0..NODES {
            self.nodes[index].agreement.handle_timeout(self.now);
            self.flush(index);
        }
    }

    fn flush(&mut self, at: usize) {
        while let Some(output) = self.nodes[at].agreement.poll_output() {
            match output {
                Output::Send { to, message } => {
                    let to = (0..NODES).find(|index| node(*index) == to).expect("a known node");
                    if self.rule == Rule::Rounds {
                        self.send(at, to, Wire::Agree(message));
                    }
                }
                Output::Event(AgreementEvent::Agreed { .. }) => self.strike("agreed"),
                Output::Event(AgreementEvent::Overdue { .. }) => self.strike("overdue"),
            }
        }
    }

    fn send(&mut self, from: usize, to: usize, wire: Wire) {
        if let Some(stream) = self.streams.get_mut(&(from, to)).filter(|stream| stream.up) {
            stream.queue.push_back(wire);
        }
    }

    fn strike(&mut self, what: &'static str) {
        *self.struck.entry(what).or_default() += 1;
    }

    fn any(&mut self) -> usize {
        self.rng.below(NODES as u64) as usize
    }
}

impl Node {
    fn ring(&self) -> impl Iterator<Item = usize> {
        self.flags.iter().filter(|(_, (_, flag))| *flag).map(|(index, _)| *index)
    }

    fn hash(&self) -> u64 {
        self.ring().map(|index| 1 << index).sum()
    }

    fn owner(&self, name: u64) -> Option<usize> {
        self.ring().max_by_key(|index| mix(name * 31 + *index as u64))
    }
}

fn pairs() -> impl Iterator<Item = (usize, usize)> {
    (0..NODES).flat_map(|a| (0..NODES).filter(move |b| *b != a).map(move |b| (a, b)))
}

fn mix(value: u64) -> u64 {
    let value = (value + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (value ^ (value >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

fn node(index: usize) -> NodeId {
    let name = NodeName::new(format!("n{index}")).expect("a node name");
    NodeId::new(name, Boot { millis: 1, random: index as u64 })
}

fn after(millis: u64) -> Instant {
    Instant::after_start(Duration::from_millis(millis))
}

fn events(agreement: &mut Agreement) -> Vec<AgreementEvent> {
    std::iter::from_fn(|| agreement.poll_output())
        .filter_map(|output| match output {
            Output::Event(event) => Some(event),
            Output::Send { .. } => None,
        })
        .collect()
}

fn seeds() -> std::ops::Range<u64> {
    let number = |key| std::env::var(key).ok().and_then(|value| value.parse::<u64>().ok());
    match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEEDS").unwrap_or(5_000),
    }
}
