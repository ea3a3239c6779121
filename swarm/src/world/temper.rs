//! How well processes behave in one world.

use std::time::Duration;
use swarm_base::Rng;

/// How often a process does what, in a thousand; and how slow it is.
#[derive(Clone, Debug)]
pub(crate) struct Temper {
    /// A start fails.
    pub(crate) start_fails: u32,
    /// What is asked of it takes up to this long, one time in fifty.
    pub(crate) slow_max: Duration,
    /// What is asked of it takes up to this long otherwise.
    pub(crate) quick_max: Duration,
    /// It stays, or starts anew, instead of going with its state; or cannot say.
    pub(crate) no_handoff: u32,
    /// Its state is too large for the stream of facts.
    pub(crate) large: u32,
}

impl Temper {
    /// Draws one; each class is on with a chance of one half.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let mut strength = |most: u64| {
            let strength = 1 + rng.below(most);
            if rng.chance(500) { strength } else { 0 }
        };
        Self {
            start_fails: strength(50) as u32,
            slow_max: Duration::from_millis(strength(7_000)),
            quick_max: Duration::from_micros(strength(20_000)),
            no_handoff: strength(200) as u32,
            large: strength(30) as u32,
        }
    }

    /// How long the next thing takes.
    pub(crate) fn delay(&self, rng: &mut Rng) -> Duration {
        let (quick, slow) = (
            rng.duration(Duration::ZERO..=self.quick_max),
            rng.duration(Duration::ZERO..=self.slow_max),
        );
        if rng.chance(20) { quick.max(slow) } else { quick }
    }
}
