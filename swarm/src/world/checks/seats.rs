//! Only nodes with a seat host what is placed: no name begins to run on a node that has never had
//! one, and in the end there are no more of them than a quorum allows, and the others host nothing
//! (reliability Q6).

use crate::world::host::SimNode;
use crate::world::news::News;
use crate::world::truth::{Hosts, Shared, Status, Truth};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use swarm_base::{Instant, Name};
use swarm_sim::{Action, Check, Violation};

pub(crate) const NAME: &str = "a node without a seat hosts nothing";

/// Who has a seat, as each node says of itself.
#[derive(Debug, Default)]
pub(crate) struct Seated {
    /// The scopes in which a node has or had a seat, and whether it has it.
    by_node: BTreeMap<SocketAddr, BTreeMap<Option<String>, bool>>,
}

impl Seated {
    /// How many of these nodes have a seat in a scope.
    pub(crate) fn count<'a>(
        &self,
        scope: Option<&str>,
        nodes: impl IntoIterator<Item = &'a SocketAddr>,
    ) -> usize {
        nodes.into_iter().filter(|addr| self.seat(**addr, scope) == Some(true)).count()
    }

    /// Whether so many of these nodes have a seat in each scope.
    pub(crate) fn make_quorum(&self, want: usize, nodes: &BTreeSet<SocketAddr>) -> bool {
        let scopes = self.by_node.values().flat_map(BTreeMap::keys).collect::<BTreeSet<_>>();
        scopes.into_iter().all(|scope| self.count(scope.as_deref(), nodes) >= want)
    }

    /// Whether a node has a seat; `None` where it never had one.
    fn seat(&self, addr: SocketAddr, scope: Option<&str>) -> Option<bool> {
        self.by_node.get(&addr)?.get(&scope.map(str::to_owned)).copied()
    }

    pub(crate) fn observe(&mut self, addr: SocketAddr, event: &News) {
        match event {
            News::Seat { scope, has } => {
                self.by_node.entry(addr).or_default().insert(scope.clone(), *has);
            }
            News::Gone => drop(self.by_node.remove(&addr)),
            _ => (),
        }
    }

    pub(crate) fn act(&mut self, action: &Action) {
        if let Action::Start(addr) | Action::Crash(addr) | Action::Stop(addr) = action {
            self.by_node.remove(addr);
        }
    }
}

#[derive(Debug)]
pub(crate) struct Seats {
    truth: Shared,
    /// The nodes that are there and have no seat.
    judged: u64,
}

impl Seats {
    pub(crate) const fn new(truth: Shared) -> Self {
        Self { truth, judged: 0 }
    }
}

impl Check<SimNode> for Seats {
    fn name(&self) -> &'static str {
        NAME
    }

    fn observe(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        event: &News,
        _: &Hosts,
    ) -> Result<(), Violation> {
        let News::Began { name, pid, .. } = event else { return Ok(()) };
        if self.truth.borrow().seated.seat(addr, name.scope()).is_some() {
            return Ok(());
        }
        let sentence = format!("{addr} runs {name} as {pid}, and has never had a seat");
        Err(Violation::new(NAME, now, sentence))
    }

    fn finish(&mut self, now: Instant, _: &Hosts) -> Result<(), Violation> {
        let truth = self.truth.borrow();
        let n_seated = truth.seated.count(None, &truth.standing.running().collect::<Vec<_>>());
        self.judged += (truth.standing.running().count() - n_seated) as u64;
        lack(&truth).map_or(Ok(()), |lack| Err(Violation::new(NAME, now, lack)))
    }

    fn judged(&self) -> u64 {
        self.judged
    }
}

pub(super) fn lack(truth: &Truth) -> Option<String> {
    let most = truth.want?.saturating_mul(2).saturating_sub(1);
    let running: BTreeSet<SocketAddr> = truth.standing.running().collect();
    let known = truth.seated.by_node.values().flat_map(BTreeMap::keys);
    for scope in known.collect::<BTreeSet<_>>() {
        let seated = truth.seated.count(scope.as_deref(), &running);
        if seated > most {
            return Some(format!("{seated} nodes have a seat in {scope:?}, where {most} may"));
        }
    }
    let is_placed = |name: &Name| !matches!(truth.status(name), Status::Retired | Status::Fixed);
    let hosted = truth.instances.iter().filter(|(name, _)| is_placed(name));
    let mut hosted = hosted.flat_map(|(name, pids)| pids.values().map(move |addr| (name, addr)));
    let is_wrong =
        |(name, addr): &(&Name, &SocketAddr)| truth.seated.seat(**addr, name.scope()) != Some(true);
    let (name, addr) = hosted.find(is_wrong)?;
    Some(format!("{addr} runs {name}, and has no seat"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::checks::history::{History, ms};

    /// Of four nodes three have a seat.
    fn four() -> History<Seats> {
        let mut history = History::new(2, Seats::new);
        history.start(4);
        for node in 1..=3 {
            history.seat(node, true);
        }
        history.registered(1, "x");
        history
    }

    #[test]
    fn who_waits_and_hosts_nothing_is_right() {
        let mut history = four();
        history.at(ms(10_000));
        history.finish();
        assert_eq!((history.verdict(), history.check.judged()), (None, 1));
    }

    #[test]
    fn who_never_had_a_seat_must_not_start_anything() {
        let mut history = four();
        history.begins(4, "y");
        assert_eq!(history.verdict(), Some(NAME));
    }

    #[test]
    fn who_gave_its_seat_up_may_finish_a_start_and_not_keep_it() {
        let mut history = four();
        history.seat(3, false);
        history.begins(3, "y");
        assert_eq!(history.verdict(), None);
        history.finish();
        assert_eq!(history.verdict(), Some(NAME));
    }

    #[test]
    fn there_are_no_more_seats_than_a_quorum_allows() {
        let mut history = four();
        history.seat(4, true);
        history.finish();
        assert_eq!(history.verdict(), Some(NAME));
    }
}
