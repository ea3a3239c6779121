//! Whole seeds of the toy: every fault strikes, nothing crosses lives, and all of it replays.

use crate::ms;
use crate::toy::{Event, Toy};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Instant, Rng, Session};
use swarm_sim::{
    Action, Birth, Check, Detail, Plan, Revival, Scenario, Schedule, Violation, World, seeds,
};

/// The toy under its checkers, and with a bug on demand.
#[derive(Clone, Copy, Default)]
struct Toys {
    bug: Bug,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Bug {
    #[default]
    None,
    /// A checker that takes every restart for a fault.
    Restart,
    /// Never content.
    Convergence,
    /// An operation panics.
    Panic,
}

impl Scenario for Toys {
    type Host = Toy;

    fn start(&mut self, birth: Birth<'_>) -> Toy {
        Toy::new(birth.now, birth.addr, birth.addrs, birth.life, birth.rng)
    }

    fn checks(&self) -> Vec<Box<dyn Check<Toy>>> {
        match self.bug {
            Bug::Restart => vec![Box::new(Ordered::default()), Box::new(NoRestart::default())],
            _ => vec![Box::new(Ordered::default())],
        }
    }

    fn operate(&mut self, world: &mut World<Toy>, rng: &mut Rng) {
        let running: Vec<_> = world.hosts().keys().copied().collect();
        let Some(idx) = rng.index(running.len()).filter(|_| rng.chance(50)) else { return };
        assert!(self.bug != Bug::Panic, "an operation went wrong");
        world.note(format_args!("{} closes all", running[idx]));
        world.try_with(running[idx], |toy, _| toy.close_all());
    }

    fn converged(&mut self, world: &World<Toy>) -> Result<(), String> {
        let running: Vec<_> = world.hosts().keys().copied().collect();
        for (addr, toy) in world.hosts() {
            if !toy.knows(&running) {
                return Err(format!("{addr} does not know all of {running:?}"));
            }
            let ghost = (1..=8).map(swarm_sim::addr).find(|other| {
                other != addr
                    && world.lives(*other) > 0
                    && !world.is_running(*other)
                    && toy.hears(*other)
            });
            if let Some(ghost) = ghost {
                return Err(format!("{addr} hears the dead {ghost}"));
            }
        }
        match self.bug {
            Bug::Convergence if world.now() > Instant::after_start(ms(20_000)) => {
                Err("nothing is good enough".into())
            }
            _ => Ok(()),
        }
    }
}

/// Frames come in order without a gap, only between `Opened` and `Closed`, and from the life that
/// the session opened with.
#[derive(Default)]
struct Ordered {
    next: BTreeMap<(SocketAddr, Session), u64>,
    judged: u64,
}

impl Check<Toy> for Ordered {
    fn name(&self) -> &'static str {
        "frames are ordered"
    }

    fn observe(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        event: &Event,
        _: &BTreeMap<SocketAddr, Toy>,
    ) -> Result<(), Violation> {
        match event {
            Event::Opened(session) => {
                if self.next.insert((addr, *session), 0).is_some() {
                    return Err(Violation::new(self.name(), now, "a session opened twice"));
                }
            }
            Event::Closed(session) => drop(self.next.remove(&(addr, *session))),
            Event::Heard { session, peer_life, frame } => {
                self.judged += 1;
                let next = self.next.get_mut(&(addr, *session));
                let is_next = next.as_ref().is_some_and(|next| **next == frame.number);
                if !is_next || frame.life != *peer_life {
                    let sentence = format!("{addr} heard {frame:?} of life {peer_life}: {next:?}");
                    return Err(Violation::new(self.name(), now, sentence));
                }
                next.into_iter().for_each(|next| *next += 1);
            }
            Event::Up { peer } | Event::Down { peer } => {
                // Nobody hears itself, or loses itself.
                if *peer == addr {
                    return Err(Violation::new(self.name(), now, format!("{addr} hears itself")));
                }
            }
        }
        Ok(())
    }

    fn act(&mut self, _: Instant, action: &Action) {
        if let Action::Start(addr) = action {
            // A new life numbers what it dials from zero.
            self.next.retain(|(node, _), _| node != addr);
        }
    }

    fn judged(&self) -> u64 {
        self.judged
    }
}

/// A property that does not hold.
#[derive(Default)]
struct NoRestart {
    started: BTreeMap<SocketAddr, u64>,
}

impl Check<Toy> for NoRestart {
    fn name(&self) -> &'static str {
        "nobody restarts"
    }

    fn act(&mut self, _: Instant, action: &Action) {
        if let Action::Start(addr) = action {
            *self.started.entry(*addr).or_default() += 1;
        }
    }

    fn step(
        &mut self,
        now: Instant,
        _: SocketAddr,
        _: &BTreeMap<SocketAddr, Toy>,
    ) -> Result<(), Violation> {
        match self.started.iter().find(|(_, count)| **count > 1) {
            Some((addr, _)) => {
                Err(Violation::new(self.name(), now, format!("{addr} has a second life")))
            }
            None => Ok(()),
        }
    }

    fn judged(&self) -> u64 {
        self.started.values().sum()
    }
}

fn plan() -> Plan {
    Plan {
        replay: "SWARM_SEED={seed} cargo test -p swarm-sim chaos",
        chaos: Duration::from_secs(20),
        trouble_gap: ms(500),
        trouble_max: Duration::from_secs(6),
        down_max: 2,
        ..Plan::default()
    }
}

