//! What is measured of a group of one size.

use crate::sim::members::{self, Members, number, unseen};
use std::time::Duration;
use swarm_base::Instant;
use swarm_sim::{Seen, addr};
use swarm_swim::{Checked, Config, Event, Metadata, Protocol};

/// The figures of a group of `n`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figures {
    pub(super) n: u16,
    /// Packets per member and period, at rest.
    pub(super) load: f64,
    /// In which period after a death the dead member is pinged for the first time; the mean.
    pub(super) first_ping: f64,
    /// Seconds until somebody accuses it; the mean.
    pub(super) accused: f64,
    /// Seconds until somebody declares it dead; the mean.
    pub(super) dead: f64,
    /// Periods until a piece of news is everywhere; the slowest of ten.
    pub(super) spread: f64,
}

impl Figures {
    /// λ log n, in periods.
    pub(super) fn spread_most(&self) -> u32 {
        config().retransmit_mult * (f64::from(self.n) + 1.0).log10().ceil() as u32
    }
}

fn config() -> Checked {
    Config::lan().check().expect("as shipped")
}

pub(super) fn measure(n: u16) -> Figures {
    let mut group = members::settled(n, config(), u64::from(n));
    let load = load(&mut group, n);
    let spread = (0..10).map(|nth| spread(&mut group, n, nth)).fold(0.0, f64::max);
    let mut deaths = Deaths::default();
    if n < SHARED_FROM {
        // Each death in a group of its own, or the group would soon be gone.
        for seed in 0..60 {
            let mut group = members::settled(n, config(), 1_000 + seed);
            deaths.kill(&mut group, 1 + (seed % u64::from(n)) as u16, 30);
        }
    } else {
        // One at a time: everybody looks for himself at who is suspected, in every second turn.
        (0..40).for_each(|nth| deaths.kill(&mut group, n - nth, 15));
    }
    let [first_ping, accused, dead] = deaths.means();
    Figures { n, load, first_ping, accused, dead, spread }
}

/// Packets per member and period.
fn load(group: &mut Members, n: u16) -> f64 {
    let mut n_packets = 0u64;
    let end = group.now() + config().probe_interval * PERIODS;
    group.run_until(end, &mut |_, _, seen| {
        n_packets += u64::from(matches!(seen, Seen::Sent { .. }))
    });
    n_packets as f64 / f64::from(n) / f64::from(PERIODS)
}

/// How many periods a piece of news takes to be everywhere.
fn spread(group: &mut Members, n: u16, nth: u16) -> f64 {
    let origin = 1 + nth * (n / 10) % n;
    let metadata = Metadata::new(nth.to_be_bytes()).expect("short");
    let (start, mut n_told, mut last) = (group.now(), 1, group.now());
    group.with(origin, |machine, now| machine.set_metadata(now, metadata));
    group.run_until(start + config().probe_interval * PERIODS, &mut |now, _, seen| {
        if let Seen::Event(Event::Updated(member)) = seen
            && number(&member.id) == origin
        {
            n_told += 1;
            last = now;
        }
    });
    if n_told < n {
        return f64::INFINITY;
    }
    periods(last.since(start))
}

/// What happened how long after each death.
#[derive(Default)]
struct Deaths {
    pinged: Vec<f64>,
    accused: Vec<f64>,
    dead: Vec<f64>,
}

impl Deaths {
    /// Kills `victim` and looks on for some seconds.
    fn kill(&mut self, group: &mut Members, victim: u16, secs: u64) {
        // At any point of anybody's period.
        let at = group.fork_rng().duration(Duration::ZERO..=config().probe_interval);
        let died = group.now() + at;
        group.run_until(died, &mut unseen);
        group.remove(victim);
        let mut first = [None; 3];
        let mut see = |now: Instant, _: u16, seen: Seen<'_, Protocol>| {
            let what = match seen {
                Seen::Sent { to, message } if message.kind() == "ping" && to == addr(victim) => 0,
                Seen::Event(Event::Suspected { node, .. }) if number(node) == victim => 1,
                Seen::Event(Event::Failed { node, .. }) if number(node) == victim => 2,
                _ => return,
            };
            first[what].get_or_insert(now.since(died));
        };
        group.run_until(died + Duration::from_secs(secs), &mut see);
        // A period that has begun counts, as in the paper.
        self.pinged.extend(first[0].map(|time| periods(time).ceil()));
        self.accused.extend(first[1].map(|time: Duration| time.as_secs_f64()));
        self.dead.extend(first[2].map(|time: Duration| time.as_secs_f64()));
    }

    fn means(&self) -> [f64; 3] {
        [&self.pinged, &self.accused, &self.dead]
            .map(|values| values.iter().sum::<f64>() / values.len().max(1) as f64)
    }
}

fn periods(span: Duration) -> f64 {
    span.as_secs_f64() / config().probe_interval.as_secs_f64()
}

/// From this size on the members of one group die, one after the other.
const SHARED_FROM: u16 = 300;

/// For how many periods a group at rest is watched.
const PERIODS: u32 = 20;
