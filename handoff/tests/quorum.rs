//! The quorum: who is cut off stops in time, and no two sides hold it at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use swarm_base::{Boot, Instant, Machine, NodeId, NodeName, Output, Rng};
use swarm_handoff::{Checked, Config, Quorum, QuorumEvent, Voice, Vote};

#[test]
fn a_node_that_is_cut_off_stops_after_a_lease() {
    let (config, lease) = (Checked::default(), Config::default().quorum_lease);
    let mut me = Quorum::new(at(0), config, node(0), 2);
    assert!(!me.is_held(), "not before its first ring");
    me.session_up(at(0), &node(1));
    me.set_ring(at(0), 7, [node(1), node(2)].into());
    assert_eq!((me.present(), me.want()), (3, 2));
    me.handle_timeout(at(0));
    assert_eq!(asked(&mut me), [node(1)], "on a session, of a member");
    // It was two hundred milliseconds on its way.
    me.handle_message(at(200), node(1), Vote::Grant { hash: 7, sent: micros(0), round: 1 });
    assert!(me.is_held());
    assert_eq!(events(&mut me), [QuorumEvent::Shaken, QuorumEvent::Held]);
    for now in (250..1500).step_by(250) {
        me.handle_timeout(at(now));
        assert!(me.is_held(), "{now} ms");
    }
    let end = Instant::after_start(lease);
    assert_eq!(me.poll_timeout(), Some(end), "from when it was asked");
    me.handle_timeout(end);
    assert!(!me.is_held());
    assert_eq!(events(&mut me), [QuorumEvent::Lost]);
}

#[test]
fn a_node_grants_its_own_ring_and_no_other() {
    let mut me = Quorum::new(at(0), Checked::default(), node(0), 2);
    me.handle_message(at(0), node(1), Vote::Ask { hash: 7, sent: 1 });
    me.set_ring(at(0), 8, [node(1)].into());
    me.handle_message(at(0), node(1), Vote::Ask { hash: 7, sent: 2 });
    me.handle_message(at(0), node(1), Vote::Ask { hash: 8, sent: 3 });
    let Some(Output::Send { to, message }) = me.poll_output() else { panic!("an answer") };
    assert_eq!((to, message), (node(1), Vote::Grant { hash: 8, sent: 3, round: 1 }));
    assert_eq!(me.poll_output(), None);
}

#[test]
fn what_is_not_true_counts_for_nothing() {
    let mut me = Quorum::new(at(0), Checked::default(), node(0), 2);
    me.set_ring(at(0), 7, [node(1)].into());
    me.handle_message(at(5), node(1), Vote::Grant { hash: 7, sent: micros(6), round: 1 });
    me.handle_message(at(5), node(1), Vote::Grant { hash: 7, sent: u64::MAX, round: 1 });
    me.handle_message(at(5), node(2), Vote::Grant { hash: 7, sent: micros(5), round: 1 });
    assert!(!me.is_held(), "from the future, and of a stranger");
    me.handle_message(at(5), node(1), Vote::Grant { hash: 7, sent: micros(5), round: 1 });
    assert!(me.is_held());
}

/// In between it may have stood with others.
#[test]
fn a_member_that_has_changed_its_ring_and_changed_it_back_is_told_of() {
    let mut me = Quorum::new(at(0), Checked::default(), node(0), 2);
    me.set_ring(at(0), 7, [node(1)].into());
    for (sent, round, is_told) in [(0, 1, true), (1, 1, false), (2, 3, true), (3, 3, false)] {
        me.handle_message(at(9), node(1), Vote::Grant { hash: 7, sent, round });
        let told = events(&mut me).contains(&QuorumEvent::Shaken);
        assert_eq!(told, is_told, "round {round}");
    }
    me.set_ring(at(9), 8, BTreeSet::new());
    me.set_ring(at(9), 7, [node(1)].into());
    me.handle_message(at(9), node(1), Vote::Grant { hash: 7, sent: 3, round: 3 });
    assert!(events(&mut me).contains(&QuorumEvent::Shaken), "it comes back");
}

#[test]
fn a_quorum_of_one_is_held_alone() {
    let mut me = Quorum::new(at(0), Checked::default(), node(0), 1);
    assert_eq!(me.poll_timeout(), None);
    me.set_ring(at(0), 7, BTreeSet::new());
    me.handle_timeout(at(100_000));
    assert!(me.is_held());
}

