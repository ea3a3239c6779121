//! Which troubles befall which nodes, and when: a list that is drawn from a seed, and that can be
//! cut down to what a failure needs.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Instant, Rng};

use crate::{Action, Cut, Plan};

/// A class of troubles that a schedule may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Trouble {
    /// A node dies, and comes back after a while or not before the world heals.
    Crash,
    /// A node stops cleanly, and comes back after a while or not before the world heals.
    Stop,
    /// A node handles nothing for a while.
    Pause,
    /// A node is slow for a while.
    Slow,
    /// A node's clock is up to five percent fast or slow from now on.
    Skew,
    /// The nodes are divided into two or three groups, at times with a node that reaches all.
    Partition,
    /// One node reaches nobody for a while.
    Isolate,
    /// One direction is cut for a while.
    OneWay,
    /// Two nodes do not reach each other for a while, but all others.
    NonTransitive,
    /// Two nodes lose each other again and again.
    Flap,
    /// The sessions between two nodes break.
    Break,
    /// One direction loses a good part of its datagrams for a while.
    Lossy,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Crash,
        Self::Stop,
        Self::Pause,
        Self::Slow,
        Self::Skew,
        Self::Partition,
        Self::Isolate,
        Self::OneWay,
        Self::NonTransitive,
        Self::Flap,
        Self::Break,
        Self::Lossy,
    ];
}

/// What is done to the world when, counted from the start of the chaos, in order.
///
/// Displays as one line per entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule(Vec<(Duration, Action)>);

impl Schedule {
    /// The schedule of these entries.
    #[must_use]
    pub fn new(mut entries: Vec<(Duration, Action)>) -> Self {
        entries.sort_by_key(|(at, _)| *at);
        Self(entries)
    }

    /// Draws the schedule of one chaos. Each class is on with a chance of one half.
    #[must_use]
    pub fn draw(rng: &mut Rng, plan: &Plan, addrs: &[SocketAddr]) -> Self {
        let troubles: Vec<_> = plan.troubles.iter().copied().filter(|_| rng.chance(500)).collect();
        let mut drawing = Drawing { rng, plan, addrs, entries: Vec::new(), downs: Vec::new() };
        let mut at = Duration::ZERO;
        loop {
            at += drawing.rng.duration(Duration::ZERO..=plan.trouble_gap * 2).max(GAP_MIN);
            if plan.chaos <= at {
                break;
            }
            if let Some(idx) = drawing.rng.index(troubles.len()) {
                drawing.draw(at, troubles[idx]);
            }
        }
        Self::new(drawing.entries)
    }

    /// The entries, in order.
    #[must_use]
    pub fn entries(&self) -> &[(Duration, Action)] {
        &self.0
    }

    /// The same schedule without the entries in `range`.
    pub(crate) fn without(&self, range: std::ops::Range<usize>) -> Self {
        let keep = self.0.iter().enumerate().filter(|(idx, _)| !range.contains(idx));
        Self(keep.map(|(_, entry)| entry.clone()).collect())
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, (at, action)) in self.0.iter().enumerate() {
            let newline = if nth == 0 { "" } else { "\n" };
            write!(f, "{newline}+{:.6}s {action:?}", at.as_secs_f64())?;
        }
        Ok(())
    }
}

struct Drawing<'a> {
    rng: &'a mut Rng,
    plan: &'a Plan,
    addrs: &'a [SocketAddr],
    entries: Vec<(Duration, Action)>,
    /// Who is down until when.
    downs: Vec<(SocketAddr, Duration)>,
}

impl Drawing<'_> {
    fn draw(&mut self, at: Duration, trouble: Trouble) {
        let Some(a) = self.rng.index(self.addrs.len()).map(|idx| self.addrs[idx]) else { return };
        let span = self.span();
        match trouble {
            Trouble::Crash => self.down(at, a, span, Action::Crash(a)),
            Trouble::Stop => self.down(at, a, span, Action::Stop(a)),
            Trouble::Pause => {
                self.entries.push((at, Action::Pause(a, span.min(self.plan.pause_max))))
            }
            Trouble::Slow => {
                let factor = 1 << self.rng.below(8);
                self.during(at, span, Action::Slow(a, factor), Action::Slow(a, 0));
            }
            Trouble::Skew => {
                let permille = 950 + self.rng.below(101) as u32;
                self.entries.push((at, Action::Skew(a, permille)));
            }
            Trouble::Partition => {
                let groups = self.groups();
                self.during(at, span, Action::Partition(groups), Action::Mend(Cut::Partition));
            }
            Trouble::Isolate => {
                let others = self.addrs.iter().copied().filter(|other| *other != a).collect();
                let groups = vec![vec![a], others];
                self.during(at, span, Action::Partition(groups), Action::Mend(Cut::Partition));
            }
            _ => self.draw_pair(at, trouble, a, span),
        }
    }

    /// A trouble of two nodes.
    fn draw_pair(&mut self, at: Duration, trouble: Trouble, a: SocketAddr, span: Duration) {
        let others: Vec<_> = self.addrs.iter().copied().filter(|other| *other != a).collect();
        let Some(b) = self.rng.index(others.len()).map(|idx| others[idx]) else { return };
        match trouble {
            Trouble::OneWay => self.during(at, span, Action::Cut(a, b), Action::Join(a, b)),
            Trouble::NonTransitive => {
                self.during(at, span, Action::Sever(a, b), Action::Join(a, b));
            }
            Trouble::Flap => {
                let period = self.span().min(FLAP_PERIOD_MAX);
                // The world turns the moment into one of its own clock.
                let until = Instant::after_start(at + span);
                self.entries.push((at, Action::Flap { a, b, period, until }));
            }
            Trouble::Lossy => {
                let permille = 100 + self.rng.below(901) as u32;
                self.during(at, span, Action::Lossy(a, b, permille), Action::Join(a, b));
            }
            _ => self.entries.push((at, Action::Break(a, b))),
        }
    }

    fn during(&mut self, at: Duration, span: Duration, begin: Action, end: Action) {
        self.entries.push((at, begin));
        self.entries.push((at + span, end));
    }

    fn down(&mut self, at: Duration, addr: SocketAddr, span: Duration, end: Action) {
        self.downs.retain(|(_, until)| at < *until);
        let is_down = self.downs.iter().any(|(other, _)| *other == addr);
        if is_down || self.downs.len() >= self.plan.down_max {
            return;
        }
        // A quarter stay down until the world heals.
        let until = if self.rng.chance(250) { Duration::MAX } else { at + span };
        self.downs.push((addr, until));
        self.entries.push((at, end));
        if until < Duration::MAX {
            self.entries.push((until, Action::Start(addr)));
        }
    }

    /// Two or three groups; one node in ten belongs to none and reaches all.
    fn groups(&mut self) -> Vec<Vec<SocketAddr>> {
        let mut groups = vec![Vec::new(); 2 + self.rng.below(2) as usize];
        for addr in self.addrs {
            let nth = self.rng.below(groups.len() as u64) as usize;
            if !self.rng.chance(100) {
                groups[nth].push(*addr);
            }
        }
        groups
    }

    /// Short and long alike: each halving of the longest is equally likely.
    fn span(&mut self) -> Duration {
        let longest = self.plan.trouble_max / (1 << self.rng.below(6));
        self.rng.duration(longest / 2..=longest).max(GAP_MIN)
    }
}

const GAP_MIN: Duration = Duration::from_millis(1);
/// About the time after which a failure detector decides; slower flapping is a partition.
const FLAP_PERIOD_MAX: Duration = Duration::from_secs(3);
