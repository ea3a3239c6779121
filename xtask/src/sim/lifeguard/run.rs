//! One run of an experiment: a group, some of whose members are blocked now and then.

use crate::sim::members::{self, Members, number};
use std::collections::BTreeMap;
use std::time::Duration;
use swarm_base::Instant;
use swarm_sim::Seen;
use swarm_swim::{Checked, Event, Failure, Protocol};

/// What to do, and in which group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub(super) n_members: u16,
    /// How many are blocked: Lifeguard's C.
    pub(super) n_blocked: usize,
    /// For how long: D.
    pub(super) blocked_for: Duration,
    pub(super) config: Checked,
    pub(super) seed: u64,
}

/// What the interval experiment counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Deaths declared of members that were never blocked.
    pub(super) false_deaths: u64,
    /// Those declared by members that were never blocked either.
    pub(super) false_deaths_by_healthy: u64,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    /// How long all members together were watched for.
    pub(super) member_seconds: u64,
}

impl Counts {
    pub(super) const fn plus(&self, other: &Self) -> Self {
        Self {
            false_deaths: self.false_deaths + other.false_deaths,
            false_deaths_by_healthy: self.false_deaths_by_healthy + other.false_deaths_by_healthy,
            packets: self.packets + other.packets,
            bytes: self.bytes + other.bytes,
            member_seconds: self.member_seconds + other.member_seconds,
        }
    }
}

/// Blocks members again and again, each time for D and then free for I, for two minutes at least.
pub(super) fn interval(setting: &Setting, free_for: Duration) -> Counts {
    let (mut group, blocked) = prepare(setting);
    let start = group.now();
    let mut counts = Counts::default();
    let mut see = |_: Instant, n: u16, seen: Seen<'_, Protocol>| match seen {
        Seen::Sent { message: packet, .. } => {
            counts.packets += 1;
            counts.bytes += packet.body_len() as u64;
        }
        Seen::Event(Event::Failed { node, why: Failure::Timeout }) => {
            if !blocked.contains(&number(node)) {
                counts.false_deaths += 1;
                counts.false_deaths_by_healthy += u64::from(!blocked.contains(&n));
            }
        }
        Seen::Event(_) => {}
    };
    while group.now().since(start) < SPAN {
        blocked.iter().for_each(|n| group.block(*n));
        let end = group.now() + setting.blocked_for;
        group.run_until(end, &mut see);
        blocked.iter().for_each(|n| group.unblock(*n, &mut see));
        let end = group.now() + free_for;
        group.run_until(end, &mut see);
    }
    counts.member_seconds = group.now().since(start).as_secs() * u64::from(setting.n_members);
    counts
}

/// How long a death took to be noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Detection {
    /// By the first.
    pub(super) first: Duration,
    /// By the last, if by all who were not blocked.
    pub(super) last: Option<Duration>,
}

/// Blocks members once, and tells of those whom a healthy member declared dead.
pub(super) fn threshold(setting: &Setting) -> Vec<Detection> {
    let (mut group, blocked) = prepare(setting);
    let start = group.now();
    let n_healthy = usize::from(setting.n_members) - blocked.len();
    let mut deaths: BTreeMap<u16, Vec<Duration>> = BTreeMap::new();
    let mut see = |now: Instant, n: u16, seen: Seen<'_, Protocol>| {
        if let Seen::Event(Event::Failed { node, why: Failure::Timeout }) = seen
            && blocked.contains(&number(node))
            && !blocked.contains(&n)
        {
            deaths.entry(number(node)).or_default().push(now.since(start));
        }
    };
    blocked.iter().for_each(|n| group.block(*n));
    group.run_until(start + setting.blocked_for, &mut see);
    blocked.iter().for_each(|n| group.unblock(*n, &mut see));
    group.run_until(start + setting.blocked_for + AFTERWARDS, &mut see);
    let detection = |times: Vec<Duration>| Detection {
        first: times[0],
        last: (times.len() >= n_healthy).then(|| times[n_healthy - 1]),
    };
    deaths.into_values().map(detection).collect()
}

/// A quiet group, and who is going to be blocked.
fn prepare(setting: &Setting) -> (Members, Vec<u16>) {
    let mut group = members::settled(setting.n_members, setting.config, setting.seed);
    let mut all: Vec<u16> = (1..=setting.n_members).collect();
    group.fork_rng().shuffle(&mut all);
    all.truncate(setting.n_blocked);
    (group, all)
}

/// How long an interval experiment lasts at least.
const SPAN: Duration = Duration::from_secs(120);

/// How long deaths are waited for after a threshold experiment.
const AFTERWARDS: Duration = Duration::from_secs(20);
