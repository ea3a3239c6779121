//! What is due when: a heap of moments over a slab of happenings.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::SocketAddr;
use swarm_base::Instant;

/// Happenings by (time, sequence): two for the same moment come in the order they were put in.
pub(crate) struct Queue<T> {
    // The heap moves small keys only; the happenings stay where they are.
    heap: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    slab: Vec<Option<T>>,
    free: Vec<usize>,
    sequence: u64,
}

impl<T> Queue<T> {
    pub(crate) const fn new() -> Self {
        Self { heap: BinaryHeap::new(), slab: Vec::new(), free: Vec::new(), sequence: 0 }
    }

    pub(crate) fn push(&mut self, at: Instant, happening: T) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slab.push(None);
            self.slab.len() - 1
        });
        self.slab[slot] = Some(happening);
        self.sequence += 1;
        self.heap.push(Reverse((at, self.sequence, slot)));
    }

    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _, _))| *at)
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        let Reverse((_, _, slot)) = self.heap.pop()?;
        self.free.push(slot);
        self.slab[slot].take()
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }
}

/// The next deadline of each node, ordered by (time, address).
#[derive(Default)]
pub(crate) struct Timers {
    by_time: BTreeSet<(Instant, SocketAddr)>,
    by_node: BTreeMap<SocketAddr, Instant>,
}

impl Timers {
    /// Replaces the deadline of a node. Costs one lookup where it did not change.
    pub(crate) fn set(&mut self, node: SocketAddr, deadline: Option<Instant>) {
        let old = self.by_node.get(&node).copied();
        if old == deadline {
            return;
        }
        if let Some(old) = old {
            self.by_time.remove(&(old, node));
        }
        match deadline {
            Some(new) => {
                self.by_time.insert((new, node));
                self.by_node.insert(node, new);
            }
            None => {
                self.by_node.remove(&node);
            }
        }
    }

    pub(crate) fn first(&self) -> Option<(Instant, SocketAddr)> {
        self.by_time.first().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(millis: u64) -> Instant {
        Instant::after_start(Duration::from_millis(millis))
    }

    #[test]
    fn happenings_come_by_time_then_by_sequence() {
        let mut queue = Queue::new();
        for (millis, name) in [(2, "c"), (1, "a"), (2, "d"), (1, "b")] {
            queue.push(at(millis), name);
        }
        assert_eq!(queue.next_at(), Some(at(1)));
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, ["a", "b", "c", "d"]);
        queue.push(at(9), "again");
        assert_eq!((queue.slab.len(), queue.len()), (4, 1), "slots are used again");
    }

    #[test]
    fn a_node_has_one_deadline() {
        let mut timers = Timers::default();
        let (a, b) = (crate::addr(1), crate::addr(2));
        timers.set(a, Some(at(5)));
        timers.set(b, Some(at(5)));
        assert_eq!(timers.first(), Some((at(5), a)));
        timers.set(a, Some(at(7)));
        assert_eq!(timers.first(), Some((at(5), b)));
        timers.set(b, None);
        assert_eq!(timers.first(), Some((at(7), a)));
        timers.set(a, None);
        assert_eq!(timers.first(), None);
    }
}
