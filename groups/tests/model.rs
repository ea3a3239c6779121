//! Groups against a model of forty lines: who is in which, with what metadata, whatever happens
//! to sessions, processes and nodes. A case that fails is printed as short as it can be, and is
//! kept beside this file.

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;
use swarm_base::{Boot, Instant, Machine, Name, NodeId, NodeName, Output, Pid};
use swarm_groups::{Groups, View};
use swarm_registry::{Bytes, Config, Event, Fact, Message, Registry};
use swarm_sim::{Faults, Mesh, Meshed, World, addr};

const NODES: u16 = 4;
const GROUPS: u8 = 3;
const SERIALS: u64 = 3;

/// What must be true: the members of each group, by their nodes and numbers.
#[derive(Clone, Debug, Default)]
struct Model {
    groups: BTreeMap<u8, BTreeMap<(u16, u64), u8>>,
}

impl Model {
    fn joins(&mut self, group: u8, member: (u16, u64), meta: u8) {
        self.groups.entry(group).or_default().insert(member, meta);
    }

    fn leaves(&mut self, group: u8, member: (u16, u64)) {
        if let Some(members) = self.groups.get_mut(&group) {
            members.remove(&member);
        }
        self.tidy();
    }

    fn exits(&mut self, member: (u16, u64)) {
        self.groups.values_mut().for_each(|members| {
            members.remove(&member);
        });
        self.tidy();
    }

    fn dies(&mut self, node: u16) {
        let stay = |(of, _): &(u16, u64), _: &mut u8| *of != node;
        self.groups.values_mut().for_each(|members| members.retain(stay));
        self.tidy();
    }

    /// An empty group does not exist.
    fn tidy(&mut self) {
        self.groups.retain(|_, members| !members.is_empty());
    }
}

/// What is done. Nodes are numbered from 1.
#[derive(Clone, Debug)]
enum Step {
    Join(u8, (u16, u64), u8),
    Leave(u8, (u16, u64)),
    Exit((u16, u64)),
    Break(u16, u16),
    Cut(u16, u16),
    /// The first holds the second dead until all is mended.
    Mistake(u16, u16),
    Mend,
    Kill(u16),
    Boot(u16),
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let node = || 1..=NODES;
    let member = || (node(), 1..=SERIALS);
    let group = || 0..GROUPS;
    prop_oneof![
        10 => (group(), member(), 0..3u8).prop_map(|(group, of, meta)| Step::Join(group, of, meta)),
        5 => (group(), member()).prop_map(|(group, of)| Step::Leave(group, of)),
        3 => member().prop_map(Step::Exit),
        3 => (node(), node()).prop_map(|(a, b)| Step::Break(a, b)),
        3 => (node(), node()).prop_map(|(a, b)| Step::Cut(a, b)),
        2 => (node(), node()).prop_map(|(a, b)| Step::Mistake(a, b)),
        1 => Just(Step::Mend),
        1 => node().prop_map(Step::Kill),
        2 => node().prop_map(Step::Boot),
        4 => (1..3_000u16).prop_map(Step::Wait),
    ]
}

/// A registry, and both tables that follow it.
struct Node {
    registry: Registry,
    groups: Groups,
    view: View,
}

impl Machine for Node {
    type Peer = NodeId;
    type Message = Message;
    type Event = Event;

    fn handle_message(&mut self, now: Instant, from: NodeId, message: Message) {
        self.registry.handle_message(now, from, message);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.registry.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.registry.poll_timeout()
    }

    fn poll_output(&mut self) -> Option<Output<NodeId, Message, Event>> {
        let output = self.registry.poll_output()?;
        if let Output::Event(event) = &output {
            let changes = (self.groups.apply(event), self.view.apply(event));
            assert_eq!(changes.0, changes.1, "both tables change alike");
        }
        Some(output)
    }
}

impl Mesh for Node {
    fn peer_up(&mut self, now: Instant, peer: &NodeId) {
        self.registry.session_up(now, peer.clone());
    }

    fn peer_down(&mut self, now: Instant, peer: &NodeId) {
        self.registry.session_down(now, peer);
    }
}

struct Play {
    world: World<Meshed<Node>>,
    history_facts_max: usize,
    model: Model,
}

impl Play {
    fn new(seed: u64, history_facts_max: usize) -> Self {
        let world = World::new(seed, Faults::calm());
        let mut play = Self { world, history_facts_max, model: Model::default() };
        (1..=NODES).for_each(|n| play.boot(n));
        play.mend();
        play
    }

    fn boot(&mut self, n: u16) {
        let (now, rng) = (self.world.now(), self.world.rng(addr(n)));
        let config = Config {
            compare_interval: Duration::from_secs(1),
            relay_interval: Duration::from_millis(200),
            history_facts_max: self.history_facts_max,
            ..Config::default()
        };
        let config = config.check().expect("within bounds");
        let id = id(n, self.world.lives(addr(n)) + 1);
        let registry = Registry::new(now, id.clone(), config, rng);
        let node = Node { registry, groups: Groups::new(), view: View::new() };
        let others = (1..=NODES).map(addr);
        self.world.insert(addr(n), Meshed::new(now, addr(n), id, node, others));
    }

