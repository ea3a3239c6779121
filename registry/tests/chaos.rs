//! Nodes that start, stop, move, crash, return and are cut off, from one seed each. When all is
//! quiet again, every node must see the same, and nothing may be lost, doubled or left behind.
//!
//! `SEED=7 cargo test -p swarm-registry --test chaos` replays one seed, `SEEDS=1000` runs more.

mod common;

use common::{Cluster, bytes, called, claim};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use swarm_base::{Instant, Name, NodeId, Pid, Rng, Token};
use swarm_registry::{At, Fact, Resolution, Standing, Why};
use swarm_sim::{Cut, Faults, addr};

const NAMES: u64 = 12;
const CHAOS: Duration = Duration::from_secs(40);
const QUIET: u64 = 150;

#[test]
fn when_quiet_all_agree_and_nothing_is_lost() {
    let seeds: Vec<u64> = match std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => vec![seed],
        None => {
            let count = std::env::var("SEEDS").ok().and_then(|count| count.parse().ok());
            (1..=count.unwrap_or(300)).collect()
        }
    };
    let mut struck: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in &seeds {
        println!("replay: SEED={seed} cargo test -p swarm-registry --test chaos");
        let mut chaos = Chaos::new(*seed);
        chaos.run();
        for (what, count) in chaos.struck {
            *struck.entry(what).or_default() += count;
        }
    }
    println!("{} seeds: {struck:?}", seeds.len());
    if seeds.len() >= 60 {
        for what in [
            "register",
            "start",
            "stop",
            "move",
            "crash",
            "reboot",
            "false death",
            "partition",
            "sever",
            "outdone",
            "join",
            "leave",
            "break",
        ] {
            assert!(struck.contains_key(what), "no seed saw: {what}");
        }
    }
}

/// What membership will tell a node.
#[derive(Clone)]
enum News {
    Up(NodeId),
    Dead(NodeId),
}

