//! Who can stand with whom, as it really is: which nodes run, and which of them reach each other
//! both ways.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::Instant;
use swarm_sim::Action;

/// Who can stand with whom.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// Every node that ever ran.
    known: BTreeSet<SocketAddr>,
    running: BTreeSet<SocketAddr>,
    /// Between whom the network is open both ways, in both orders.
    open: BTreeSet<Pair>,
    /// The same, where both run.
    pairs: BTreeSet<Pair>,
    /// When those that are no longer together were so last.
    last: BTreeMap<Pair, Instant>,
    /// Until when nodes are held up.
    paused: BTreeMap<SocketAddr, Instant>,
}

type Pair = (SocketAddr, SocketAddr);

impl Standing {
    /// The nodes that run.
    pub(crate) fn running(&self) -> impl Iterator<Item = SocketAddr> {
        self.running.iter().copied()
    }

    /// The nodes that can answer a question of the node at `addr`, this one among them.
    pub(crate) fn around(&self, addr: SocketAddr) -> BTreeSet<SocketAddr> {
        let answers = |other: &SocketAddr| *other == addr || self.pairs.contains(&(addr, *other));
        self.running().filter(answers).collect()
    }

    /// When the node at `addr` was last together with so many that they are `want` with it, each at
    /// some moment of a `lease`, where that is over or will be if nothing changes.
    pub(crate) fn held_until(
        &self,
        addr: SocketAddr,
        want: usize,
        lease: Duration,
    ) -> Option<Instant> {
        let n_others = want.checked_sub(1)?;
        let n_gone = n_others.checked_sub(self.around(addr).len() - 1).filter(|n| *n > 0)?;
        let gone = self.last.iter().filter(|((one, _), _)| *one == addr);
        let mut gone: Vec<Instant> = gone.map(|(_, last)| *last).collect();
        gone.sort_unstable_by(|a, b| b.cmp(a));
        Some(gone.get(n_gone - 1).map_or(Instant::START, |last| *last + lease))
    }

    /// The nodes of a side of `want` or more, if there is one: they all reach each other, and
    /// nobody else.
    pub(crate) fn side(&self, want: usize) -> Option<BTreeSet<SocketAddr>> {
        let mut sides = self.running().map(|addr| self.around(addr));
        sides.find(|side| side.len() >= want && side.iter().all(|at| self.around(*at) == *side))
    }

    /// When the node at `addr` has last been held up, if it was.
    pub(crate) fn paused_until(&self, addr: SocketAddr) -> Option<Instant> {
        self.paused.get(&addr).copied()
    }

    /// Something is about to be done to the world.
    pub(crate) fn act(&mut self, now: Instant, action: &Action) {
        match action {
            Action::Start(addr) => {
                self.known.insert(*addr);
                self.running.insert(*addr);
                self.paused.remove(addr);
            }
            Action::Crash(addr) | Action::Stop(addr) => self.gone(now, *addr),
            Action::Pause(addr, span) => drop(self.paused.insert(*addr, now + *span)),
            _ => (),
        }
    }

    /// A node has stopped.
    pub(crate) fn gone(&mut self, now: Instant, addr: SocketAddr) {
        self.running.remove(&addr);
        self.pair(now);
    }

    /// Who reaches whom may have changed.
    pub(crate) fn reach(&mut self, now: Instant, reaches: &dyn Fn(SocketAddr, SocketAddr) -> bool) {
        let known = &self.known;
        let pairs = known.iter().flat_map(|a| known.iter().map(|b| (*a, *b)));
        let both = |(a, b): &Pair| a != b && reaches(*a, *b) && reaches(*b, *a);
        self.open = pairs.filter(both).collect();
        self.pair(now);
    }

    fn pair(&mut self, now: Instant) {
        let runs = |(a, b): &&Pair| self.running.contains(a) && self.running.contains(b);
        let pairs = self.open.iter().filter(runs).copied().collect();
        let before = std::mem::replace(&mut self.pairs, pairs);
        self.last.extend(before.difference(&self.pairs).map(|pair| (*pair, now)));
        self.last.retain(|pair, _| !self.pairs.contains(pair));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use swarm_sim::addr;

    /// Five nodes, and who reaches whom.
    fn five(reaches: &dyn Fn(SocketAddr, SocketAddr) -> bool) -> Standing {
        let mut standing = Standing::default();
        for nth in 1..=5 {
            standing.act(Instant::START, &Action::Start(addr(nth)));
        }
        standing.reach(Instant::START, reaches);
        standing
    }

    #[test]
    fn a_side_is_who_reach_each_other_and_nobody_else() {
        let all = |nodes: &[u16]| Some(nodes.iter().map(|nth| addr(*nth)).collect());
        let mut standing = five(&|_, _| true);
        assert_eq!(standing.side(3), all(&[1, 2, 3, 4, 5]));
        standing.act(Instant::START, &Action::Crash(addr(2)));
        standing.gone(Instant::START, addr(5));
        assert_eq!(standing.side(3), all(&[1, 3, 4]));
        assert_eq!(standing.side(4), None);
        let is_low = |addr: SocketAddr| [1, 2].map(swarm_sim::addr).contains(&addr);
        let standing = five(&|a, b| is_low(a) == is_low(b));
        assert_eq!((standing.side(3), standing.around(addr(1)).len()), (all(&[3, 4, 5]), 2));
        let standing = five(&|a, b| is_low(a) == is_low(b) || b == addr(5));
        assert_eq!(standing.side(3), all(&[3, 4, 5]), "one way is no way");
        let standing = five(&|a, b| is_low(a) == is_low(b) || a == addr(5) || b == addr(5));
        assert_eq!(standing.side(3), None, "a bridge joins the sides");
    }

    #[test]
    fn who_leaves_counts_for_a_lease() {
        let (at, lease) =
            (|secs| Instant::after_start(Duration::from_secs(secs)), Duration::from_secs(3));
        let mut standing = five(&|_, _| true);
        let held = |standing: &Standing| standing.held_until(addr(1), 4, lease);
        standing.act(at(10), &Action::Crash(addr(5)));
        assert_eq!(held(&standing), None, "four are left");
        standing.reach(at(11), &|a, b| ![a, b].contains(&addr(4)));
        assert_eq!(held(&standing), Some(at(14)));
        standing.reach(at(12), &|a, b| ![a, b].contains(&addr(3)));
        assert_eq!(held(&standing), Some(at(15)), "the fourth was back in time");
        standing.reach(at(20), &|_, _| false);
        assert_eq!(held(&standing), Some(at(15)));
        standing.act(at(21), &Action::Start(addr(5)));
        standing.reach(at(21), &|_, _| true);
        assert_eq!(held(&standing), None);
    }

    #[test]
    fn a_node_that_is_held_up_says_until_when() {
        let mut standing = five(&|_, _| true);
        standing.act(Instant::START, &Action::Pause(addr(1), Duration::from_secs(7)));
        let until = Instant::after_start(Duration::from_secs(7));
        assert_eq!(standing.paused_until(addr(1)), Some(until));
        assert_eq!(standing.paused_until(addr(2)), None);
    }
}
