//! Registries in the simulated world. Who lives is told by the test, as membership would.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::collections::BTreeMap;
use std::time::Duration;
use swarm_base::{Boot, Instant, Machine, Name, NodeId, NodeName, Output, Pid, Rng, Token};
use swarm_registry::{
    At, Bytes, Claim, Config, Event, Fact, Message, Registry, Resolution, Spec, View, Why,
};
use swarm_sim::{Faults, Mesh, Meshed, World, addr};

/// A registry, what readers see of it, and what it said.
pub struct Node {
    pub registry: Registry,
    pub view: View,
    pub groups: BTreeMap<(Name, Pid), Bytes>,
    /// The process of each name, as the events say.
    pub told: BTreeMap<Name, Pid>,
    pub conflicts: u64,
    pub rolled_back: bool,
}

impl Node {
    pub fn new(now: Instant, id: NodeId, config: Config, rng: Rng) -> Self {
        let registry = Registry::new(now, id, config.check().expect("within bounds"), rng);
        Self {
            registry,
            view: View::new(),
            groups: BTreeMap::new(),
            told: BTreeMap::new(),
            conflicts: 0,
            rolled_back: false,
        }
    }

    fn follow(&mut self, event: &Event) {
        self.view.apply(event);
        match event {
            Event::Changed { name, was, now, .. } => {
                let before = match now {
                    Some(pid) => self.told.insert(name.clone(), *pid),
                    None => self.told.remove(name),
                };
                assert_eq!(before, *was, "changes of {name} follow each other");
            }
            Event::Joined { group, pid, meta, node } => {
                assert_eq!(pid.boot, node.boot);
                self.groups.insert((group.clone(), *pid), meta.clone());
            }
            Event::Left { group, pid, .. } => {
                let before = self.groups.remove(&(group.clone(), *pid));
                assert!(before.is_some(), "{pid} left {group} without being in it");
            }
            Event::Conflict { .. } => self.conflicts += 1,
            Event::RolledBack { .. } => self.rolled_back = true,
            Event::Applied { .. } | Event::Slowed { .. } => {}
        }
    }
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
            self.follow(event);
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

/// Some nodes, numbered from 1.
pub struct Cluster {
    pub world: World<Meshed<Node>>,
    pub config: Config,
    n_nodes: u16,
    ids: BTreeMap<u16, NodeId>,
}

impl Cluster {
    pub fn new(n_nodes: u16, seed: u64) -> Self {
        Self::with_config(n_nodes, seed, Config::default())
    }

    pub fn with_config(n_nodes: u16, seed: u64, config: Config) -> Self {
        let world = World::new(seed, Faults::calm());
        let mut cluster = Self { world, config, n_nodes, ids: BTreeMap::new() };
        for n in 1..=n_nodes {
            cluster.boot(n);
        }
        cluster.all_up();
        cluster.run(1);
        cluster
    }

    pub fn id(&self, n: u16) -> NodeId {
        self.ids[&n].clone()
    }

    /// Starts node `n`, anew if it has run before.
    pub fn boot(&mut self, n: u16) {
        let at = addr(n);
        let boot = Boot { millis: 1 + self.world.lives(at), random: u64::from(n) };
        let id = NodeId::new(NodeName::new(format!("n{n}")).expect("a name"), boot);
        let (now, rng) = (self.world.now(), self.world.rng(at));
        let node = Node::new(now, id.clone(), self.config.clone(), rng);
        let others = (1..=self.n_nodes).map(addr);
        self.world.insert(at, Meshed::new(now, at, id.clone(), node, others));
        self.ids.insert(n, id);
    }

    /// Tells every running node that every running node lives.
    pub fn all_up(&mut self) {
        for n in 1..=self.n_nodes {
            self.up(n);
        }
    }

