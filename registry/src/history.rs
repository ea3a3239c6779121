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

/// Batches without a gap, the newest last, within a number of facts and bytes.
#[derive(Debug, Default)]
pub(crate) struct History {
    batches: VecDeque<Batch>,
    facts: usize,
    len: usize,
}

/// How much of a log is kept as it was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) facts: usize,
    pub(crate) len: usize,
}

impl History {
    pub(crate) fn push(&mut self, batch: Batch, bounds: Bounds) {
        if self.batches.back().is_some_and(|newest| newest.last() + 1 != batch.first) {
            self.clear();
        }
        self.facts += batch.count as usize;
        self.len += batch.facts.len();
        self.batches.push_back(batch);
        while self.facts > bounds.facts || self.len > bounds.len {
            let Some(oldest) = self.batches.pop_front() else { break };
            self.facts -= oldest.count as usize;
            self.len -= oldest.facts.len();
        }
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

    const BOUNDS: Bounds = Bounds { facts: 6, len: 1000 };

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
    fn a_gap_begins_anew() {
        let mut history = History::default();
        history.push(batch(1, 2), BOUNDS);
        history.push(batch(9, 1), BOUNDS);
        assert!(history.after(0).is_none());
        assert!(history.covers(8));
    }
}
