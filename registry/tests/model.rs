//! Names against a model of forty lines: who has which, whatever happens to sessions, processes
//! and nodes. A case that fails is printed as short as it can be, and is kept beside this file.

mod common;

use common::{Cluster, Seen, called, claim};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;
use swarm_base::{NodeId, Pid, Token};
use swarm_registry::{At, Claim, Config, Fact, Resolution, Why};
use swarm_sim::addr;

const NODES: u16 = 4;
const NAMES: u8 = 5;

/// What must be true: who has each name, and which names wait for somebody to start them.
#[derive(Clone, Debug, Default)]
struct Model {
    names: BTreeMap<u8, Is>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Held(u16),
    Orphan,
}

impl Model {
    fn is_free(&self, name: u8) -> bool {
        !self.names.contains_key(&name)
    }

    fn holder(&self, name: u8) -> Option<u16> {
        match self.names.get(&name)? {
            Is::Held(node) => Some(*node),
            Is::Orphan => None,
        }
    }

    fn holds(&mut self, name: u8, node: u16) {
        self.names.insert(name, Is::Held(node));
    }

    fn stopped(&mut self, name: u8) {
        self.names.remove(&name);
    }

    fn died(&mut self, node: u16) {
        for is in self.names.values_mut().filter(|is| **is == Is::Held(node)) {
            *is = Is::Orphan;
        }
    }

    fn says(&self, name: u8, seen: &Seen) -> bool {
        match (self.names.get(&name), seen) {
            (None, Seen::Free) | (Some(Is::Orphan), Seen::Orphan(_)) => true,
            (Some(Is::Held(node)), Seen::Held(by, _)) => *by == format!("n{node}"),
            _ => false,
        }
    }
}

/// What is done. Nodes are numbered from 1.
#[derive(Clone, Debug)]
enum Step {
    /// A node starts a name that is free, or an orphan.
    Start(u16, u8),
    Stop(u8),
    Move(u8, u16),
    /// The process ends by itself, and waits to be started again.
    Exit(u8),
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
    let name = || 0..NAMES;
    prop_oneof![
        8 => (node(), name()).prop_map(|(node, name)| Step::Start(node, name)),
        4 => name().prop_map(Step::Stop),
        4 => (name(), node()).prop_map(|(name, to)| Step::Move(name, to)),
        2 => name().prop_map(Step::Exit),
        3 => (node(), node()).prop_map(|(a, b)| Step::Break(a, b)),
        3 => (node(), node()).prop_map(|(a, b)| Step::Cut(a, b)),
        2 => (node(), node()).prop_map(|(a, b)| Step::Mistake(a, b)),
        2 => Just(Step::Mend),
        1 => node().prop_map(Step::Kill),
        2 => node().prop_map(Step::Boot),
        6 => (1..3_000u16).prop_map(Step::Wait),
    ]
}

struct Play {
    c: Cluster,
    model: Model,
    serial: u64,
    mistaken: bool,
}

