//! Seats: which nodes a quorum counts, where there are more than 2 · quorum − 1.
//!
//! With more, two sides of a partition could both hold the quorum and run everything twice. So there
//! are that many seats in a scope, and a node without one hosts nothing in it and counts for
//! nothing: it waits. Each node decides for itself, and says so in its metadata, so that all place
//! names alike.
//!
//! **A seat belongs to a name, until its node says goodbye.** A node that is merely dead in
//! somebody's view may run on the other side of a partition. With a quorum of two, and a and b apart
//! from c and d, where d waits: were c's side to give d the seat of a, both sides would hold the
//! quorum. So the dead keep their seats for as long as membership remembers them, and a node that
//! died for good is replaced by one of its name. That one finds its seat kept, whoever waits, and
//! however much newer its boot is: its name's other boots are no more.
//!
//! **Nobody takes a seat by what it knows alone.** A newcomer has not seen who died before it came.
//! It takes a seat only in a ring that all live nodes have acknowledged, once each of them has told
//! in that ring whose seats it knows. Those who wait are part of the ring, so that of two that wait
//! for one seat both know of each other, and the one with the older boot goes first; also where it
//! is dead, for it may have taken the seat on another side.
//!
//! Sides that have never met can have filled their seats apart from each other. When they meet, the
//! newest beyond the number give theirs up, and what they run moves to the others.

use std::collections::{BTreeMap, BTreeSet};
use swarm_base::{Instant, NodeId, NodeName};

/// Whether a node has a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seat {
    /// The quorum counts it.
    Taken,
    /// There is none for it, or it does not know yet.
    Waits,
}

/// What a node knows of the seats of one scope.
#[derive(Debug)]
pub(super) struct Seats {
    most: usize,
    taken: BTreeMap<NodeName, NodeId>,
    /// Those that wait, and those of them that have died and not said goodbye.
    waiting: BTreeMap<NodeName, NodeId>,
    /// Who has told in which ring what it knows.
    told: BTreeMap<NodeId, u64>,
    /// When those that have not told are asked next.
    pub(super) ask_at: Option<Instant>,
    /// How many nodes there are, when it was looked at last.
    pub(super) have: usize,
}

/// The nodes of a scope that are live, this one among them.
pub(super) type Live = BTreeMap<NodeId, Seat>;

impl Seats {
    /// The seats under a quorum of so many nodes.
    pub(super) fn new(quorum: usize) -> Self {
        Self {
            most: quorum.saturating_mul(2).saturating_sub(1),
            taken: BTreeMap::new(),
            waiting: BTreeMap::new(),
            told: BTreeMap::new(),
            ask_at: None,
            have: 0,
        }
    }

    /// There are as many as there are nodes.
    #[cfg(any(test, feature = "sim"))]
    pub(super) const fn be_endless(&mut self) {
        self.most = usize::MAX;
    }

    /// How many there are.
    pub(super) const fn most(&self) -> usize {
        self.most
    }

    /// Takes in what live nodes say of themselves, and forgets those who are `gone` for good.
    pub(super) fn look(&mut self, live: &Live, gone: impl Fn(&NodeId) -> bool) {
        for (node, seat) in live {
            match seat {
                Seat::Taken => {
                    self.waiting.remove(&node.name);
                    self.taken.insert(node.name.clone(), node.clone());
                }
                Seat::Waits => {
                    // It gave the seat up; a former boot of its name kept it.
                    if self.taken.get(&node.name) == Some(node) {
                        self.taken.remove(&node.name);
                    }
                    self.waiting.insert(node.name.clone(), node.clone());
                }
            }
        }
        let names: BTreeSet<&NodeName> = live.keys().map(|node| &node.name).collect();
        let is_kept = |node: &NodeId| names.contains(&node.name) || !gone(node);
        self.taken.retain(|_, node| is_kept(node));
        self.waiting.retain(|_, node| is_kept(node));
        self.told.retain(|node, _| live.contains_key(node));
    }

    /// What this node tells another one: who has seats, and the first of those who wait.
    pub(super) fn tell(&self) -> (Vec<NodeId>, Vec<NodeId>) {
        let taken = self.taken.values().take(TOLD_MAX).cloned().collect();
        let waiting: BTreeSet<_> = self.waiting.values().map(order).collect();
        let first = waiting.into_iter().take(self.most.min(TOLD_MAX));
        (taken, first.map(|(_, name)| self.waiting[name].clone()).collect())
    }

    /// What `from` told, whose ring has this hash.
    pub(super) fn hear(
        &mut self,
        from: NodeId,
        hash: u64,
        taken: Vec<NodeId>,
        waiting: Vec<NodeId>,
    ) {
        for (known, told) in [(&mut self.taken, taken), (&mut self.waiting, waiting)] {
            for node in told.into_iter().take(TOLD_MAX) {
                if known.get(&node.name).is_none_or(|known| known.boot < node.boot) {
                    known.insert(node.name.clone(), node);
                }
            }
        }
        self.told.insert(from, hash);
    }

