//! Whom to probe next (SWIM §4.3): round robin in a random order, so that everybody is probed
//! within two rounds, and unpredictable all the same.

use std::collections::VecDeque;
use swarm_base::{NodeName, Rng};

/// The order of probing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    names: Vec<NodeName>,
    next: usize,
    /// To be probed before the others: somebody has reason to doubt them.
    urgent: VecDeque<NodeName>,
    /// Whether the last turn went to the doubted.
    was_urgent: bool,
}

impl Order {
    /// Puts a newcomer at a random place of the round that is under way.
    pub(crate) fn insert(&mut self, rng: &mut Rng, name: NodeName) {
        if self.names.contains(&name) {
            return;
        }
        let at = rng.below(self.names.len() as u64 + 1) as usize;
        // Not before `next`, which would skip it, while shifting someone into a second probe.
        if at < self.next {
            self.next += 1;
        }
        self.names.insert(at, name);
    }

    pub(crate) fn remove(&mut self, name: &NodeName) {
        self.urgent.retain(|other| other != name);
        if let Some(at) = self.names.iter().position(|other| other == name) {
            self.names.remove(at);
            if at < self.next {
                self.next -= 1;
            }
        }
    }

    /// Has `name` probed before everybody else.
    pub(crate) fn hasten(&mut self, name: &NodeName) {
        if self.names.contains(name) && !self.urgent.contains(name) {
            self.urgent.push_back(name.clone());
        }
    }

    /// The next to probe. Every second turn goes to the round, so that doubts about some do not
    /// leave the rest unwatched.
    pub(crate) fn next(&mut self, rng: &mut Rng) -> Option<NodeName> {
        self.was_urgent = !self.was_urgent && !self.urgent.is_empty();
        if self.was_urgent {
            return self.urgent.pop_front();
        }
        if self.next >= self.names.len() {
            rng.shuffle(&mut self.names);
            self.next = 0;
        }
        let name = self.names.get(self.next)?.clone();
        self.next += 1;
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn name(idx: usize) -> NodeName {
        NodeName::new(format!("n{idx}")).expect("a name")
    }

    #[test]
    fn everybody_is_probed_once_a_round() {
        let (mut rng, mut order) = (Rng::new(1), Order::default());
        (0..10).for_each(|idx| order.insert(&mut rng, name(idx)));
        while order.next != 0 {
            order.next(&mut rng);
        }
        for _ in 0..20 {
            let mut round: Vec<_> = (0..10).filter_map(|_| order.next(&mut rng)).collect();
            round.sort();
            assert_eq!(round, (0..10).map(name).collect::<Vec<_>>());
        }
    }

    #[test]
    fn newcomers_delay_nobody_beyond_two_rounds() {
        for seed in 0..100 {
            let (mut rng, mut order) = (Rng::new(seed), Order::default());
            (0..10).for_each(|idx| order.insert(&mut rng, name(idx)));
            let (mut last, mut n_names) = (BTreeMap::new(), 10);
            for turn in 0..400usize {
                if turn % 20 == 19 {
                    order.insert(&mut rng, name(n_names));
                    last.insert(name(n_names), turn);
                    n_names += 1;
                }
                let probed = order.next(&mut rng).expect("not empty");
                let gap = turn - last.insert(probed, turn).unwrap_or(0);
                assert!(gap <= 2 * n_names, "seed {seed}: {gap} turns with {n_names}");
            }
        }
    }

    #[test]
    fn the_doubted_come_first_and_the_removed_never() {
        let (mut rng, mut order) = (Rng::new(2), Order::default());
        (0..5).for_each(|idx| order.insert(&mut rng, name(idx)));
        order.hasten(&name(3));
        order.hasten(&name(9));
        assert_eq!(order.next(&mut rng), Some(name(3)));
        order.hasten(&name(4));
        order.remove(&name(4));
        assert!((0..20).all(|_| order.next(&mut rng) != Some(name(4))));
    }
}