struct Chaos {
    c: Cluster,
    rng: Rng,
    n_nodes: u16,
    /// Whether membership may be wrong in this seed.
    divided: bool,
    due: Vec<(Instant, u16, News)>,
    /// Which lives each node holds alive.
    alive: BTreeMap<u16, BTreeSet<NodeId>>,
    /// Every life that a node was told of.
    met: BTreeMap<u16, BTreeSet<NodeId>>,
    processes: BTreeMap<Pid, Name>,
    serial: u64,
    /// Names that must be there when all is quiet: started, never stopped, and known to a
    /// running node ever since.
    wanted: BTreeSet<Name>,
    /// Names that were stopped last, for seeds in which that is for good.
    stopped: BTreeSet<Name>,
    struck: BTreeMap<&'static str, u64>,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let n_nodes = 3 + rng.below(3) as u16;
        let config = swarm_registry::Config {
            // So short that snapshots are needed.
            history_facts_max: 1 + rng.below(30) as usize,
            slice_max: 1 << rng.below(8),
            ..Default::default()
        };
        let mut c = Cluster::with_config(n_nodes, seed, config);
        c.world.set_faults(Faults::draw(&mut rng));
        let divided = rng.chance(500);
        let mut chaos = Self {
            alive: BTreeMap::new(),
            met: BTreeMap::new(),
            c,
            rng,
            n_nodes,
            divided,
            due: Vec::new(),
            processes: BTreeMap::new(),
            serial: 0,
            wanted: BTreeSet::new(),
            stopped: BTreeSet::new(),
            struck: BTreeMap::new(),
        };
        for a in 1..=n_nodes {
            for b in (1..=n_nodes).filter(|b| *b != a) {
                let id = chaos.c.id(b);
                chaos.alive.entry(a).or_default().insert(id.clone());
                chaos.met.entry(a).or_default().insert(id);
            }
        }
        chaos
    }

    fn run(&mut self) {
        let end = self.c.world.now() + CHAOS;
        while self.c.world.now() < end {
            let pause = self.rng.duration(Duration::from_millis(1)..=Duration::from_millis(300));
            self.c.run_for(pause);
            self.membership();
            for _ in 0..=self.rng.below(6) {
                self.operate();
            }
            self.look_after();
            self.watch();
        }
        self.heal();
        for _ in 0..QUIET {
            self.c.run(1);
            self.membership();
            self.look_after();
            self.watch();
        }
        self.judge();
    }

    fn running(&self) -> Vec<u16> {
        (1..=self.n_nodes).filter(|n| self.c.runs(*n)).collect()
    }

    fn any(&mut self) -> u16 {
        let running = self.running();
        running[self.rng.index(running.len()).expect("two at least")]
    }

    fn strike(&mut self, what: &'static str) {
        *self.struck.entry(what).or_default() += 1;
    }

    fn tell(&mut self, n: u16, news: News, within_ms: u64) {
        let after = Duration::from_millis(self.rng.below(within_ms + 1));
        self.due.push((self.c.world.now() + after, n, news));
    }

    /// Tells what is due, as membership does: a life that is over is never up again.
    fn membership(&mut self) {
        let now = self.c.world.now();
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.due).into_iter().partition(|(at, ..)| *at <= now);
        self.due = later;
        for (_, n, news) in due {
            if !self.c.runs(n) {
                continue;
            }
            match news {
                News::Up(id) => {
                    let is_current =
                        self.running().iter().any(|other| *other != n && self.c.id(*other) == id);
                    if is_current {
                        self.alive.entry(n).or_default().retain(|other| other.name != id.name);
                        self.alive.entry(n).or_default().insert(id.clone());
                        self.met.entry(n).or_default().insert(id.clone());
                        self.c.with(n, |node, now| node.registry.node_up(now, id));
                    }
                }
                News::Dead(id) => {
                    self.alive.entry(n).or_default().remove(&id);
                    self.c.with(n, |node, now| node.registry.node_dead(now, &id));
                }
            }
        }
    }

    fn operate(&mut self) {
        let n = self.any();
        let name = called(&format!("name-{}", self.rng.below(NAMES)));
        match self.rng.below(100) {
            0..44 => {
                let free = self.c.registry(n).resolve(&name) == Resolution::Free;
                if free && self.may_act(n) && self.owns(n, &name) {
                    self.start(n, &name);
                    self.strike("register");
                }
            }
            44..51 => self.stop(n),
            51..65 => self.hand_over(n),
            65..75 => self.group(n),
            75..78 => self.crash(n),
            78..86 => self.reboot(),
            86..90 => {
                let other = self.any();
                self.c.world.break_session(addr(n), addr(other));
                self.strike("break");
            }
            90..94 => {
                let other = self.any();
                if n != other {
                    self.c.world.sever(addr(n), addr(other));
                    self.strike("sever");
                }
            }
            94..96 => self.mend(),
            96..98 if self.divided => self.false_death(n),
            98.. if self.divided => self.partition(),
            _ => {}
        }
    }

    /// What the ring's agreement gives: the node has applied all that every member it holds alive
    /// has said (ownership, R2), and knows what is known of the dead.
    fn may_act(&self, n: u16) -> bool {
        let registry = self.c.registry(n);
        let alive = &self.alive[&n];
        let current = self.running().into_iter().filter(|other| *other != n);
        let agreed = current.filter(|other| alive.contains(&self.c.id(*other))).all(|other| {
            let id = self.c.id(other);
            self.alive[&other].contains(&self.c.id(n))
                && self.c.world.reaches(addr(n), addr(other))
                && self.c.world.reaches(addr(other), addr(n))
                && registry.position(&id) == self.c.registry(other).position(&id)
                && self.same_ring(n, other)
        });
        // A member that is dead and held alive acknowledges nothing.
        let no_dead = alive.iter().all(|id| self.running().iter().any(|n| self.c.id(*n) == *id));
        agreed && no_dead && registry.caught_up()
    }

    fn same_ring(&self, a: u16, b: u16) -> bool {
        let ring = |n: u16| {
            let mut ring = self.alive[&n].clone();
            ring.insert(self.c.id(n));
            ring
        };
        ring(a) == ring(b)
    }

    /// Whether `n`'s ring gives it the name.
    fn owns(&self, n: u16, name: &Name) -> bool {
        let mut ring = self.alive[&n].clone();
        ring.insert(self.c.id(n));
        let bytes = name.as_bytes();
        let idx = usize::from(bytes[bytes.len() - 1]) % ring.len();
        ring.into_iter().nth(idx) == Some(self.c.id(n))
    }

    fn spawn(&mut self, n: u16, name: &Name) -> Pid {
        self.serial += 1;
        let pid = Pid::new(self.c.id(n).boot, self.serial);
        self.processes.insert(pid, name.clone());
        pid
    }

    fn start(&mut self, n: u16, name: &Name) {
        let token = Token::new(self.c.registry(n).epoch(name) + 1, self.c.id(n).boot);
        let pid = self.spawn(n, name);
        let text = name.to_string();
        self.c.append(n, Fact::Named(claim(&text, token, At::Running(pid))));
        self.wanted.insert(name.clone());
        self.stopped.remove(name);
        if !self.divided {
            let n_live = self.live_claims(name);
            assert_eq!(n_live, 1, "{name} runs {n_live} times without a false death");
        }
    }

    fn live_claims(&self, name: &Name) -> usize {
        self.processes.values().filter(|other| *other == name).count()
    }

    fn end(&mut self, n: u16, pid: Pid) {
        self.processes.remove(&pid);
        self.c.append(n, Fact::Exited { pid });
    }

    /// The claims of `n` that it believes to win.
    fn winning(&self, n: u16) -> Vec<(Name, Token, Pid)> {
        let registry = self.c.registry(n);
        let own = registry.own_claims().filter(|own| match registry.resolve(&own.name) {
            Resolution::Held { claim, .. } => claim == *own,
            _ => false,
        });
        own.filter_map(|own| Some((own.name.clone(), own.token, own.pid()?))).collect()
    }

    fn stop(&mut self, n: u16) {
        let winning = self.winning(n);
        let Some(idx) = self.rng.index(winning.len()) else { return };
        let (name, token, pid) = winning[idx].clone();
        self.c.append(n, Fact::Ended { name: name.clone(), token, why: Why::Stopped });
        self.end(n, pid);
        self.wanted.remove(&name);
        self.stopped.insert(name);
        self.strike("stop");
    }

    /// A move, as its two ends log it: the target claims, and the source says where it is.
    fn hand_over(&mut self, n: u16) {
        let (winning, to) = (self.winning(n), self.any());
        let Some(idx) = self.rng.index(winning.len()) else { return };
        let (name, token, pid) = winning[idx].clone();
        let connected = self.c.world.reaches(addr(n), addr(to))
            && self.c.world.reaches(addr(to), addr(n))
            && self.alive[&n].contains(&self.c.id(to))
            && self.alive[&to].contains(&self.c.id(n));
        // A name with two known claims is not moved (ownership, consequence 2).
        if n == to || !connected || self.c.registry(to).own(&name).is_some() {
            return;
        }
        let next = Token::new(self.c.registry(n).epoch(&name) + 1, self.c.id(to).boot);
        let groups = self.c.registry(n).memberships(&self.c.id(n), pid).collect::<Vec<_>>();
        let new = self.spawn(to, &name);
        let text = name.to_string();
        let named = Fact::Named(claim(&text, next, At::Running(new)));
        let joined = groups.into_iter().map(|(group, meta)| Fact::Joined { group, pid: new, meta });
        let facts: Vec<Fact> = std::iter::once(named).chain(joined).collect();
        self.c.with(to, |node, now| node.registry.append_all(now, facts));
        let why = Why::GoneTo { log: self.c.id(to), token: next };
        self.c.append(n, Fact::Ended { name, token, why });
        self.end(n, pid);
        self.strike("move");
    }

    fn group(&mut self, n: u16) {
        let winning = self.winning(n);
        let Some(idx) = self.rng.index(winning.len()) else { return };
        let (pid, group) = (winning[idx].2, called(&format!("group-{}", self.rng.below(3))));
        if self.rng.chance(600) {
            let meta = bytes(&[self.rng.below(4) as u8]);
            self.c.append(n, Fact::Joined { group, pid, meta });
            self.strike("join");
        } else {
            self.c.append(n, Fact::Left { group, pid });
            self.strike("leave");
        }
    }

    fn crash(&mut self, n: u16) {
        if self.running().len() <= 2 {
            return;
        }
        let id = self.c.id(n);
        self.c.crash(n);
        self.processes.retain(|pid, _| pid.boot != id.boot);
        for other in self.running() {
            self.tell(other, News::Dead(id.clone()), 3_000);
        }
        self.strike("crash");
    }

    fn reboot(&mut self) {
        let down: Vec<u16> = (1..=self.n_nodes).filter(|n| !self.c.runs(*n)).collect();
        let Some(idx) = self.rng.index(down.len()) else { return };
        let n = down[idx];
        self.c.boot(n);
        self.alive.insert(n, BTreeSet::new());
        self.met.insert(n, BTreeSet::new());
        // A joiner has the whole list of members before it enters a ring (ownership, R2).
        for other in self.running() {
            if other != n {
                self.due.push((self.c.world.now(), n, News::Up(self.c.id(other))));
                self.tell(other, News::Up(self.c.id(n)), 1_000);
            }
        }
        self.membership();
        self.strike("reboot");
    }

    fn false_death(&mut self, n: u16) {
        let other = self.any();
        if other == n {
            return;
        }
        let id = self.c.id(other);
        self.tell(n, News::Dead(id.clone()), 0);
        self.tell(n, News::Up(id), 5_000);
        self.strike("false death");
    }

    fn partition(&mut self) {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for n in self.running() {
            if self.rng.chance(500) { left.push(n) } else { right.push(n) }
        }
        let at = |side: &[u16]| side.iter().map(|n| addr(*n)).collect::<Vec<_>>();
        self.c.world.partition(&[&at(&left), &at(&right)]);
        for (a, b) in left.iter().flat_map(|a| right.iter().map(|b| (*a, *b))) {
            let (id_a, id_b) = (self.c.id(a), self.c.id(b));
            self.tell(a, News::Dead(id_b), 4_000);
            self.tell(b, News::Dead(id_a), 4_000);
        }
        self.strike("partition");
    }

    /// Takes all cuts away; the false deaths of a partition end.
    fn mend(&mut self) {
        self.c.world.act(swarm_sim::Action::Mend(Cut::Partition));
        self.c.world.act(swarm_sim::Action::Mend(Cut::NonTransitive));
        for a in self.running() {
            for b in self.running() {
                if a != b && !self.alive[&a].contains(&self.c.id(b)) {
                    self.tell(a, News::Up(self.c.id(b)), 2_000);
                }
            }
        }
    }

    /// What every node does by itself: losers of conflicts end, survivors claim above what they
    /// know (ownership, R5), owners start orphans.
    fn look_after(&mut self) {
        for n in self.running() {
            let own: Vec<_> = self.c.registry(n).own_claims().collect();
            for own in own {
                let Some(pid) = own.pid() else { continue };
                let registry = self.c.registry(n);
                let Resolution::Held { node, claim } = registry.resolve(&own.name) else {
                    panic!("{} is held by n{n} at least", own.name)
                };
                if *node != self.c.id(n) {
                    let why = Why::GoneTo { log: node.clone(), token: claim.token };
                    let (name, token) = (own.name, own.token);
                    self.c.append(n, Fact::Ended { name, token, why });
                    self.end(n, pid);
                    self.strike("outdone");
                } else if registry.highest(&own.name) > Some(own.token) {
                    let token = Token::new(registry.epoch(&own.name) + 1, self.c.id(n).boot);
                    let text = own.name.to_string();
                    self.c.append(n, Fact::Named(claim_of(&text, token, pid)));
                }
            }
            if self.may_act(n) {
                let orphans: Vec<Name> = self.c.registry(n).orphans().cloned().collect();
                for name in orphans {
                    if self.owns(n, &name) {
                        self.start(n, &name);
                        self.strike("start");
                    }
                }
            }
        }
    }

    /// Forgets names that no running node knows: nobody can bring them back.
    fn watch(&mut self) {
        let running = self.running();
        let c = &self.c;
        self.wanted.retain(|name| running.iter().any(|n| c.registry(*n).epoch(name) > 0));
    }

    fn heal(&mut self) {
        self.c.world.heal();
        self.due.clear();
        for a in self.running() {
            for id in self.met[&a].clone() {
                let runs = self.running().iter().any(|b| self.c.id(*b) == id);
                if !runs {
                    self.tell(a, News::Dead(id), 3_000);
                }
            }
            for b in self.running().into_iter().filter(|b| *b != a) {
                self.tell(a, News::Up(self.c.id(b)), 3_000);
            }
        }
    }

    fn judge(&mut self) {
        let running = self.running();
        self.describe(&running);
        let first = running[0];
        let logs = |n: u16| self.c.registry(n).log_progress().collect::<Vec<_>>();
        for n in &running {
            assert_eq!(logs(*n).len(), running.len(), "dead logs are gone: {:?}", logs(*n));
            for (a, b) in logs(*n).iter().zip(logs(first)) {
                assert_eq!((&a.log, a.position, a.digest), (&b.log, b.position, b.digest));
                assert_eq!((a.n_names, a.n_members), (b.n_names, b.n_members));
                assert_eq!(a.standing, Standing::Live);
            }
            assert_eq!(self.c.registry(*n).orphans().count(), 0);
            assert!(self.c.registry(*n).caught_up());
            assert_eq!(self.c.node(*n).groups, self.c.node(first).groups);
            assert_eq!(self.c.node(*n).told, self.c.node(first).told);
        }
        for i in 0..NAMES {
            let name = called(&format!("name-{i}"));
            let runs: Vec<Pid> =
                self.processes.iter().filter(|(_, of)| **of == name).map(|(pid, _)| *pid).collect();
            assert!(runs.len() <= 1, "{name} runs as {runs:?}");
            for n in &running {
                let c = &self.c;
                let registry = c.registry(*n);
                let resolved = registry.resolve(&name);
                assert_eq!(resolved, self.c.registry(first).resolve(&name), "{name} at n{n}");
                match resolved {
                    Resolution::Held { claim, .. } => {
                        *self.struck.entry("held when quiet").or_default() += 1;
                        assert_eq!(claim.pid(), runs.first().copied(), "{name} has no ghost");
                        assert_eq!(registry.highest(&name), Some(claim.token));
                    }
                    Resolution::Free => {
                        *self.struck.entry("free when quiet").or_default() += 1;
                        assert!(runs.is_empty(), "{name} runs, and n{n} does not know");
                        assert!(!self.wanted.contains(&name), "{name} is lost");
                        assert_eq!(registry.epoch(&name), 0, "nothing is left of {name} at n{n}");
                    }
                    Resolution::Orphan { .. } | Resolution::Pending { .. } => {
                        panic!("{name} at n{n}: {resolved:?}")
                    }
                }
                if !self.divided && self.stopped.contains(&name) {
                    assert_eq!(registry.resolve(&name), Resolution::Free, "{name} came back");
                }
                let view = self.c.node(*n).view.whereis(name.as_bytes());
                assert_eq!(view, runs.first().copied());
            }
        }
        let rejected: Vec<_> =
            running.iter().flat_map(|n| self.c.registry(*n).rejected()).collect();
        for (why, _) in rejected {
            use swarm_registry::Rejection;
            assert!(
                !matches!(why, Rejection::Malformed | Rejection::Unreadable | Rejection::TooLarge),
                "{why:?}"
            );
        }
    }
}

impl Chaos {
    /// Shown where a test fails.
    fn describe(&self, running: &[u16]) {
        for n in running {
            let registry = self.c.registry(*n);
            println!("n{n}: may act {}, caught up {}", self.may_act(*n), registry.caught_up());
            println!("  alive {:?}", self.alive[n]);
            for log in registry.log_progress() {
                println!("  {log:?}");
            }
            for i in 0..NAMES {
                let name = called(&format!("name-{i}"));
                let claims: Vec<String> = registry
                    .claims(&name)
                    .map(|(node, claim, standing)| format!("{node:?} {} {standing:?}", claim.token))
                    .collect();
                let (epoch, owns) = (registry.epoch(&name), self.owns(*n, &name));
                println!(
                    "  {name}: {:?} {claims:?} {epoch} {owns}",
                    self.c.see(*n, &name.to_string())
                );
            }
        }
    }
}

fn claim_of(name: &str, token: Token, pid: Pid) -> swarm_registry::Claim {
    claim(name, token, At::Running(pid))
}
