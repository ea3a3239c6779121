//! One seed: which faults, how nodes are, and what is done to their names.

use crate::bulk;
use crate::checks;
use crate::host::SimNode;
use crate::member::{Member, NAMES, Temper};
use crate::news::Question;
use crate::program::called;
use crate::truth::{Shared, Witness};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use swarm_base::{Boot, Name, NodeId, NodeName, Rng};
use swarm_registry::{Bytes, Config};
use swarm_sim::{Birth, Check, Faults, Plan, Scenario, Trouble, Weather, World};

/// What a seed is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Every fault, and nodes that decide only when all agree.
    Storm,
    /// Every fault, and nodes that decide at once: conflicts everywhere.
    Rash,
    /// Nodes really die, and nobody is taken for dead: a name never runs twice.
    Deaths,
    /// So many facts, written by few nodes within seconds.
    Bulk(u64),
}

pub(crate) struct Cluster {
    kind: Kind,
    config: Config,
    temper: Temper,
    truth: Shared,
}

impl Cluster {
    pub(crate) fn new(seed: u64, kind: Kind) -> Self {
        let mut rng = Rng::new(seed);
        let (temper, config) = match kind {
            Kind::Bulk(_) => (bulk::temper(), bulk::config(&mut rng)),
            _ => (temper(&mut rng, kind), config(&mut rng)),
        };
        Self { kind, config, temper, truth: Shared::default() }
    }
}

/// The kind of an ordinary seed.
pub(crate) const fn kind(seed: u64) -> Kind {
    match seed % 4 {
        0 | 1 => Kind::Storm,
        2 => Kind::Rash,
        _ => Kind::Deaths,
    }
}

fn temper(rng: &mut Rng, kind: Kind) -> Temper {
    Temper {
        is_careful: kind != Kind::Rash,
        start_max: Duration::from_millis(rng.below(400)),
        // One seed in sixteen has snapshots of several pieces.
        args_len: if rng.below(16) == 0 { 60 * 1024 } else { 4 },
    }
}

/// Times that are a tenth of what is usual, and histories so short that snapshots are needed.
fn config(rng: &mut Rng) -> Config {
    let history_max = if rng.chance(500) { 12 } else { 200 };
    Config {
        compare_interval: Duration::from_millis(500 + rng.below(1_000)),
        relay_interval: Duration::from_millis(100 + rng.below(200)),
        ask_timeout: Duration::from_millis(300),
        history_facts_max: 1 + rng.below(history_max) as usize,
        snapshot_window: 1 + rng.below(3) as u32,
        slice_max: 1 << rng.below(8),
        push_delay: Duration::from_millis(rng.below(3)),
        ..Config::default()
    }
}

/// How the run of `seed` goes.
pub(crate) fn plan(seed: u64, kind: Kind) -> Plan {
    let base = Plan {
        replay: REPLAY,
        nodes: 3..=7,
        chaos: Duration::from_secs(12),
        operation_gap: Duration::from_millis(60),
        trouble_max: Duration::from_secs(8),
        pause_max: Duration::from_secs(5),
        down_max: 2,
        converge_max: Duration::from_secs(20),
        ..Plan::default()
    };
    match kind {
        Kind::Storm | Kind::Rash => base,
        Kind::Deaths => Plan {
            troubles: vec![Trouble::Crash, Trouble::Stop, Trouble::Break],
            weather: Weather::Always(Box::new(bearable(&mut Rng::new(seed ^ 0x0073_6b79)))),
            ..base
        },
        Kind::Bulk(_) => bulk::plan(base),
    }
}

/// Sessions break at any moment, and nothing is late by much: whoever lives is heard.
fn bearable(rng: &mut Rng) -> Faults {
    Faults {
        delay: Duration::from_micros(100)..=Duration::from_millis(1 + rng.below(40)),
        loss_permille: rng.below(50) as u32,
        duplicate_permille: rng.below(200) as u32,
        duplicate_late_max: Duration::from_millis(500),
        break_gap: rng.chance(700).then(|| Duration::from_millis(300 + rng.below(3_000))),
        overtaking_close_permille: rng.below(1_000) as u32,
        half_open_permille: rng.below(200) as u32,
        ..Faults::calm()
    }
}

const REPLAY: &str = "SWARM_SEED={seed} cargo test --release -p swarm-registry --test seeds";

impl Scenario for Cluster {
    type Host = SimNode;

