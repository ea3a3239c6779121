//! The side that holds the quorum runs every name: within the margin, and the time that a start
//! takes, of when its nodes have all taken the others for dead (reliability Q2).
//!
//! The time counts while nothing changes: the side reaches all of itself and nobody else, its nodes
//! list each other and agree, and none of them misses the quorum. A name whose process has ended
//! since, or did not start, has as long from then.

use super::survival::nobody_serves;
use crate::Event as Public;
use crate::world::host::SimNode;
use crate::world::make::last_octet;
use crate::world::news::{Change, News};
use crate::world::truth::{Hosts, Shared, Status, Truth};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Boot, Instant, Name};
use swarm_sim::{Action, Check, Violation};

pub(crate) const NAME: &str = "the side with the quorum runs every name";

#[derive(Debug)]
pub(crate) struct Majority {
    truth: Shared,
    views: Views,
    /// The side that holds the quorum, and has settled.
    side: Option<Side>,
    /// When a process of a name ended last.
    ended: BTreeMap<Name, Instant>,
    steps: u64,
    judged: u64,
}

/// Whom each node holds alive, by the number of the node.
type Views = BTreeMap<SocketAddr, BTreeMap<u8, BTreeSet<Boot>>>;

#[derive(Debug)]
struct Side {
    nodes: BTreeSet<SocketAddr>,
    since: Instant,
    /// The names that were to be taken over.
    missing: BTreeSet<Name>,
}

/// What comes on top of the margin: names are looked at again, and a start takes its time.
const BOUND: Duration = Duration::from_secs(5);

/// Names are looked at after so many inputs.
const EVERY: u64 = 16;

impl Majority {
    pub(crate) const fn new(truth: Shared) -> Self {
        Self {
            truth,
            views: BTreeMap::new(),
            side: None,
            ended: BTreeMap::new(),
            steps: 0,
            judged: 0,
        }
    }

    /// Whether there is a side that has settled, and since when.
    fn look(&mut self, now: Instant, hosts: &Hosts) {
        let truth = self.truth.borrow();
        let side = truth.want.and_then(|want| truth.standing.side(want));
        let Some(nodes) = side.filter(|side| is_settled(&truth, &self.views, side, hosts)) else {
            self.side = None;
            return;
        };
        if self.side.as_ref().is_none_or(|side| side.nodes != nodes) {
            let missing = names(&truth, &nodes).filter(|name| !runs(&truth, &nodes, name));
            let missing = missing.cloned().collect();
            self.side = Some(Side { nodes, since: now, missing });
        }
    }

    /// The time begins anew where the side is no longer what it was.
    fn keep(&mut self) {
        let truth = self.truth.borrow();
        let side = truth.want.and_then(|want| truth.standing.side(want));
        self.side.take_if(|known| side.as_ref() != Some(&known.nodes));
    }

    fn judge(&mut self, now: Instant, hosts: &Hosts) -> Result<(), Violation> {
        let Some(side) = &mut self.side else { return Ok(()) };
        let after = swarm_handoff::Config::default().quorum_margin + BOUND;
        if now < side.since + after {
            return Ok(());
        }
        let truth = self.truth.borrow();
        let here = || side.nodes.iter().filter_map(|addr| hosts.get(addr));
        let late = |name: &&Name| {
            let since = self.ended.get(*name).map_or(side.since, |ended| side.since.max(*ended));
            since + after <= now
                && !runs(&truth, &side.nodes, name)
                && !here().any(|host| host.processes().any_of(name))
                && !nobody_serves(here(), name)
        };
        if let Some(name) = names(&truth, &side.nodes).find(late) {
            let sentence = format!(
                "{name} does not run on {:?}, which have settled at {}",
                side.nodes, side.since
            );
            return Err(Violation::new(NAME, now, sentence));
        }
        self.judged += std::mem::take(&mut side.missing).len() as u64;
        Ok(())
    }
}

/// Whether the nodes of a side list each other and nobody else, agree, and hold the quorum.
fn is_settled(truth: &Truth, views: &Views, side: &BTreeSet<SocketAddr>, hosts: &Hosts) -> bool {
    let numbers: BTreeSet<u8> = side.iter().map(|addr| last_octet(*addr)).collect();
    side.iter().all(|addr| {
        let alive = views.get(addr).into_iter().flatten();
        let alive = alive.filter(|(_, boots)| !boots.is_empty()).map(|(number, _)| *number);
        let listed: BTreeSet<u8> = alive.chain([last_octet(*addr)]).collect();
        let agrees = hosts.get(addr).is_none_or(|host| host.gauges().disagreeing == 0);
        listed == numbers && agrees && !truth.waiting.is_below(*addr)
    }) && truth.want.is_some_and(|want| truth.seated.make_quorum(want, side))
}

