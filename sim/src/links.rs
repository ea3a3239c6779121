//! Who can reach whom: cuts, flapping pairs and lossy directions.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::Instant;

use crate::struck::Class;

/// From one node to another: a direction, not a pair.
pub(crate) type Way = (SocketAddr, SocketAddr);

/// Why a direction is cut. Kinds are mended apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cut {
    /// Between groups, in both directions.
    Partition,
    /// In one direction only.
    OneWay,
    /// Between two nodes that both still reach the others.
    NonTransitive,
}

/// The state of the network between particular nodes.
#[derive(Default)]
pub(crate) struct Links {
    cuts: BTreeSet<(SocketAddr, SocketAddr, Cut)>,
    flaps: BTreeMap<Way, Flap>,
    lossy: BTreeMap<Way, u32>,
    /// When the last datagram of each direction arrives.
    last_at: BTreeMap<Way, Instant>,
}

/// A pair that is cut for one period, whole for the next, until it is over.
#[derive(Clone, Copy, Debug)]
struct Flap {
    started_at: Instant,
    period: Duration,
    until: Instant,
}

impl Links {
    pub(crate) fn cut(&mut self, from: SocketAddr, to: SocketAddr, kind: Cut) {
        self.cuts.insert((from, to, kind));
    }

    /// Takes away all cuts of one kind.
    pub(crate) fn mend(&mut self, kind: Cut) {
        self.cuts.retain(|(_, _, cut)| *cut != kind);
    }

    /// Takes away whatever is wrong between two nodes, in both directions.
    pub(crate) fn join(&mut self, a: SocketAddr, b: SocketAddr) {
        self.cuts.retain(|(from, to, _)| (*from, *to) != (a, b) && (*from, *to) != (b, a));
        for way in [(a, b), (b, a)] {
            self.flaps.remove(&way);
            self.lossy.remove(&way);
        }
    }

    pub(crate) fn heal(&mut self) {
        self.cuts.clear();
        self.flaps.clear();
        self.lossy.clear();
    }

    pub(crate) fn flap(
        &mut self,
        now: Instant,
        a: SocketAddr,
        b: SocketAddr,
        period: Duration,
        until: Instant,
    ) {
        let flap = Flap { started_at: now, period: period.max(FLAP_PERIOD_MIN), until };
        self.flaps.insert((a, b), flap);
        self.flaps.insert((b, a), flap);
    }

    /// When the flapping pair changes next, or `None` once it is over.
    pub(crate) fn next_flap(&self, now: Instant, way: Way) -> Option<Instant> {
        let flap = self.flaps.get(&way).filter(|flap| now < flap.until)?;
        let periods = flap.periods(now) + 1;
        let next = flap.started_at + flap.period.saturating_mul(periods);
        Some(next.min(flap.until))
    }

    pub(crate) fn set_loss(&mut self, from: SocketAddr, to: SocketAddr, permille: u32) {
        self.lossy.insert((from, to), permille);
    }

    pub(crate) fn loss(&self, from: SocketAddr, to: SocketAddr) -> u32 {
        match self.lossy.is_empty() {
            true => 0,
            false => self.lossy.get(&(from, to)).copied().unwrap_or(0),
        }
    }

    /// What keeps `from` from reaching `to` now, if anything.
    pub(crate) fn blocked(&self, now: Instant, from: SocketAddr, to: SocketAddr) -> Option<Class> {
        if !self.cuts.is_empty() {
            for (kind, class) in [
                (Cut::Partition, Class::Partition),
                (Cut::OneWay, Class::OneWay),
                (Cut::NonTransitive, Class::NonTransitive),
            ] {
                if self.cuts.contains(&(from, to, kind)) {
                    return Some(class);
                }
            }
        }
        if self.flaps.is_empty() {
            return None;
        }
        self.flaps.get(&(from, to)).filter(|flap| flap.is_down(now)).map(|_| Class::Flap)
    }

    /// The arrival of the last datagram from `from` to `to` so far.
    pub(crate) fn last_at(&mut self, from: SocketAddr, to: SocketAddr) -> &mut Instant {
        self.last_at.entry((from, to)).or_insert(Instant::START)
    }
}

impl Flap {
    /// Whole periods since the start.
    fn periods(&self, now: Instant) -> u32 {
        let periods = now.since(self.started_at).as_nanos() / self.period.as_nanos();
        u32::try_from(periods).unwrap_or(u32::MAX - 1)
    }

    /// Down in the first period, up in the second, and so on.
    fn is_down(&self, now: Instant) -> bool {
        now < self.until && self.periods(now).is_multiple_of(2)
    }
}

/// Shorter periods would only fill the queue.
const FLAP_PERIOD_MIN: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr;

    fn at(millis: u64) -> Instant {
        Instant::after_start(Duration::from_millis(millis))
    }

    #[test]
    fn a_cut_is_one_way_and_of_one_kind() {
        let mut links = Links::default();
        let (a, b) = (addr(1), addr(2));
        links.cut(a, b, Cut::OneWay);
        assert_eq!(links.blocked(at(0), a, b), Some(Class::OneWay));
        assert_eq!(links.blocked(at(0), b, a), None);
        links.mend(Cut::Partition);
        assert_eq!(links.blocked(at(0), a, b), Some(Class::OneWay));
        links.mend(Cut::OneWay);
        assert_eq!(links.blocked(at(0), a, b), None);
    }

    #[test]
    fn a_flapping_pair_is_down_every_other_period_until_it_is_over() {
        let mut links = Links::default();
        let (a, b) = (addr(1), addr(2));
        links.flap(at(10), a, b, Duration::from_millis(10), at(45));
        let down: Vec<u64> = (0..80)
            .step_by(5)
            .filter(|millis| *millis >= 10 && links.blocked(at(*millis), b, a).is_some())
            .collect();
        assert_eq!(down, [10, 15, 30, 35]);
        assert_eq!(links.next_flap(at(10), (a, b)), Some(at(20)));
        assert_eq!(links.next_flap(at(44), (a, b)), Some(at(45)));
        assert_eq!(links.next_flap(at(45), (a, b)), None);
    }

    #[test]
    fn two_nodes_are_joined_whatever_was_wrong_between_them() {
        let mut links = Links::default();
        let (a, b, c) = (addr(1), addr(2), addr(3));
        links.cut(a, b, Cut::Partition);
        links.cut(b, a, Cut::OneWay);
        links.cut(a, c, Cut::Partition);
        links.set_loss(a, b, 500);
        links.flap(at(0), a, b, Duration::from_secs(1), at(9_000));
        links.join(b, a);
        assert_eq!(links.blocked(at(0), a, b).or(links.blocked(at(0), b, a)), None);
        assert_eq!(links.loss(a, b), 0);
        assert!(links.blocked(at(0), a, c).is_some());
    }
}