    /// Tells every other running node that `n` lives, and `n` that they do.
    pub fn up(&mut self, n: u16) {
        for other in 1..=self.n_nodes {
            if other != n && self.runs(n) && self.runs(other) {
                let (a, b) = (self.id(n), self.id(other));
                self.with(other, |node, now| node.registry.node_up(now, a));
                self.with(n, |node, now| node.registry.node_up(now, b));
            }
        }
    }

    /// Kills node `n`. Nobody is told.
    pub fn crash(&mut self, n: u16) {
        self.world.crash(addr(n));
    }

    /// Tells all running nodes that `n` is dead.
    pub fn dead(&mut self, n: u16) {
        for other in 1..=self.n_nodes {
            self.dead_at(other, n);
        }
    }

    /// Tells `other` that `n` is dead.
    pub fn dead_at(&mut self, other: u16, n: u16) {
        if other != n && self.runs(other) {
            let id = self.id(n);
            self.with(other, |node, now| node.registry.node_dead(now, &id));
        }
    }

    pub fn runs(&self, n: u16) -> bool {
        self.world.is_running(addr(n))
    }

    pub fn with<R>(&mut self, n: u16, f: impl FnOnce(&mut Node, Instant) -> R) -> R {
        self.world.with(addr(n), |host, now| f(&mut host.machine, now))
    }

    pub fn node(&self, n: u16) -> &Node {
        &self.world.host(addr(n)).machine
    }

    pub fn registry(&self, n: u16) -> &Registry {
        &self.node(n).registry
    }

    pub fn append(&mut self, n: u16, fact: Fact) -> u64 {
        self.with(n, |node, now| node.registry.append(now, fact))
    }

    /// Starts `name` on node `n` above every token that it knows, in a process of this number.
    pub fn start(&mut self, n: u16, name: &str, serial: u64) -> Token {
        let boot = self.id(n).boot;
        let token = Token::new(self.registry(n).epoch(&called(name)) + 1, boot);
        self.append(n, Fact::Named(claim(name, token, At::Running(Pid::new(boot, serial)))));
        token
    }

    /// Stops `name` on node `n`, which claims it.
    pub fn stop(&mut self, n: u16, name: &str) {
        let name = called(name);
        let token = self.registry(n).own(&name).expect("a claim of this node").token;
        self.append(n, Fact::Ended { name, token, why: Why::Stopped });
    }

    /// Runs for so many seconds.
    pub fn run(&mut self, secs: u64) {
        self.run_for(Duration::from_secs(secs));
    }

    pub fn run_for(&mut self, time: Duration) {
        self.world.run_for(time).expect("no checker is violated");
    }

    /// What `name` is on node `n`, in short.
    pub fn see(&self, n: u16, name: &str) -> Seen {
        match self.registry(n).resolve(&called(name)) {
            Resolution::Free => Seen::Free,
            Resolution::Held { node, claim } => {
                Seen::Held(node.name.to_string(), claim.token.epoch)
            }
            Resolution::Orphan { claim, .. } => Seen::Orphan(claim.token.epoch),
            Resolution::Pending { .. } => Seen::Pending,
        }
    }
}

/// A [`Resolution`] without borrows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Free,
    Held(String, u64),
    Orphan(u64),
    Pending,
}

pub fn held(node: &str, epoch: u64) -> Seen {
    Seen::Held(node.into(), epoch)
}

pub fn called(name: &str) -> Name {
    Name::new(name).expect("a name")
}

/// A claim with a spec.
pub fn claim(name: &str, token: Token, at: At) -> Claim {
    let spec = Spec { kind: "device".into(), args: bytes(b"args") };
    Claim { spec: Some(spec), ..Claim::new(called(name), token, at) }
}

pub fn bytes(bytes: &[u8]) -> Bytes {
    Bytes::new(bytes).expect("short")
}

/// For tests whose clock stands still: facts are sent with the next outputs.
pub fn at_once() -> Config {
    Config { push_delay: Duration::ZERO, ..Config::default() }
}
