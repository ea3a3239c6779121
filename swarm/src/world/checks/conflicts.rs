//! The state of a copy that loses its name to another one is taken in before it ends, and once by
//! each process that it loses to.
//!
//! One that hangs ends without. One that loses twice, to two winners of which the first has died,
//! hands over twice.

use crate::Event as Public;
use crate::world::host::SimNode;
use crate::world::news::News;
use crate::world::truth::Hosts;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Instant, Name, Pid};
use swarm_sim::{Check, Violation};

#[derive(Debug, Default)]
pub(crate) struct Conflicts {
    /// The copies that are to end, at their nodes.
    losing: BTreeMap<(SocketAddr, Name), Losing>,
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

impl Check<SimNode> for Conflicts {
    fn name(&self) -> &'static str {
        "the state of a copy that loses is taken in once"
    }

    fn observe(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        event: &News,
        _: &Hosts,
    ) -> Result<(), Violation> {
        let sentence = match event {
            News::Loses { name, pid } => {
                let losing = Losing { pid: *pid, has_state: false };
                self.losing.insert((addr, name.clone()), losing);
                return Ok(());
            }
            News::HandsOver { name, pid, has_state, took } => {
                let losing = self.losing.get_mut(&(addr, name.clone()));
                if let Some(losing) = losing.filter(|losing| losing.pid == *pid) {
                    losing.has_state = *has_state && *took < patience();
                }
                return Ok(());
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
            _ => return Ok(()),
        };
        Err(Violation::new(self.name(), now, sentence))
    }

    fn judged(&self) -> u64 {
        self.judged
    }
}

/// How long a node waits for what a process hands over.
fn patience() -> Duration {
    swarm_handoff::Config::default().freeze_timeout
}
