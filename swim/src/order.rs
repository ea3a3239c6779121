//! Whom to probe next (SWIM §4.3): round robin in a random order, so that everybody is probed
//! within two rounds, and unpredictable all the same. Also the dense list from which members are
//! drawn at random.
//!
//! Everything costs the same however many there are. Who has died is taken out when it is met.

use crate::table::{Entry, Position, Table};
use std::collections::{BTreeSet, VecDeque};
use swarm_base::Rng;

/// The order of probing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    round: Vec<Position>,
    next: usize,
    /// To be probed before the others: somebody has reason to doubt them.
    urgent: VecDeque<Position>,
    hastened: BTreeSet<Position>,
    /// Whether the last turn went to the doubted.
    was_urgent: bool,
}

impl Order {
    /// Puts a newcomer at a random place of the round that is under way.
    pub(crate) fn insert(&mut self, rng: &mut Rng, table: &mut Table, newcomer: Position) {
        if !table.list(newcomer, true) {
            return;
        }
        let last = self.round.len();
        self.round.push(newcomer);
        let at = rng.below(last as u64 + 1) as usize;
        if at >= self.next {
            self.round.swap(at, last);
        } else {
            // Into the part that has had its turn: whose turn is next waits at the end.
            self.round.swap(self.next, last);
            self.next += 1;
        }
    }

    /// Has `member` probed before everybody else.
    pub(crate) fn hasten(&mut self, table: &Table, member: Position) {
        let is_listed = table.at(member).is_some_and(Entry::is_listed);
        if is_listed && self.hastened.insert(member) {
            self.urgent.push_back(member);
        }
    }

    /// The next to probe. Every second turn goes to the round, so that doubts about some do not
    /// leave the rest unwatched.
    pub(crate) fn next(&mut self, rng: &mut Rng, table: &mut Table) -> Option<Position> {
        self.was_urgent = !self.was_urgent && !self.urgent.is_empty();
        while self.was_urgent
            && let Some(doubted) = self.urgent.pop_front()
        {
            self.hastened.remove(&doubted);
            if is_live(table, doubted) {
                return Some(doubted);
            }
        }
        loop {
            if self.next >= self.round.len() {
                rng.shuffle(&mut self.round);
                self.next = 0;
            }
            let member = *self.round.get(self.next)?;
            if is_live(table, member) {
                self.next += 1;
                return Some(member);
            }
            self.remove(table, self.next);
        }
    }

    /// Up to `n` live members at random, without `except`.
    pub(crate) fn sample(
        &mut self,
        rng: &mut Rng,
        table: &mut Table,
        n: usize,
        except: Option<Position>,
    ) -> Vec<Position> {
        let mut drawn: Vec<Position> = Vec::with_capacity(n);
        let few = n + usize::from(except.is_some());
        // Drawn again where it was drawn already; where most would be drawn, all are looked at.
        let n_draws = if self.round.len() <= 2 * few { 0 } else { 8 * few };
        for _ in 0..n_draws {
            if drawn.len() == n {
                return drawn;
            }
            let Some(at) = rng.index(self.round.len()) else { return drawn };
            let member = self.round[at];
            if !is_live(table, member) {
                self.remove(table, at);
            } else if Some(member) != except && !drawn.contains(&member) {
                drawn.push(member);
            }
        }
        if n_draws == 0 {
            let all = self.round.iter().copied();
            drawn = all.filter(|at| is_live(table, *at) && Some(*at) != except).collect();
            // The round's own order says who was probed: it must not say who is drawn.
            rng.shuffle(&mut drawn);
            drawn.truncate(n);
        }
        drawn
    }

    /// Takes somebody out. The order of the others changes, and not whose turn is still to come.
    fn remove(&mut self, table: &mut Table, mut at: usize) {
        if at < self.next {
            self.next -= 1;
            self.round.swap(at, self.next);
            at = self.next;
        }
        let gone = self.round.swap_remove(at);
        table.list(gone, false);
    }
}

fn is_live(table: &Table, position: Position) -> bool {
    table.at(position).is_some_and(|entry| entry.member.is_live())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Claim, Update};
    use crate::{Metadata, Record};
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use swarm_base::{Boot, Instant, NodeId, NodeName};

    fn id(idx: usize) -> NodeId {
        NodeId::new(NodeName::new(format!("n{idx}")).expect("a name"), Boot::default())
    }

    fn at(idx: usize) -> Position {
        Position::of(&id(idx).name)
    }

    fn join(rng: &mut Rng, order: &mut Order, table: &mut Table, idx: usize) {
        let address = "10.0.0.1:1".parse().expect("an address");
        let record = Record { id: id(idx), address, metadata: Metadata::default() };
        let claim = Claim::Alive(Arc::new(record));
        let _ = table.merge(Instant::START, &Update { incarnation: 0, claim });
        order.insert(rng, table, at(idx));
    }

    fn group(n: usize, seed: u64) -> (Rng, Order, Table) {
        let (mut rng, mut order, mut table) = (Rng::new(seed), Order::default(), Table::default());
        (0..n).for_each(|idx| join(&mut rng, &mut order, &mut table, idx));
        (rng, order, table)
    }

    #[test]
    fn everybody_is_probed_once_a_round() {
        let (mut rng, mut order, mut table) = group(10, 1);
        while order.next != 0 {
            order.next(&mut rng, &mut table);
        }
        for _ in 0..20 {
            let round: BTreeSet<_> =
                (0..10).filter_map(|_| order.next(&mut rng, &mut table)).collect();
            assert_eq!(round.len(), 10);
        }
    }

    #[test]
    fn newcomers_delay_nobody_beyond_two_rounds() {
        for seed in 0..100 {
            let (mut rng, mut order, mut table) = group(10, seed);
            let (mut last, mut n_names) = (BTreeMap::new(), 10);
            for turn in 0..400usize {
                if turn % 20 == 19 {
                    join(&mut rng, &mut order, &mut table, n_names);
                    last.insert(at(n_names), turn);
                    n_names += 1;
                }
                let probed = order.next(&mut rng, &mut table).expect("not empty");
                let gap = turn - last.insert(probed, turn).unwrap_or(0);
                assert!(gap <= 2 * n_names, "seed {seed}: {gap} turns with {n_names}");
            }
        }
    }

    #[test]
    fn the_doubted_come_first_and_the_dead_never() {
        let (mut rng, mut order, mut table) = group(5, 2);
        order.hasten(&table, at(3));
        order.hasten(&table, at(9));
        assert_eq!(order.next(&mut rng, &mut table), Some(at(3)));
        order.hasten(&table, at(4));
        assert!(table.bury(Instant::START, &id(4).name).is_some());
        assert!((0..20).all(|_| order.next(&mut rng, &mut table) != Some(at(4))));
        assert_eq!(order.sample(&mut rng, &mut table, 9, None).len(), 4);
    }

    #[test]
    fn members_are_drawn_once_and_evenly() {
        let (mut rng, mut order, mut table) = group(50, 3);
        let mut counts: BTreeMap<Position, u32> = BTreeMap::new();
        for _ in 0..5_000 {
            let drawn = order.sample(&mut rng, &mut table, 3, Some(at(7)));
            assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), 3);
            drawn.into_iter().for_each(|member| *counts.entry(member).or_default() += 1);
        }
        // 306 on average, with a deviation of 17.
        assert!(
            counts.len() == 49 && counts.values().all(|n| (200..420).contains(n)),
            "{counts:?}"
        );
    }
}
