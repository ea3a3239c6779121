//! The state of a copy that loses its name to another one is taken in before it ends, and once by
//! each process that it loses to (reliability H9).
//!
//! One that hangs, or has no state to hand over, ends without. One that loses twice, to two winners
//! of which the first has died, hands over twice.

use crate::Event as Public;
use crate::world::host::{End, SimNode};
use crate::world::news::News;
use crate::world::truth::{Hosts, Shared, Status};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Instant, Name, Pid};
use swarm_process::ExitReason;
use swarm_sim::{Check, Violation};

pub(crate) const NAME: &str = "the state of a copy that loses is taken in once";

#[derive(Debug)]
pub(crate) struct Conflicts {
    truth: Shared,
    /// The copies that are to end, at their nodes.
    losing: BTreeMap<(SocketAddr, Name), Losing>,
    /// The copies that have ever handed over a state.
    handed: BTreeSet<Pid>,
    /// Who has the state of which copy.
    taken: BTreeMap<Pid, BTreeSet<Pid>>,
    judged: u64,
}

#[derive(Debug)]
struct Losing {
    pid: Pid,
    /// Whether it has handed over its state, in time.
    has_state: bool,
}

impl Conflicts {
    pub(crate) const fn new(truth: Shared) -> Self {
        Self {
            truth,
            losing: BTreeMap::new(),
            handed: BTreeSet::new(),
            taken: BTreeMap::new(),
            judged: 0,
        }
    }

    /// Whether nobody but the handshake can have ended a process: no client, and no node on its
    /// way out.
    fn is_its_end(&self, addr: SocketAddr, name: &Name, why: &ExitReason, hosts: &Hosts) -> bool {
        let truth = self.truth.borrow();
        let is_left_alone = truth.may_change(name) && truth.status(name) == Status::Taken;
        let stays = hosts.get(&addr).is_none_or(|host| matches!(host.end(), End::No));
        is_left_alone && stays && matches!(why, ExitReason::Stopped | ExitReason::Killed)
    }
}

impl Check<SimNode> for Conflicts {
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
        let sentence = match event {
            News::Loses { name, pid } => {
                let losing = Losing { pid: *pid, has_state: false };
                self.losing.insert((addr, name.clone()), losing);
                return Ok(());
            }
            News::HandsOver { name, pid, has_state, took } => {
                if *has_state {
                    self.handed.insert(*pid);
                }
                let losing = self.losing.get_mut(&(addr, name.clone()));
                if let Some(losing) = losing.filter(|losing| losing.pid == *pid) {
                    losing.has_state = *has_state && *took < patience();
                }
                return Ok(());
            }
            News::Resolved { name, pid, loser } if !self.handed.contains(loser) => {
                format!("{pid} took in a state of {loser} for {name}, which has handed over none")
            }
            News::Resolved { name, pid, loser } => {
                if self.taken.entry(*loser).or_default().insert(*pid) {
                    return Ok(());
                }
                format!("{pid} took in the state of {loser} for {name} twice")
            }
            News::Public(Public::ConflictResolved { name, kept }) => {
                let Some(losing) = self.losing.remove(&(addr, name.clone())) else {
                    return Ok(());
                };
                if !losing.has_state {
                    return Ok(());
                }
                self.judged += 1;
                let mut by = self.taken.get(&losing.pid).into_iter().flatten();
                if by.any(|winner| winner.boot == kept.boot) {
                    return Ok(());
                }
                format!("{} ended for {name} at {kept}, and nobody has its state", losing.pid)
            }
            News::Ended { name: Some(name), pid, why } => {
                let losing = self.losing.get(&(addr, name.clone()));
                let Some(losing) = losing.filter(|losing| losing.pid == *pid) else {
                    return Ok(());
                };
                let is_in = self.taken.contains_key(pid);
                if !losing.has_state || is_in || !self.is_its_end(addr, name, why, hosts) {
                    return Ok(());
                }
                format!("{pid} ended for {name} before anybody had its state")
            }
            _ => return Ok(()),
        };
        Err(Violation::new(NAME, now, sentence))
    }

    fn judged(&self) -> u64 {
        self.judged
    }
}

/// How long a node waits for what a process hands over.
fn patience() -> Duration {
    swarm_handoff::Config::default().freeze_timeout
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::checks::history::{History, name};

    /// The second of two copies is to end, and hands over what it has, or that it has nothing.
    fn loses(has_state: bool) -> (History<Conflicts>, Pid, Pid) {
        let mut history = History::without_quorum(Conflicts::new);
        history.start(2);
        history.registered(1, "x");
        let (winner, loser) = (history.pid(1, "x"), history.begins(2, "x"));
        history.news(2, &News::Loses { name: name("x"), pid: loser });
        let took = Duration::from_millis(1);
        history.news(2, &News::HandsOver { name: name("x"), pid: loser, has_state, took });
        (history, winner, loser)
    }

    fn takes_in(history: &mut History<Conflicts>, winner: Pid, loser: Pid) {
        history.news(1, &News::Resolved { name: name("x"), pid: winner, loser });
    }

    fn told(history: &mut History<Conflicts>) {
        let kept = history.node(1);
        history.news(2, &News::Public(Public::ConflictResolved { name: name("x"), kept }));
    }

    #[test]
    fn a_state_that_is_taken_in_once_before_its_copy_ends_is_right() {
        let (mut history, winner, loser) = loses(true);
        takes_in(&mut history, winner, loser);
        told(&mut history);
        history.ends(2, "x");
        assert_eq!((history.verdict(), history.check.judged()), (None, 1));
    }

    #[test]
    fn a_copy_that_hands_over_nothing_ends_without() {
        let (mut history, ..) = loses(false);
        told(&mut history);
        history.ends(2, "x");
        assert_eq!(history.verdict(), None);
    }

    #[test]
    fn a_state_that_is_taken_in_twice_is_noticed() {
        let (mut history, winner, loser) = loses(true);
        takes_in(&mut history, winner, loser);
        assert_eq!(history.verdict(), None);
        takes_in(&mut history, winner, loser);
        assert_eq!(history.verdict(), Some(NAME));
    }

    #[test]
    fn a_state_that_is_never_taken_in_is_noticed() {
        let (mut history, ..) = loses(true);
        told(&mut history);
        assert_eq!(history.verdict(), Some(NAME));
    }

    #[test]
    fn a_state_that_nobody_handed_over_is_noticed() {
        let (mut history, winner, loser) = loses(false);
        takes_in(&mut history, winner, loser);
        assert_eq!(history.verdict(), Some(NAME));
    }

    #[test]
    fn a_copy_that_ends_before_its_state_is_taken_in_is_noticed() {
        let (mut history, winner, loser) = loses(true);
        history.ends(2, "x");
        takes_in(&mut history, winner, loser);
        assert_eq!(history.verdict(), Some(NAME));
    }
}
