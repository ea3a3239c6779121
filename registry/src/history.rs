//! The recent end of a log, as the encoded batches in which it was written.

use crate::Encoded;
use std::collections::VecDeque;

/// The most facts in a batch.
pub(crate) const BATCH_FACTS_MAX: u32 = 4_096;

/// The most bytes of facts in a batch: with its header it stays below 1 MiB.
pub(crate) const BATCH_LEN_MAX: usize = 1024 * 1024 - 4 * 1024;

/// Facts that were written together. They apply together.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// The position of the first fact.
    pub(crate) first: u64,
    /// How many there are.
    pub(crate) count: u32,
    /// The facts.
    pub(crate) facts: Encoded,
    /// The digest of the log up to the last of them.
    pub(crate) digest: u64,
}

impl Batch {
    pub(crate) const fn last(&self) -> u64 {
        self.first + self.count as u64 - 1
    }
}

/// Batches without a gap, the newest last, within [`Bounds`].
#[derive(Debug, Default)]
pub(crate) struct History {
    batches: VecDeque<Batch>,
    facts: usize,
    len: usize,
}

/// How much of a log is kept as it was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// The most facts, and the most bytes of them.
    pub(crate) facts: usize,
    pub(crate) len: usize,
    /// Up to where everybody has it who is being sent it.
    pub(crate) taken: u64,
    /// How many facts are kept of that.
    pub(crate) spare: usize,
}

/// Room for so many batches is not worth giving back.
const ROOM_MIN: usize = 64;

impl History {
    pub(crate) fn push(&mut self, batch: Batch, bounds: Bounds) {
        if self.batches.back().is_some_and(|newest| newest.last() + 1 != batch.first) {
            self.clear();
        }
        self.facts += batch.count as usize;
        self.len += batch.facts.len();
        self.batches.push_back(batch);
        self.trim(bounds);
    }

    /// Lets go of what is over the bounds.
    pub(crate) fn trim(&mut self, bounds: Bounds) {
        let Bounds { facts, len, taken, spare } = bounds;
        while let Some(oldest) = self.batches.front() {
            let left = self.facts - oldest.count as usize;
            let is_spare = oldest.last() <= taken && left >= spare;
            if self.facts <= facts && self.len <= len && !is_spare {
                break;
            }
            (self.facts, self.len) = (left, self.len - oldest.facts.len());
            self.batches.pop_front();
        }
        // A burst leaves no room behind.
        let room = self.batches.len().max(ROOM_MIN);
        if self.batches.capacity() > 4 * room {
            self.batches.shrink_to(2 * room);
        }
    }

    /// How many facts are here.
    #[cfg(test)]
    pub(crate) const fn facts(&self) -> usize {
        self.facts
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// What follows `position`, as one batch: many small ones are put together, so that a peer
    /// that was away for a second is not sent a thousand messages. `None` where that is no
    /// longer, or not yet, here. The batch may begin before `position`.
    pub(crate) fn after(&self, position: u64) -> Option<Batch> {
        let start = self.index_of(position.checked_add(1)?)?;
        let mut run = self.batches.range(start..).peekable();
        let first = run.next()?;
        let (mut count, mut len, mut last) = (first.count, first.facts.len(), first);
        let mut n_batches = 1;
        while let Some(next) = run.next_if(|next| {
            count + next.count <= BATCH_FACTS_MAX && len + next.facts.len() <= BATCH_LEN_MAX
        }) {
            (count, len, last) = (count + next.count, len + next.facts.len(), next);
            n_batches += 1;
        }
        if n_batches == 1 {
            return Some(first.clone());
        }
        let mut facts = Vec::with_capacity(len);
        for batch in self.batches.range(start..start + n_batches) {
            facts.extend_from_slice(&batch.facts);
        }
        Some(Batch { first: first.first, count, facts: Encoded::new(&facts), digest: last.digest })
    }

    /// Whether everything after `position` is here.
    pub(crate) fn covers(&self, position: u64) -> bool {
        self.batches.front().is_some_and(|oldest| oldest.first <= position.saturating_add(1))
    }

    /// The digest of the log up to `position`, where that is the end of a batch that is here.
    pub(crate) fn digest_at(&self, position: u64) -> Option<u64> {
        let batch = &self.batches[self.index_of(position)?];
        (batch.last() == position).then_some(batch.digest)
    }

    /// The batch that holds `position`.
    fn index_of(&self, position: u64) -> Option<usize> {
        let idx = self.batches.partition_point(|batch| batch.last() < position);
        self.batches.get(idx).is_some_and(|batch| batch.first <= position).then_some(idx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { facts: 6, len: 1000, taken: 0, spare: 0 };

    fn batch(first: u64, count: u32) -> Batch {
        Batch { first, count, facts: Encoded::new(&[first as u8; 3]), digest: first * 100 }
    }

    #[test]
    fn small_batches_go_out_as_one() {
        let mut history = History::default();
        for first in [1, 3, 5] {
            history.push(batch(first, 2), BOUNDS);
        }
        let all = history.after(0).expect("kept");
        assert_eq!((all.first, all.count, all.digest, all.facts.len()), (1, 6, 500, 9));
        let tail = history.after(3).expect("kept");
        assert_eq!((tail.first, tail.count), (3, 4), "from the batch that holds position 4");
        assert!(history.after(6).is_none());
    }

    #[test]
    fn the_oldest_goes_first() {
        let mut history = History::default();
        for first in [1, 3, 5, 7] {
            history.push(batch(first, 2), BOUNDS);
        }
        assert!(history.after(0).is_none());
        assert!(!history.covers(1) && history.covers(2));
        assert_eq!(history.digest_at(8), Some(700));
        assert_eq!(history.digest_at(7), None, "inside a batch");
    }

    #[test]
    fn what_all_have_is_kept_in_part() {
        let mut history = History::default();
        let mut push = |first, taken| {
            history.push(batch(first, 2), Bounds { facts: 100, taken, spare: 3, ..BOUNDS });
            (history.facts(), history.covers(0), history.covers(2))
        };
        assert_eq!(push(1, 0), (2, true, true));
        assert_eq!(push(3, 1), (4, true, true));
        assert_eq!(push(5, 1), (6, true, true), "somebody is within the first batch");
        assert_eq!(push(7, 9), (4, false, false));
        history.trim(Bounds { taken: 9, ..BOUNDS });
        assert_eq!(history.facts(), 0);
    }

    #[test]
    fn a_burst_leaves_no_room_behind() {
        let mut history = History::default();
        let bounds = Bounds { facts: 100_000, len: 1_000_000, ..BOUNDS };
        (1..=10_000).for_each(|first| history.push(batch(first, 1), bounds));
        assert!(history.batches.capacity() >= 10_000);
        history.trim(Bounds { taken: 10_000, spare: 10, ..bounds });
        assert_eq!(history.facts(), 10);
        assert!(history.batches.capacity() <= 4 * ROOM_MIN, "{}", history.batches.capacity());
    }

    #[test]
    fn a_gap_begins_anew() {
        let mut history = History::default();
        history.push(batch(1, 2), BOUNDS);
        history.push(batch(9, 1), BOUNDS);
        assert!(history.after(0).is_none());
        assert!(history.covers(8));
    }
}