impl Play {
    fn new(seed: u64, history_facts_max: usize) -> Self {
        let config = Config {
            compare_interval: Duration::from_secs(1),
            relay_interval: Duration::from_millis(200),
            history_facts_max,
            ..Config::default()
        };
        let c = Cluster::with_config(NODES, seed, config);
        Self { c, model: Model::default(), serial: 0, mistaken: false }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Start(n, name) => self.start(n, name),
            Step::Stop(name) => {
                if let Some(n) = self.model.holder(name) {
                    let token = self.own(n, name).token;
                    let ended = Fact::Ended { name: text(name), token, why: Why::Stopped };
                    self.c.append(n, ended);
                    self.model.stopped(name);
                }
            }
            Step::Move(name, to) => self.hand_over(name, to),
            Step::Exit(name) => {
                if let Some(pid) = self.model.holder(name).and_then(|n| self.own(n, name).pid()) {
                    let n = self.model.holder(name).expect("as above");
                    self.c.append(n, Fact::Exited { pid });
                }
            }
            Step::Break(a, b) if a != b => self.c.world.break_session(addr(a), addr(b)),
            Step::Cut(a, b) if a != b => self.c.world.sever(addr(a), addr(b)),
            Step::Mistake(a, b) if self.runs(a) && self.runs(b) => {
                self.c.dead_at(a, b);
                self.mistaken |= a != b;
            }
            Step::Mend => self.mend(),
            // What only the dead node knew nobody can know: all have heard everything before.
            Step::Kill(n) if self.runs(n) && (1..=NODES).filter(|n| self.runs(*n)).count() > 2 => {
                self.settle();
                self.c.crash(n);
                self.c.dead(n);
                self.model.died(n);
            }
            Step::Boot(n) if !self.runs(n) => {
                self.mend();
                self.c.boot(n);
                self.c.up(n);
            }
            Step::Wait(millis) => self.wait(millis),
            _ => {}
        }
        self.rise();
    }

    /// A node decides about a name only while it knows what all know (ownership, R2).
    fn start(&mut self, n: u16, name: u8) {
        if !self.runs(n) || self.model.holder(name).is_some() || !self.knows_all(n) {
            return;
        }
        let seen = self.c.see(n, &text(name).to_string());
        assert!(self.model.says(name, &seen), "n{n} sees {name} as {seen:?}: {:?}", self.model);
        let epoch = self.c.registry(n).next_epoch(&text(name));
        self.claim(n, name, epoch);
        assert!(!self.model.is_free(name));
    }

    fn hand_over(&mut self, name: u8, to: u16) {
        let Some(n) = self.model.holder(name).filter(|n| *n != to && self.runs(to)) else { return };
        if self.mistaken || self.c.registry(to).own(&text(name)).is_some() {
            return;
        }
        let token = self.own(n, name).token;
        let epoch = |n: u16| self.c.registry(n).next_epoch(&text(name));
        let next = self.claim(to, name, epoch(n).max(epoch(to)));
        let why = Why::GoneTo { log: self.c.id(to), token: next };
        self.c.append(n, Fact::Ended { name: text(name), token, why });
    }

    fn claim(&mut self, n: u16, name: u8, epoch: u64) -> Token {
        self.serial += 1;
        let boot = self.c.id(n).boot;
        let (token, at) = (Token::new(epoch, boot), At::Running(Pid::new(boot, self.serial)));
        self.c.append(n, Fact::Named(claim(&text(name).to_string(), token, at)));
        self.model.holds(name, n);
        token
    }

    /// Who has a name holds its highest token (ownership, R5).
    fn rise(&mut self) {
        for n in (1..=NODES).filter(|n| self.runs(*n)).collect::<Vec<_>>() {
            let own: Vec<Claim> = self.c.registry(n).own_claims().collect();
            for own in own {
                let registry = self.c.registry(n);
                let wins = matches!(
                    registry.resolve(&own.name),
                    Resolution::Held { claim, .. } if claim == own
                );
                if wins && registry.highest(&own.name) > Some(own.token) {
                    let token = Token::new(registry.next_epoch(&own.name), self.c.id(n).boot);
                    self.c.append(n, Fact::Named(Claim { token, ..own }));
                }
            }
        }
    }

    fn own(&self, n: u16, name: u8) -> Claim {
        self.c.registry(n).own(&text(name)).expect("who has a name claims it")
    }

    fn runs(&self, n: u16) -> bool {
        self.c.runs(n)
    }

    /// Whether everybody who runs has told node `n` what it holds, and `n` holds all of it.
    fn knows_all(&self, n: u16) -> bool {
        let registry = self.c.registry(n);
        let told: Vec<NodeId> =
            registry.progress().filter(|of| of.sent.is_some()).map(|of| of.peer).collect();
        let mut others = (1..=NODES).filter(|other| *other != n && self.runs(*other));
        !self.mistaken
            && registry.caught_up()
            && others.all(|other| {
                let id = self.c.id(other);
                told.contains(&id) && registry.position(&id) == self.c.registry(other).position(&id)
            })
    }

    fn wait(&mut self, millis: u16) {
        for _ in 0..=millis / 100 {
            self.c.run_for(Duration::from_millis(100));
            self.rise();
        }
    }

    fn mend(&mut self) {
        self.c.world.heal();
        self.c.all_up();
        self.mistaken = false;
    }

    fn settle(&mut self) {
        self.mend();
        self.wait(8_000);
    }

    /// Every node says of every name what the model says, and nothing else is left.
    fn judge(&mut self) {
        self.settle();
        for n in (1..=NODES).filter(|n| self.runs(*n)) {
            for name in 0..NAMES {
                let seen = self.c.see(n, &text(name).to_string());
                assert!(self.model.says(name, &seen), "n{n} sees {name} as {seen:?}");
                let found = self.c.node(n).view.whereis(text(name).as_bytes());
                let pid = self.model.holder(name).and_then(|n| self.own(n, name).pid());
                assert_eq!(found, pid, "n{n} finds {name}");
            }
            let registry = self.c.registry(n);
            assert_eq!(registry.len(), self.model.names.len());
            let n_orphans = self.model.names.values().filter(|is| **is == Is::Orphan).count();
            assert_eq!(registry.orphans().count(), n_orphans);
            assert!(registry.caught_up(), "n{n} has all");
        }
    }
}

fn text(name: u8) -> swarm_base::Name {
    called(&format!("name-{name}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn names_are_what_the_model_says(
        seed: u64,
        history_facts_max in 1..30usize,
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut play = Play::new(seed, history_facts_max);
        for step in &steps {
            play.take(step);
        }
        play.judge();
    }
}
