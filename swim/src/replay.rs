//! The replay window: which counters of one sender have been seen.

/// How far behind the highest counter a late packet may be.
pub(crate) const WINDOW: u64 = 1024;

/// The counters seen of one boot of one sender. Counters start at 1.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    highest: u64,
    /// Bit `c % WINDOW` stands for counter `c`, for `c` in `highest - WINDOW + 1 ..= highest`.
    seen: [u64; (WINDOW / 64) as usize],
}

impl Window {
    pub(crate) const fn new() -> Self {
        Self { highest: 0, seen: [0; (WINDOW / 64) as usize] }
    }

    /// Whether `counter` is neither seen nor too old to tell.
    pub(crate) const fn is_fresh(&self, counter: u64) -> bool {
        if counter == 0 {
            return false;
        }
        if counter > self.highest {
            return true;
        }
        self.highest - counter < WINDOW && {
            let (word, bit) = place(counter);
            self.seen[word] & bit == 0
        }
    }

    /// Marks a fresh `counter` as seen. Only for packets whose tag verified: otherwise a forger
    /// could push the window past everything the true sender will say (RUSTSEC-2024-0011).
    pub(crate) fn advance(&mut self, counter: u64) {
        debug_assert!(self.is_fresh(counter));
        if counter > self.highest {
            let skipped = (counter - self.highest).min(WINDOW);
            for cleared in counter - skipped + 1..=counter {
                let (word, bit) = place(cleared);
                self.seen[word] &= !bit;
            }
            self.highest = counter;
        }
        let (word, bit) = place(counter);
        self.seen[word] |= bit;
    }
}

const fn place(counter: u64) -> (usize, u64) {
    let at = counter % WINDOW;
    ((at / 64) as usize, 1 << (at % 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use swarm_base::Rng;

    #[test]
    fn it_agrees_with_a_naive_set() {
        for seed in 0..50 {
            let mut rng = Rng::new(seed);
            let (mut window, mut seen, mut highest) = (Window::new(), BTreeSet::new(), 0u64);
            for _ in 0..5_000 {
                let counter = match rng.below(50) {
                    0 => highest + rng.below(3 * WINDOW),
                    _ => (highest + 4).saturating_sub(rng.below(WINDOW + WINDOW / 8)),
                };
                let fresh = counter > 0 && counter + WINDOW > highest && !seen.contains(&counter);
                assert_eq!(window.is_fresh(counter), fresh, "seed {seed}, counter {counter}");
                if fresh {
                    window.advance(counter);
                    seen.insert(counter);
                    highest = highest.max(counter);
                }
            }
        }
    }

    #[test]
    fn the_last_counter_of_all_does_not_overflow() {
        let mut window = Window::new();
        window.advance(u64::MAX);
        assert!(!window.is_fresh(u64::MAX));
        assert!(window.is_fresh(u64::MAX - 1));
        assert!(!window.is_fresh(1));
    }
}
