//! No state is lost in a move between live ends: a process goes on with the count that it had, and
//! is not started anew while a live node holds its count.

use crate::world::host::{End, SimNode};
use crate::world::news::{How, News};
use crate::world::truth::{Hosts, Shared, Status};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use swarm_base::{Instant, Name};
use swarm_handoff::MoveId;
use swarm_process::ExitReason;
use swarm_registry::State as Seen;
use swarm_sim::{Action, Check, Violation};

#[derive(Debug)]
pub(crate) struct State {
    truth: Shared,
    /// What each process handed over that nobody has taken up yet, and who keeps it.
    kept: BTreeMap<Name, Kept>,
    judged: u64,
}

#[derive(Debug)]
struct Kept {
    id: MoveId,
    state: Option<u64>,
    by: SocketAddr,
}

impl State {
    pub(crate) const fn new(truth: Shared) -> Self {
        Self { truth, kept: BTreeMap::new(), judged: 0 }
    }

    fn judge(&mut self, now: Instant, name: &Name, how: How, count: u64) -> Result<(), Violation> {
        let Some(kept) = self.kept.remove(name) else { return Ok(()) };
        if self.truth.borrow().status(name) == Status::Retired {
            return Ok(());
        }
        let expected = kept.state.unwrap_or(0);
        let is_same = match how {
            How::Promoted(id) => id == kept.id && count == expected,
            How::Resumed => count == expected,
            How::Fresh => false,
        };
        // Another one may run beside it, in a split; and what it hands over is its own.
        if !is_same && self.truth.borrow().split.is_some() {
            return Ok(());
        }
        self.judged += 1;
        if is_same {
            return Ok(());
        }
        let sentence = format!("{name} began at {count} ({how:?}), and {kept:?} was handed over");
        Err(Violation::new(self.name(), now, sentence))
    }

    fn lose(&mut self, addr: SocketAddr) {
        self.kept.retain(|_, kept| kept.by != addr);
    }
}

fn is_ending(hosts: &Hosts, addr: SocketAddr) -> bool {
    hosts.get(&addr).is_some_and(|host| !matches!(host.end(), End::No | End::Draining { .. }))
}

impl Check<SimNode> for State {
    fn name(&self) -> &'static str {
        "no state is lost in a move"
    }

    fn observe(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        event: &News,
        hosts: &Hosts,
    ) -> Result<(), Violation> {
        match event {
            // The time that it had to hand over is over: what comes of this goes with the node. And in
            // a split it may be one of two copies, whose target runs the other one.
            News::Taken { name, .. }
                if is_ending(hosts, addr) || self.truth.borrow().split.is_some() =>
            {
                self.kept.remove(name);
                Ok(())
            }
            News::Taken { name, id, state, .. } => {
                self.kept.insert(name.clone(), Kept { id: *id, state: *state, by: addr });
                Ok(())
            }
            News::Began { name, how, count, .. } => self.judge(now, name, *how, *count),
            // Its keeper could not start it again: that is the worker's own doing.
            News::Ended { name: Some(name), why: ExitReason::StartFailed { .. }, .. } => {
                if self.kept.get(name).is_some_and(|kept| kept.by == addr) {
                    self.kept.remove(name);
                }
                Ok(())
            }
            // It was to be stopped, and its keeper has done so.
            News::Saw { name, state: Seen::Free, .. } => {
                if self.kept.get(name).is_some_and(|kept| kept.by == addr) {
                    self.kept.remove(name);
                }
                Ok(())
            }
            News::Leaving | News::Gone => {
                self.lose(addr);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn act(&mut self, _: Instant, action: &Action) {
        if let Action::Crash(addr) | Action::Stop(addr) = action {
            self.lose(*addr);
        }
    }

    fn judged(&self) -> u64 {
        self.judged
    }
}
