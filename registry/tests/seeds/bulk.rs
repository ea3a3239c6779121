//! Seeds with very many facts: few nodes, which write thousands at a time while sessions break.

use crate::member::{Member, Temper};
use crate::news::{End, How, News};
use std::ops::Range;
use std::sync::LazyLock;
use std::time::Duration;
use swarm_base::{Instant, Name, Pid, Rng, Token};
use swarm_registry::{At, Bytes, Claim, Config, Fact, Spec, Why};
use swarm_sim::{Plan, Trouble};

pub(crate) const fn temper() -> Temper {
    Temper { is_careful: true, start_max: Duration::from_millis(200), args_len: 4 }
}

/// A snapshot is needed after every break, and while it is on its way more is written.
pub(crate) fn config(rng: &mut Rng) -> Config {
    Config {
        compare_interval: Duration::from_millis(500 + rng.below(1_000)),
        relay_interval: Duration::from_millis(100 + rng.below(200)),
        ask_timeout: Duration::from_millis(300),
        history_facts_max: 100 + rng.below(10_000) as usize,
        snapshot_window: 1 + rng.below(3) as u32,
        ..Config::default()
    }
}

pub(crate) fn plan(base: Plan) -> Plan {
    Plan {
        replay: REPLAY.as_str(),
        nodes: 3..=4,
        stay: Duration::from_millis(100),
        converge_max: Duration::from_secs(30),
        chaos: Duration::from_secs(10),
        operation_gap: Duration::from_millis(100),
        trouble_gap: Duration::from_secs(2),
        down_max: 1,
        troubles: vec![Trouble::Crash, Trouble::Break, Trouble::Partition, Trouble::NonTransitive],
        ..base
    }
}

static REPLAY: LazyLock<String> = LazyLock::new(|| {
    let n_facts = n_facts();
    format!(
        "SWARM_FACTS={n_facts} SWARM_SEED={{seed}} cargo test --release -p swarm-registry \
         --test seeds very_many"
    )
});

/// How many facts each seed writes: `SWARM_FACTS`.
pub(crate) fn n_facts() -> u64 {
    number("SWARM_FACTS").unwrap_or(1_000)
}

/// How many such seeds there are: `SWARM_BULK_SEEDS`, or the one that is replayed.
pub(crate) fn seeds() -> Range<u64> {
    match number("SWARM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SWARM_BULK_SEEDS").unwrap_or(2),
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text}: not a number")))
}

/// About how often a seed writes.
const WRITES: u64 = 100;

/// Writes a hundredth of so many facts at once.
pub(crate) fn write(member: &mut Member, now: Instant, mut rng: Rng, n_facts: u64) {
    let mut running: Vec<(Pid, Name)> =
        member.processes.iter().map(|(pid, name)| (*pid, name.clone())).collect();
    let mut facts = Vec::new();
    for _ in 0..n_facts / WRITES {
        let idx = rng.index(running.len()).unwrap_or_default();
        match rng.below(100) {
            0..50 => running.push(start(member, &mut facts)),
            50..75 if !running.is_empty() => join(member, &mut rng, running[idx].0, &mut facts),
            75..85 if !running.is_empty() => leave(member, &mut rng, running[idx].0, &mut facts),
            85.. if !running.is_empty() => {
                let (pid, name) = running.swap_remove(idx);
                stop(member, now, pid, name, &mut facts);
            }
            _ => {}
        }
    }
    member.registry.append_all(now, facts);
}

fn start(member: &mut Member, facts: &mut Vec<Fact>) -> (Pid, Name) {
    let boot = member.me().boot;
    let text = format!("{}-{}-{}", member.me().name, boot.millis, member.serial);
    let name = Name::new(text).expect("a name");
    let pid = member.spawn(&name, How::Registered);
    let spec = Spec { kind: "device".into(), args: Bytes::default() };
    facts.push(Fact::Named(Claim {
        spec: Some(spec),
        ..Claim::new(name.clone(), Token::new(1, boot), At::Running(pid))
    }));
    (pid, name)
}

fn stop(member: &mut Member, now: Instant, pid: Pid, name: Name, facts: &mut Vec<Fact>) {
    // What was written before counts first.
    let position = member.registry.append_all(now, facts.drain(..));
    let Some(token) = member.registry.own(&name).map(|own| own.token) else { return };
    member.processes.remove(&pid);
    facts.push(Fact::Ended { name: name.clone(), token, why: Why::Stopped });
    facts.push(Fact::Exited { pid });
    member.tell(News::Ended { name, pid, position: position + 2, why: End::Stopped });
}

fn join(member: &mut Member, rng: &mut Rng, pid: Pid, facts: &mut Vec<Fact>) {
    let group = group(rng);
    let meta = Bytes::new([rng.below(4) as u8]).expect("short");
    facts.push(Fact::Joined { group: group.clone(), pid, meta: meta.clone() });
    member.tell(News::Joined { group, pid, meta });
}

fn leave(member: &mut Member, rng: &mut Rng, pid: Pid, facts: &mut Vec<Fact>) {
    let group = group(rng);
    facts.push(Fact::Left { group: group.clone(), pid });
    member.tell(News::Left { group, pid });
}

fn group(rng: &mut Rng) -> Name {
    Name::new(format!("group-{}", rng.below(100))).expect("a name")
}