/// The names that must run, as far as these nodes can know.
fn names<'a>(truth: &'a Truth, nodes: &'a BTreeSet<SocketAddr>) -> impl Iterator<Item = &'a Name> {
    let is_due = |book: &crate::world::truth::Book| {
        let is_sure = book.status == Status::Taken && !book.is_busy && !book.is_blocked;
        is_sure && !book.known_by.is_disjoint(nodes)
    };
    truth.names.iter().filter(move |(_, book)| is_due(book)).map(|(name, _)| name)
}

fn runs(truth: &Truth, nodes: &BTreeSet<SocketAddr>, name: &Name) -> bool {
    truth.instances(name).any(|(_, at)| nodes.contains(at))
}

impl Check<SimNode> for Majority {
    fn name(&self) -> &'static str {
        NAME
    }

    fn observe(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        event: &News,
        hosts: &Hosts,
    ) -> Result<(), Violation> {
        match event {
            News::Peer { boot, name, change, .. } => {
                let Some(number) = name.as_str().strip_prefix('n').and_then(|it| it.parse().ok())
                else {
                    return Ok(());
                };
                let boots = self.views.entry(addr).or_default().entry(number).or_default();
                match change {
                    Change::Up => boots.insert(*boot),
                    Change::Dead | Change::Left => boots.remove(boot),
                };
            }
            News::Ended { name: Some(name), .. } => {
                self.ended.insert(name.clone(), now);
                return Ok(());
            }
            News::Gone
            | News::Public(Public::QuorumLost { .. } | Public::QuorumRegained { .. }) => {}
            _ => return Ok(()),
        }
        self.look(now, hosts);
        Ok(())
    }

    fn act(&mut self, _: Instant, action: &Action) {
        self.keep();
        if let Action::Start(addr) = action {
            self.views.remove(addr);
            for view in self.views.values_mut() {
                view.remove(&last_octet(*addr));
            }
        }
    }

    fn reach(&mut self, _: Instant, _: &dyn Fn(SocketAddr, SocketAddr) -> bool) {
        self.keep();
    }

    fn step(&mut self, now: Instant, _: SocketAddr, hosts: &Hosts) -> Result<(), Violation> {
        self.steps += 1;
        if !self.steps.is_multiple_of(EVERY) {
            return Ok(());
        }
        self.look(now, hosts);
        self.judge(now, hosts)
    }

    fn judged(&self) -> u64 {
        self.judged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::checks::history::{History, ms};
    use swarm_sim::addr;

    /// The third of three nodes has a process and dies; at 20 s the others have both noticed.
    fn dead() -> History<Majority> {
        let mut history = History::new(2, Majority::new);
        history.start(3);
        for (of, other) in [(1, 2), (2, 1), (1, 3), (2, 3), (3, 1), (3, 2)] {
            history.peer(of, other, Change::Up);
        }
        history.registered(3, "x");
        history.saw(1, "x", 3);
        history.saw(2, "x", 3);
        history.at(ms(10_000));
        history.act(&Action::Crash(addr(3)));
        history.peer(1, 3, Change::Dead);
        history.at(ms(20_000));
        history.peer(2, 3, Change::Dead);
        history
    }

    #[test]
    fn a_name_that_runs_again_in_time_is_right() {
        let mut history = dead();
        history.at(ms(24_000));
        history.begins(1, "x");
        history.at(ms(60_000));
        assert_eq!((history.verdict(), history.check.judged()), (None, 1));
    }

    #[test]
    fn a_name_that_nobody_takes_over_is_noticed() {
        let mut history = dead();
        history.at(ms(27_900));
        assert_eq!(history.verdict(), None, "not yet");
        history.at(ms(28_100));
        assert_eq!(history.verdict(), Some(NAME));
    }

    #[test]
    fn a_side_that_misses_the_quorum_takes_nothing_over() {
        let mut history = dead();
        history.loses_quorum(2);
        history.at(ms(60_000));
        assert_eq!(history.verdict(), None);
        history.regains_quorum(2);
        history.at(ms(67_900));
        assert_eq!(history.verdict(), None);
        history.at(ms(68_100));
        assert_eq!(history.verdict(), Some(NAME));
    }

    #[test]
    fn a_start_that_failed_has_its_time_again() {
        let mut history = dead();
        history.at(ms(25_000));
        history.fails_to_start(1, "x");
        history.at(ms(32_900));
        assert_eq!(history.verdict(), None);
        history.at(ms(33_100));
        assert_eq!(history.verdict(), Some(NAME));
    }
}