    /// Those that have not told in the ring of this hash what they know.
    pub(super) fn silent<'a>(
        &'a self,
        me: &'a NodeId,
        live: &'a Live,
        hash: u64,
    ) -> impl Iterator<Item = &'a NodeId> {
        let is_silent = move |node: &&NodeId| *node != me && self.told.get(node) != Some(&hash);
        live.keys().filter(is_silent)
    }

    /// Whether a node that waits has a seat, by what all have told.
    pub(super) fn is_free_for(&self, me: &NodeId) -> bool {
        let others = self.taken.keys().filter(|name| **name != me.name).count();
        let is_kept = self.taken.get(&me.name).is_some_and(|former| former.boot < me.boot);
        let is_ahead = |node: &&NodeId| {
            !self.taken.contains_key(&node.name) && node.name != me.name && order(node) < order(me)
        };
        let ahead = if is_kept { 0 } else { self.waiting.values().filter(is_ahead).count() };
        others + ahead < self.most
    }

    /// Whether a node that has a seat is one too many.
    pub(super) fn is_beyond(&self, me: &NodeId) -> bool {
        let is_before = |node: &&NodeId| node.name != me.name && order(node) < order(me);
        self.taken.values().filter(is_before).count() >= self.most
    }

    /// How many nodes there are: those with seats, dead or not, and the live ones that wait.
    pub(super) fn count(&self, live: &Live) -> usize {
        let waiting = live.keys().filter(|node| !self.taken.contains_key(&node.name));
        self.taken.len() + waiting.count()
    }
}

/// The order in which nodes have seats.
fn order(node: &NodeId) -> (swarm_base::Boot, &NodeName) {
    (node.boot, &node.name)
}

/// The most seats that are told or read: far more nodes than a cluster has.
const TOLD_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use swarm_base::Boot;

    fn node(name: &str, boot: u64) -> NodeId {
        let name = NodeName::new(name).expect("a name");
        NodeId::new(name, Boot { millis: boot, random: 0 })
    }

    fn live(nodes: &[(&NodeId, Seat)]) -> Live {
        nodes.iter().map(|(node, seat)| ((*node).clone(), *seat)).collect()
    }

    /// The seats under a quorum of two, of which a, b and c have theirs.
    fn full() -> (Seats, [NodeId; 3]) {
        let nodes = [node("a", 1), node("b", 2), node("c", 3)];
        let mut seats = Seats::new(2);
        seats.look(&nodes.clone().map(|node| (node, Seat::Taken)).into(), |_| false);
        (seats, nodes)
    }

    #[test]
    fn the_dead_keep_their_seats_and_those_who_left_do_not() {
        let (mut seats, [a, b, c]) = full();
        let d = node("d", 4);
        let now = live(&[(&a, Seat::Taken), (&b, Seat::Taken), (&d, Seat::Waits)]);
        seats.look(&now, |_| false);
        assert!(!seats.is_free_for(&d), "c is dead");
        assert_eq!(seats.count(&now), 4);
        seats.look(&now, |gone| *gone == c);
        assert!(seats.is_free_for(&d), "c has left");
        assert_eq!(seats.count(&now), 3);
    }

    #[test]
    fn a_boot_that_follows_another_finds_its_seat_kept() {
        let (mut seats, [a, b, c]) = full();
        let (d, again) = (node("d", 4), node("c", 5));
        let waits = [(&d, Seat::Waits), (&again, Seat::Waits)];
        seats.look(&live(&[[(&a, Seat::Taken), (&b, Seat::Taken)], waits].concat()), |_| false);
        assert!(!seats.is_free_for(&d), "also while it has not taken it");
        assert!(seats.is_free_for(&again));
        seats.look(&live(&[(&d, Seat::Waits), (&again, Seat::Taken)]), |_| false);
        assert!(!seats.is_free_for(&d));
        // It gave it up itself.
        seats.look(&live(&[(&d, Seat::Waits), (&again, Seat::Waits)]), |_| false);
        assert!(seats.is_free_for(&d) && !seats.is_free_for(&again), "d came first");
        assert_eq!(c.name, again.name);
    }

    #[test]
    fn of_those_who_wait_the_oldest_goes_first_also_a_dead_one() {
        let (mut seats, [a, _, _]) = full();
        let (d, e) = (node("d", 5), node("e", 4));
        seats.look(&live(&[(&d, Seat::Waits), (&e, Seat::Waits)]), |gone| *gone == a);
        assert!(seats.is_free_for(&e) && !seats.is_free_for(&d));
        seats.look(&live(&[(&d, Seat::Waits)]), |_| false);
        assert!(!seats.is_free_for(&d), "e may have taken it where d does not see it");
        seats.look(&live(&[(&d, Seat::Waits)]), |gone| *gone == e);
        assert!(seats.is_free_for(&d));
    }

    #[test]
    fn a_newcomer_learns_of_seats_that_it_has_not_seen_taken() {
        let (seats, [a, _, _]) = full();
        let (mut new, d) = (Seats::new(2), node("d", 4));
        let now = live(&[(&a, Seat::Taken), (&d, Seat::Waits)]);
        new.look(&now, |_| false);
        assert!(new.is_free_for(&d), "it knows of one");
        assert_eq!(new.silent(&d, &now, 7).collect::<Vec<_>>(), [&a]);
        let (taken, waiting) = seats.tell();
        new.hear(a, 7, taken, waiting);
        assert_eq!(new.silent(&d, &now, 7).count(), 0);
        assert_eq!(new.silent(&d, &now, 8).count(), 1, "in another ring it is asked anew");
        assert!(!new.is_free_for(&d));
    }

    #[test]
    fn of_too_many_seats_the_newest_are_given_up() {
        let mut seats = Seats::new(2);
        let nodes = [node("a", 4), node("b", 1), node("c", 3), node("d", 3), node("e", 2)];
        seats.look(&nodes.clone().map(|node| (node, Seat::Taken)).into(), |_| false);
        let beyond: Vec<_> = nodes.iter().filter(|node| seats.is_beyond(node)).collect();
        assert_eq!(beyond, [&node("a", 4), &node("d", 3)]);
    }
}