#[test]
fn a_node_that_does_not_count_holds_it_by_others_alone() {
    let mut me = Quorum::new(at(0), Checked::default(), node(0), 2);
    me.set_voice(at(0), Voice::Listens);
    me.set_ring(at(0), 7, [node(1), node(2)].into());
    assert_eq!((me.present(), me.want()), (2, 2));
    for (other, is_held) in [(1, false), (2, true)] {
        me.handle_message(at(1), node(other), Vote::Grant { hash: 7, sent: 0, round: 1 });
        assert_eq!(me.is_held(), is_held, "{other} stand with it");
    }
    me.set_ring(at(2), 8, [node(1)].into());
    assert!(!me.is_held(), "one is left");
    me.set_voice(at(2), Voice::Counts);
    assert!(me.is_held(), "with itself they are two");
    let mut alone = Quorum::new(at(0), Checked::default(), node(0), 1);
    alone.set_voice(at(0), Voice::Listens);
    alone.set_ring(at(0), 7, BTreeSet::new());
    assert!(!alone.is_held(), "nobody is there");
}

#[test]
fn no_two_sides_hold_it() {
    let (mut n_held, mut n_judged) = (0, 0);
    for seed in 0..SEEDS {
        let mut world = World::new(seed, Rule::Right);
        if let Some(what) = world.run() {
            panic!("seed {seed}: {what}");
        }
        n_held += world.n_held;
        n_judged += world.n_judged;
    }
    assert!(n_held > 50_000 && n_judged > 1_000, "{n_held} held, {n_judged} judged");
}

#[test]
fn weaker_rules_are_caught() {
    for rule in [Rule::AnyRing, Rule::FromArrival] {
        let caught = (0..20 * SEEDS).find_map(|seed| Some((seed, World::new(seed, rule).run()?)));
        let (seed, what) = caught.unwrap_or_else(|| panic!("{rule:?} was not caught"));
        println!("{rule:?}: seed {seed}: {what}");
    }
}

const SEEDS: u64 = 40;
const NODES: u64 = 5;
const WANT: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Right,
    /// A member grants whatever it is asked.
    AnyRing,
    /// A lease runs from when its grant arrives.
    FromArrival,
}

/// Five nodes whose views change as they like, and messages that take their time.
struct World {
    rng: Rng,
    rule: Rule,
    now: u64,
    nodes: BTreeMap<u64, Quorum>,
    rings: BTreeMap<u64, BTreeSet<u64>>,
    /// When all members of a node's ring first had the same one, since it has it.
    agreed: BTreeMap<u64, u64>,
    /// Since when a node holds, and nobody that stands with it has moved.
    held: BTreeMap<u64, u64>,
    /// Who runs names: it has held and agreed for the margin, and has held ever since.
    running: BTreeSet<u64>,
    on_way: Vec<(u64, u64, u64, Vote)>,
    n_held: u64,
    n_judged: u64,
}

impl World {
    fn new(seed: u64, rule: Rule) -> Self {
        let all: BTreeSet<u64> = (0..NODES).collect();
        let make = |n| {
            let mut quorum = Quorum::new(at(0), Checked::default(), node(n), WANT);
            for other in 0..NODES {
                quorum.session_up(at(0), &node(other));
            }
            (n, quorum)
        };
        let mut world = Self {
            rng: Rng::new(seed),
            rule,
            now: 0,
            nodes: (0..NODES).map(make).collect(),
            rings: BTreeMap::new(),
            agreed: BTreeMap::new(),
            held: BTreeMap::new(),
            running: BTreeSet::new(),
            on_way: Vec::new(),
            n_held: 0,
            n_judged: 0,
        };
        for n in 0..NODES {
            world.set_ring(n, all.clone());
        }
        world
    }

    fn set_ring(&mut self, n: u64, ring: BTreeSet<u64>) {
        let members = ring.iter().map(|n| node(*n)).collect();
        let quorum = self.nodes.get_mut(&n).expect("a node");
        quorum.set_ring(at(self.now), hash(&ring), members);
        self.rings.insert(n, ring);
        self.agreed.remove(&n);
    }

    /// Runs for a minute, in steps of 25 ms. Returns what went wrong.
    fn run(&mut self) -> Option<String> {
        for _ in 0..2_400 {
            self.now += 25;
            self.change();
            self.deliver();
            self.look();
            if let Some(what) = self.judge() {
                return Some(what);
            }
        }
        None
    }