    fn start(&mut self, birth: Birth<'_>) -> SimNode {
        let idx = birth.addrs.iter().position(|addr| *addr == birth.addr).unwrap_or_default();
        let name = NodeName::new(format!("n{idx}")).expect("a name");
        let (now, mut rng) = (birth.now, birth.rng);
        let id = NodeId::new(name, Boot { millis: birth.life, random: rng.next_u64() });
        self.truth.borrow_mut().started(birth.addr, id.clone());
        let config = self.config.clone().check().expect("within bounds");
        let member = Member::new(now, id, config, self.temper, rng);
        SimNode::new(now, birth.addr, birth.addrs, member, Rc::clone(&self.truth))
    }

    fn checks(&self) -> Vec<Box<dyn Check<SimNode>>> {
        let mut checks: Vec<Box<dyn Check<SimNode>>> =
            vec![Box::new(Witness(Rc::clone(&self.truth)))];
        checks.extend(checks::all(&self.truth, self.kind));
        checks
    }

    fn operate(&mut self, world: &mut World<SimNode>, rng: &mut Rng) {
        let addrs: Vec<SocketAddr> = world.hosts().keys().copied().collect();
        let Some(addr) = rng.index(addrs.len()).map(|idx| addrs[idx]) else { return };
        if let Kind::Bulk(n_facts) = self.kind {
            let rng = rng.fork();
            world.try_with(addr, |node, now| bulk::write(node.member_mut(), now, rng, n_facts));
            return;
        }
        let name = called(rng.below(NAMES));
        match rng.below(100) {
            0..30 => {
                let ask = |node: &mut SimNode, now| {
                    node.member_mut().ask(now, Question::Register, name);
                };
                world.try_with(addr, ask);
            }
            30..35 => {
                let name = Name::new(format!("pid-{}", rng.below(3))).expect("a name");
                world.try_with(addr, |node, now| node.member_mut().register_by_pid(now, name));
            }
            35..50 => hand_over(world, addr, addrs[rng.below(addrs.len() as u64) as usize], rng),
            _ => {
                let mut rng = rng.fork();
                world.try_with(addr, |node, now| of_process(node.member_mut(), now, &mut rng));
            }
        }
    }

    fn converged(&mut self, world: &World<SimNode>) -> Result<(), String> {
        checks::lack(&self.truth.borrow(), world.hosts()).map_or(Ok(()), Err)
    }
}

/// Something happens to a process that runs on `member`.
fn of_process(member: &mut Member, now: swarm_base::Instant, rng: &mut Rng) {
    let winning = member.winning();
    let Some(claim) = rng.index(winning.len()).map(|idx| &winning[idx]) else { return };
    let Some(pid) = claim.pid() else { return };
    let group = Name::new(format!("group-{}", rng.below(3))).expect("a name");
    match rng.below(100) {
        0..25 => member.stop(now, claim),
        25..40 => member.exit(now, claim),
        40..80 => {
            let meta = Bytes::new([rng.below(4) as u8]).expect("short");
            member.join(now, pid, group, meta);
        }
        _ => member.leave(now, pid, group),
    }
}

/// A move, as its two ends log it: the target claims, and the source says where it is. The two
/// logs reach the others in any order.
fn hand_over(world: &mut World<SimNode>, from: SocketAddr, to: SocketAddr, rng: &mut Rng) {
    let is_awake = [from, to].iter().all(|addr| !world.is_paused(*addr));
    if from == to || !is_awake || !world.reaches(from, to) || !world.reaches(to, from) {
        return;
    }
    let (source, target) = (world.host(from).member(), world.host(to).member());
    let (id, target_id) = (source.me().clone(), target.me().clone());
    let know = source.agreement.ring().contains(&target_id)
        && target.agreement.ring().contains(&id)
        && source.may_act(world.local_now(from));
    let winning = source.winning();
    let Some(claim) = rng.index(winning.len()).map(|idx| winning[idx].clone()) else { return };
    // A name with two known claims is not moved (ownership, consequence 2).
    if !know || target.registry.own(&claim.name).is_some() || claim.spec.is_none() {
        return;
    }
    let parcel = world.with(from, |node, now| node.member_mut().pack(now, &claim, &target_id));
    let token = world.with(to, |node, now| node.member_mut().unpack(now, &parcel));
    world.with(from, |node, now| node.member_mut().sent(now, &parcel, &target_id, token));
}
