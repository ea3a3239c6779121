//! How bad the network is: which faults strike, and how hard.

use std::ops::RangeInclusive;
use std::time::Duration;
use swarm_base::Rng;

/// How the network behaves, for all pairs of nodes alike.
///
/// What happens to particular nodes and pairs (cuts, crashes, pauses) is an
/// [`Action`](crate::Action). A class whose strength is zero is off, and turning one off does not
/// shift the draws of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    /// One-way delay, uniform in this range.
    pub delay: RangeInclusive<Duration>,
    /// How many datagrams and frames in a thousand take a delay from the tail instead.
    pub tail_permille: u32,
    /// The longest delay of the tail. The tail is heavy: each doubling of the delay, from the
    /// upper end of `delay` up to this, is equally likely.
    pub tail_max: Duration,
    /// How many datagrams in a thousand are lost. Sessions retransmit: there a loss is a delay.
    pub loss_permille: u32,
    /// How many datagrams in a thousand arrive twice.
    pub duplicate_permille: u32,
    /// How much later a second copy may come.
    pub duplicate_late_max: Duration,
    /// How many datagrams in a thousand are held back so that later ones overtake them. At zero,
    /// the datagrams of one node to another arrive in order (second copies excepted).
    pub reorder_permille: u32,
    /// How long a datagram is held back at most.
    pub reorder_max: Duration,
    /// How many datagrams in a thousand are damaged by [`Host::damaged`](crate::Host::damaged).
    pub damage_permille: u32,
    /// The mean time between breaks of a random session, over the whole world.
    pub break_gap: Option<Duration>,
    /// How many closes in a thousand overtake the frames in flight before them, which are lost.
    pub overtaking_close_permille: u32,
    /// How many dials in a thousand open at the accepting end only: the dialler hears `Failed`,
    /// the other end `Opened` and, an idle timeout later, `Closed`.
    pub half_open_permille: u32,
    /// How long an end of a session hears nothing before it closes. Up to a quarter is added, for
    /// the last sign of life came at some point between two keep-alives.
    pub idle_timeout: Duration,
    /// How long a dial is tried.
    pub dial_timeout: Duration,
}

impl Faults {
    /// A good local network: 0.2 to 1 ms, and nothing goes wrong by itself.
    #[must_use]
    pub const fn calm() -> Self {
        Self {
            delay: RangeInclusive::new(Duration::from_micros(200), Duration::from_millis(1)),
            tail_permille: 0,
            tail_max: Duration::ZERO,
            loss_permille: 0,
            duplicate_permille: 0,
            duplicate_late_max: Duration::ZERO,
            reorder_permille: 0,
            reorder_max: Duration::ZERO,
            damage_permille: 0,
            break_gap: None,
            overtaking_close_permille: 0,
            half_open_permille: 0,
            idle_timeout: Duration::from_secs(3),
            dial_timeout: Duration::from_secs(2),
        }
    }

    /// Draws each class on with a chance of one half, then its strength: what one fault hides,
    /// another seed shows ("swarm testing", Groce et al. 2012).
    #[must_use]
    pub fn draw(rng: &mut Rng) -> Self {
        let mut faults = Self::calm();
        let delay_max = Duration::from_micros(drawn(rng, 1_000, 80_000));
        if rng.chance(500) {
            faults.delay = Duration::from_micros(100)..=delay_max;
        }
        // In order, one late datagram holds up all behind it: more of them are a partition.
        faults.tail_permille = strength(rng, 1, 20);
        faults.tail_max = Duration::from_millis(drawn(rng, 100, 5_000));
        faults.loss_permille = strength(rng, 1, 300);
        faults.duplicate_permille = strength(rng, 1, 500);
        faults.duplicate_late_max = Duration::from_millis(drawn(rng, 1, 2_000));
        faults.reorder_permille = strength(rng, 1, 300);
        faults.reorder_max = Duration::from_millis(drawn(rng, 1, 200));
        faults.damage_permille = strength(rng, 1, 50);
        let break_gap = Duration::from_millis(drawn(rng, 500, 10_000));
        faults.break_gap = rng.chance(500).then_some(break_gap);
        faults.overtaking_close_permille = strength(rng, 100, 1_000);
        faults.half_open_permille = strength(rng, 10, 300);
        faults
    }

    /// A one-way delay, and whether it came from the tail.
    pub(crate) fn draw_delay(&self, rng: &mut Rng) -> (Duration, Tail) {
        let usual = rng.duration(self.delay.clone());
        let is_tail = rng.chance(self.tail_permille);
        let (doubling, part) = (rng.next_u64(), rng.next_u64());
        let start = (*self.delay.end()).max(Duration::from_micros(1));
        if !is_tail || self.tail_max <= start {
            return (usual, Tail::Usual);
        }
        // In integers: the logarithm of a float may differ between platforms, and replay with it.
        let doublings = (self.tail_max.as_nanos() / start.as_nanos()).ilog2() + 1;
        let low =
            start * (1 << u32::try_from(doubling % u64::from(doublings)).unwrap_or(0).min(30));
        let extra = Duration::from_nanos(part % (low.as_nanos() as u64));
        ((low + extra).min(self.tail_max), Tail::Heavy)
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self::calm()
    }
}

/// Where a delay was drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    Usual,
    Heavy,
}

fn drawn(rng: &mut Rng, low: u64, high: u64) -> u64 {
    low + rng.below(high - low + 1)
}

/// Off for half of the draws.
fn strength(rng: &mut Rng, low: u32, high: u32) -> u32 {
    let strength = low + rng.below(u64::from(high - low) + 1) as u32;
    if rng.chance(500) { strength } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_is_on_in_about_half_of_the_draws() {
        let mut on = [0_u32; 8];
        for seed in 0..1_000 {
            let faults = Faults::draw(&mut Rng::new(seed));
            let classes = [
                faults.delay != Faults::calm().delay,
                faults.tail_permille > 0,
                faults.loss_permille > 0,
                faults.duplicate_permille > 0,
                faults.reorder_permille > 0,
                faults.damage_permille > 0,
                faults.break_gap.is_some(),
                faults.half_open_permille > 0,
            ];
            for (count, is_on) in on.iter_mut().zip(classes) {
                *count += u32::from(is_on);
            }
        }
        assert!(on.iter().all(|count| (420..580).contains(count)), "{on:?}");
    }

    #[test]
    fn the_tail_is_heavy_and_bounded() {
        let faults =
            Faults { tail_permille: 1_000, tail_max: Duration::from_secs(5), ..Faults::calm() };
        let mut rng = Rng::new(1);
        let mut beyond_a_second = 0;
        for _ in 0..1_000 {
            let (delay, tail) = faults.draw_delay(&mut rng);
            assert_eq!(tail, Tail::Heavy);
            assert!((*faults.delay.end()..=faults.tail_max).contains(&delay), "{delay:?}");
            beyond_a_second += u32::from(delay > Duration::from_secs(1));
        }
        assert!((50..500).contains(&beyond_a_second), "{beyond_a_second}");
    }

    #[test]
    fn without_a_tail_the_delay_stays_in_its_range() {
        let faults = Faults::calm();
        let mut rng = Rng::new(1);
        for _ in 0..1_000 {
            let (delay, tail) = faults.draw_delay(&mut rng);
            assert!(tail == Tail::Usual && faults.delay.contains(&delay));
        }
    }
}