#[test]
fn every_fault_strikes_and_every_checker_judges() {
    let seeds = seeds(0..60);
    let totals = plan().run_seeds(seeds, |_| Toys::default()).unwrap_or_else(|f| panic!("{f}"));
    if totals.seeds < 60 {
        return; // A replay shows less than all.
    }
    let missing: Vec<_> = totals.struck.missing().filter(|name| *name != "damage").collect();
    assert_eq!(missing, [""; 0], "{totals}");
    assert_eq!(totals.never_judged().count(), 0, "{totals}");
    assert!(totals.to_string().contains(" seeds, "), "{totals}");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let mut hashes = Vec::new();
    let seeds = seeds(0..100);
    let n_seeds = seeds.clone().count();
    for seed in seeds {
        let run = || plan().run_seed(seed, &mut Toys::default()).unwrap_or_else(|f| panic!("{f}"));
        let (one, two) = (run(), run());
        assert_eq!(one, two, "seed {seed}");
        hashes.push(one.trace_hash);
    }
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), n_seeds, "another seed is another run");
}

#[test]
fn a_failure_says_how_to_replay_it_and_replays() {
    let toys = Toys { bug: Bug::Restart };
    let plan = Plan { revival: Revival::All, ..plan() };
    let failure = plan.run_seeds(0..50, |_| toys).expect_err("some node restarts");
    let text = failure.to_string();
    let mut lines = text.lines();
    let replay = format!("replay: SWARM_SEED={} cargo test -p swarm-sim chaos", failure.seed);
    assert_eq!(lines.next(), Some(&*replay));
    let second = lines.next().unwrap_or_default();
    assert!(second.starts_with("nobody restarts does not hold at "), "{second}");
    assert!(text.contains("fault: Start("), "{text}");
    let again = plan.run_seed(failure.seed, &mut { toys }).expect_err("it replays");
    assert_eq!(again, failure);
}

#[test]
fn a_replay_may_show_every_packet() {
    let toys = Toys { bug: Bug::Restart };
    let plan = Plan { revival: Revival::All, ..plan() };
    let failure = plan.run_seeds(0..50, |_| toys).expect_err("some node restarts");
    let in_detail = Plan { detail: Detail::Packets, ..plan };
    let again = in_detail.run_seed(failure.seed, &mut { toys }).expect_err("it replays");
    assert_eq!(again.violation.at, failure.violation.at, "looking changes nothing");
    assert!(again.violation.last.len() > failure.violation.last.len());
    assert!(again.violation.last.iter().any(|line| line.contains(" reaches ")));
}

#[test]
fn a_schedule_shrinks_to_what_the_failure_needs() {
    let toys = Toys { bug: Bug::Restart };
    let plan = Plan { revival: Revival::None, ..plan() };
    let failure = plan.run_seeds(0..50, |_| toys).expect_err("some node restarts");
    let before = failure.schedule.entries().len();
    let shrunk = plan.shrink(*failure, 200, |_| toys);
    let entries = shrunk.schedule.entries();
    assert!(entries.len() < before && entries.len() == 2, "{}", shrunk.schedule);
    let [(_, end), (_, start)] = entries else { panic!("{}", shrunk.schedule) };
    assert!(matches!(end, Action::Crash(_) | Action::Stop(_)), "{end:?}");
    assert!(matches!(start, Action::Start(_)), "{start:?}");
    let again = plan.run_schedule(shrunk.seed, &shrunk.schedule, &mut { toys });
    assert_eq!(again.map_err(|failure| failure.violation), Err(shrunk.violation));
}

#[test]
fn who_does_not_converge_in_time_is_told_what_is_missing() {
    let failure =
        plan().run_seed(1, &mut Toys { bug: Bug::Convergence }).expect_err("never content");
    assert_eq!(failure.violation.property, "convergence after the heal");
    assert!(failure.violation.sentence.starts_with("nothing is good enough"));
    assert!(!failure.violation.last.is_empty());
}

#[test]
fn a_panic_is_a_failure_with_its_seed() {
    let failure = plan().run_seed(1, &mut Toys { bug: Bug::Panic }).expect_err("it panics");
    assert_eq!(failure.violation.property, "world: no panic");
    assert_eq!(failure.violation.sentence, "an operation went wrong");
}

#[test]
fn a_quiet_schedule_leaves_all_well() {
    let calm = Box::new(plan().calm);
    let plan = Plan { weather: swarm_sim::Weather::Always(calm), ..plan() };
    let report = plan
        .run_schedule(5, &Schedule::default(), &mut Toys::default())
        .unwrap_or_else(|f| panic!("{f}"));
    assert!(report.struck.iter().all(|(name, count)| count == 0 || name == "tail lost"));
}

#[test]
fn troubles_are_drawn_in_order_and_within_their_bounds() {
    let addrs: Vec<_> = (1..=5).map(swarm_sim::addr).collect();
    let plan = Plan { trouble_gap: ms(50), down_max: 1, ..plan() };
    let mut kinds = BTreeMap::new();
    for seed in 0..200 {
        let schedule = Schedule::draw(&mut Rng::new(seed), &plan, &addrs);
        let times: Vec<_> = schedule.entries().iter().map(|(at, _)| *at).collect();
        assert!(times.is_sorted(), "seed {seed}");
        let mut n_down = 0_usize;
        for (_, action) in schedule.entries() {
            match action {
                Action::Crash(_) | Action::Stop(_) => n_down += 1,
                Action::Start(_) => n_down -= 1,
                Action::Pause(_, span) => assert!(*span <= plan.pause_max),
                _ => (),
            }
            assert!(n_down <= 1, "seed {seed}: {schedule}");
            let kind = format!("{action:?}");
            let kind = kind.split(['(', ' ']).next().unwrap_or_default().to_owned();
            *kinds.entry(kind).or_insert(0_u32) += 1;
        }
    }
    assert!(kinds.len() >= 13 && kinds.values().all(|count| *count > 100), "{kinds:?}");
}