    fn id(&self, n: u16) -> NodeId {
        id(n, self.world.lives(addr(n)))
    }

    fn running(&self) -> Vec<u16> {
        (1..=NODES).filter(|n| self.world.is_running(addr(*n))).collect()
    }

    fn with(&mut self, n: u16, f: impl FnOnce(&mut Registry, Instant)) {
        self.world.with(addr(n), |host, now| f(&mut host.machine.registry, now));
    }

    fn append(&mut self, n: u16, fact: Fact) {
        self.world.with(addr(n), |host, now| host.machine.registry.append(now, fact));
    }

    fn take(&mut self, step: &Step) {
        let running = self.running();
        let runs = |n: &u16| running.contains(n);
        match *step {
            Step::Join(group, of, meta) if runs(&of.0) => {
                let (pid, meta_of) = (self.pid(of), bytes(meta));
                let fact = Fact::Joined { group: called(group), pid, meta: meta_of };
                self.append(of.0, fact);
                self.model.joins(group, of, meta);
            }
            Step::Leave(group, of) if runs(&of.0) => {
                let fact = Fact::Left { group: called(group), pid: self.pid(of) };
                self.append(of.0, fact);
                self.model.leaves(group, of);
            }
            Step::Exit(of) if runs(&of.0) => {
                let fact = Fact::Exited { pid: self.pid(of) };
                self.append(of.0, fact);
                self.model.exits(of);
            }
            Step::Break(a, b) if a != b => self.world.break_session(addr(a), addr(b)),
            Step::Cut(a, b) if a != b => self.world.sever(addr(a), addr(b)),
            Step::Mistake(a, b) if a != b && runs(&a) && runs(&b) => {
                let other = self.id(b);
                self.with(a, |registry, now| registry.node_dead(now, &other));
            }
            Step::Mend => self.mend(),
            Step::Kill(n) if runs(&n) && running.len() > 2 => {
                let dead = self.id(n);
                self.world.crash(addr(n));
                for other in self.running() {
                    self.with(other, |registry, now| registry.node_dead(now, &dead));
                }
                self.model.dies(n);
            }
            Step::Boot(n) if !runs(&n) => {
                self.boot(n);
                self.mend();
            }
            Step::Wait(millis) => self.wait(millis.into()),
            _ => {}
        }
    }

    /// Nothing is cut any more, and everybody is held alive who runs.
    fn mend(&mut self) {
        self.world.heal();
        for n in self.running() {
            for other in self.running().into_iter().filter(|other| *other != n) {
                let other = self.id(other);
                self.with(n, |registry, now| registry.node_up(now, other));
            }
        }
    }

    fn wait(&mut self, millis: u64) {
        self.world.run_for(Duration::from_millis(millis)).expect("no checker is violated");
    }

    fn pid(&self, (node, serial): (u16, u64)) -> Pid {
        Pid::new(self.id(node).boot, serial)
    }

    /// Every node lists the members that the model has, and no other groups.
    fn judge(&mut self) {
        self.mend();
        self.wait(10_000);
        for n in self.running() {
            let Node { groups, view, .. } = &self.world.host(addr(n)).machine;
            assert_eq!(groups.len(), self.model.groups.len(), "n{n} has {groups:?}");
            for (group, members) in &self.model.groups {
                let right: BTreeMap<Pid, Bytes> =
                    members.iter().map(|(of, meta)| (self.pid(*of), bytes(*meta))).collect();
                let group = called(*group);
                let listed: Vec<(Pid, Bytes)> = view.members_with_meta(group.as_bytes());
                assert!(listed.is_sorted_by_key(|(pid, _)| *pid));
                assert_eq!(BTreeMap::from_iter(listed), right, "{group} on n{n}");
                let own = groups.members(group.as_bytes()).map(|(pid, meta)| (pid, meta.clone()));
                assert_eq!(BTreeMap::from_iter(own), right, "{group} on n{n}");
                let boot = self.id(n).boot;
                let local = view.local_members(group.as_bytes(), boot);
                let right: Vec<Pid> = right.into_keys().filter(|pid| pid.boot == boot).collect();
                assert_eq!(local, right, "{group} on n{n}, of its own");
            }
        }
    }
}

fn id(n: u16, life: u64) -> NodeId {
    let name = NodeName::new(format!("n{n}")).expect("a name");
    NodeId::new(name, Boot { millis: life, random: u64::from(n) })
}

fn called(group: u8) -> Name {
    Name::new(format!("group-{group}")).expect("a name")
}

fn bytes(byte: u8) -> Bytes {
    Bytes::new([byte]).expect("short")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn groups_are_what_the_model_says(
        seed: u64,
        history_facts_max in 1..30usize,
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut play = Play::new(seed, history_facts_max);
        for step in &steps {
            play.take(step);
        }
        play.judge();
    }
}
