//! Which runs there are: configurations, and how many members are blocked for how long.

use std::time::Duration;
use swarm_swim::{Checked, Config};

/// What is compared: plain SWIM, with each of Lifeguard's parts, and with all.
pub(super) const CONFIGURATIONS: [&str; 5] =
    ["SWIM", "+ LHA-Probe", "+ LHA-Suspicion", "+ Buddy", "Lifeguard"];

/// The settings of the paper (α = 5, β = 6, S = 8), and of all in common: what this crate has
/// beyond either is off, so that SWIM is SWIM.
pub(super) fn configuration(idx: usize) -> Checked {
    let ms = Duration::from_millis;
    let swim = Config {
        suspicion_mult: 5,
        suspicion_max_mult: 1,
        health_mult_max: 1,
        buddy: false,
        ping_again: false,
        doubt_deaths: false,
        // No measured round trips, and gossip as often as memberlist has it.
        probe_timeout_min: ms(500),
        gossip_interval: ms(200),
        ..Config::lan()
    };
    let with_probe = Config { health_mult_max: 8, ..swim };
    let with_suspicion = Config { suspicion_max_mult: 6, ..swim };
    let with_buddy = Config { buddy: true, ..swim };
    let lifeguard = Config { suspicion_max_mult: 6, buddy: true, ..with_probe };
    let all = [swim, with_probe, with_suspicion, with_buddy, lifeguard];
    all[idx].check().expect("within bounds")
}

/// What is done to the members of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) n_members: u16,
    /// C: how many are blocked.
    pub(super) blocked: Vec<usize>,
    /// D: for how many milliseconds.
    pub(super) for_ms: Vec<u64>,
    /// I: for how many milliseconds they are free in between.
    pub(super) free_ms: Vec<u64>,
    pub(super) repetitions: u64,
}

impl Grid {
    /// The whole grid of the paper.
    pub(super) fn full() -> Self {
        Self {
            n_members: 128,
            blocked: vec![1, 4, 8, 12, 16, 20, 24, 28, 32],
            for_ms: (7..=15).map(|power| 1 << power).collect(),
            free_ms: (0..=14).step_by(2).map(|power| 1 << power).collect(),
            repetitions: 10,
        }
    }

    /// Every second value of each.
    pub(super) fn thinned() -> Self {
        fn every_second<T: Copy>(values: Vec<T>) -> Vec<T> {
            values.into_iter().step_by(2).collect()
        }
        let Self { blocked, for_ms, free_ms, .. } = Self::full();
        Self {
            blocked: every_second(blocked),
            for_ms: every_second(for_ms),
            free_ms: every_second(free_ms),
            ..Self::full()
        }
    }

    /// A few cells in which SWIM errs much.
    pub(super) fn small() -> Self {
        Self {
            blocked: vec![16],
            for_ms: vec![8_192, 32_768],
            free_ms: vec![4, 256],
            repetitions: 1,
            ..Self::full()
        }
    }

    /// Every run, the longest last, so that all cores are busy to the end.
    pub(super) fn runs(&self) -> Vec<Run> {
        let mut runs = Vec::new();
        for &blocked in &self.blocked {
            for &for_ms in &self.for_ms {
                let frees = self.free_ms.iter().map(|ms| Some(*ms)).chain([None]);
                for free_ms in frees {
                    for repetition in 0..self.repetitions {
                        runs.extend((0..CONFIGURATIONS.len()).map(|configuration| Run {
                            configuration,
                            blocked,
                            for_ms,
                            free_ms,
                            repetition,
                        }));
                    }
                }
            }
        }
        runs
    }
}

/// One run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) configuration: usize,
    pub(super) blocked: usize,
    pub(super) for_ms: u64,
    /// In the interval experiment; the threshold experiment blocks once.
    pub(super) free_ms: Option<u64>,
    pub(super) repetition: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_is_that_of_the_paper() {
        let full = Grid::full();
        assert_eq!(full.for_ms.last(), Some(&32_768));
        assert_eq!(full.free_ms, [1, 4, 16, 64, 256, 1_024, 4_096, 16_384]);
        assert_eq!(full.runs().len(), 9 * 9 * (8 + 1) * 10 * 5);
        let thinned = Grid::thinned();
        assert_eq!(thinned.blocked, [1, 8, 16, 24, 32]);
        assert_eq!((thinned.for_ms.len(), thinned.free_ms.len()), (5, 4));
    }

    #[test]
    fn each_configuration_adds_one_thing() {
        let swim = configuration(0);
        assert_ne!(*configuration(1), Config { suspicion_max_mult: 6, ..*swim });
        let mut added = *swim;
        for idx in 1..4 {
            let with = configuration(idx);
            added.buddy |= with.buddy;
            added.health_mult_max = added.health_mult_max.max(with.health_mult_max);
            added.suspicion_max_mult = added.suspicion_max_mult.max(with.suspicion_max_mult);
            assert_ne!(with, swim);
        }
        assert_eq!(*configuration(4), added);
    }
}