    /// Now and then a side of a partition, or one node alone, sees the others differently.
    fn change(&mut self) {
        if !self.rng.chance(8) {
            return;
        }
        let side: BTreeSet<u64> = (0..NODES).filter(|_| self.rng.chance(500)).collect();
        let rest: BTreeSet<u64> = (0..NODES).filter(|n| !side.contains(n)).collect();
        let whole = self.rng.chance(300);
        for n in 0..NODES {
            let mut ring = match () {
                () if whole => (0..NODES).collect(),
                () if side.contains(&n) => side.clone(),
                () => rest.clone(),
            };
            // Who stands between two sides sees both.
            if self.rng.chance(200) {
                ring = (0..NODES).collect();
            }
            if self.rng.chance(800) {
                self.set_ring(n, ring);
            }
        }
    }

    fn deliver(&mut self) {
        let (due, later) = self.on_way.drain(..).partition(|(at, ..)| *at <= self.now);
        self.on_way = later;
        let due: Vec<(u64, u64, u64, Vote)> = due;
        for (_, from, to, mut message) in due {
            match (&mut message, self.rule) {
                (Vote::Ask { hash: asked, .. }, Rule::AnyRing) => *asked = hash(&self.rings[&to]),
                (Vote::Grant { sent, .. }, Rule::FromArrival) => *sent = micros(self.now),
                _ => (),
            }
            let quorum = self.nodes.get_mut(&to).expect("a node");
            quorum.handle_message(at(self.now), node(from), message);
        }
    }

    fn look(&mut self) {
        for (n, quorum) in &mut self.nodes {
            quorum.handle_timeout(at(self.now));
            while let Some(output) = quorum.poll_output() {
                match output {
                    Output::Send { to, message } => {
                        let late = if self.rng.chance(100) { 6_000 } else { 100 };
                        let arrives = self.now + self.rng.below(late);
                        self.on_way.push((arrives, *n, to.boot.random, message));
                    }
                    Output::Event(QuorumEvent::Shaken) => {
                        self.held.remove(n);
                    }
                    Output::Event(_) => (),
                }
            }
        }
        for (n, ring) in &self.rings {
            if ring.iter().all(|other| &self.rings[other] == ring) {
                self.agreed.entry(*n).or_insert(self.now);
            }
        }
    }

    /// Whoever has held and agreed for the margin may start the names of the nodes that are not in
    /// its ring: none of them runs any.
    fn judge(&mut self) -> Option<String> {
        let margin = Config::default().quorum_margin.as_millis() as u64;
        let mut starters = Vec::new();
        for (n, quorum) in &self.nodes {
            if !quorum.is_held() {
                self.held.remove(n);
                self.running.remove(n);
                continue;
            }
            self.n_held += 1;
            let since = *self.held.entry(*n).or_insert(self.now);
            let agreed = self.agreed.get(n);
            if agreed.is_some_and(|agreed| agreed.max(&since) + margin <= self.now) {
                self.running.insert(*n);
                starters.push(*n);
            }
        }
        for n in starters {
            for other in (0..NODES).filter(|other| !self.rings[&n].contains(other)) {
                self.n_judged += 1;
                if self.running.contains(&other) {
                    let rings = &self.rings;
                    return Some(format!("{n} and {other} run at {} ms: {rings:?}", self.now));
                }
            }
        }
        None
    }
}

fn hash(ring: &BTreeSet<u64>) -> u64 {
    ring.iter().fold(1, |hash, n| hash | 2 << n)
}

fn asked(quorum: &mut Quorum) -> Vec<NodeId> {
    let mut asked = BTreeSet::new();
    while let Some(output) = quorum.poll_output() {
        match output {
            Output::Send { to, message: Vote::Ask { hash: 7, sent: 0 } } => asked.insert(to),
            other => panic!("{other:?}"),
        };
    }
    asked.into_iter().collect()
}

fn events(quorum: &mut Quorum) -> Vec<QuorumEvent> {
    let outputs = std::iter::from_fn(|| quorum.poll_output());
    outputs
        .filter_map(|output| match output {
            Output::Event(event) => Some(event),
            Output::Send { .. } => None,
        })
        .collect()
}

fn node(n: u64) -> NodeId {
    let name = NodeName::new(format!("n{n}")).expect("a name");
    NodeId::new(name, Boot { millis: 1, random: n })
}

fn at(millis: u64) -> Instant {
    Instant::after_start(Duration::from_millis(millis))
}

fn micros(millis: u64) -> u64 {
    millis * 1_000
}
