//! G1, strong eventual consistency: the same part of a log makes the same state, however it came.

use crate::host::SimNode;
use crate::member::Member;
use crate::news::News;
use crate::scenario::Kind;
use crate::truth::{Hosts, Shared, Truth};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use swarm_base::{Instant, NodeId};
use swarm_registry::{Event, Rejection, Standing};
use swarm_sim::{Check, Violation};

/// What each log made at each position, on whichever node was seen there first.
pub(crate) struct Equality {
    truth: Shared,
    /// States are compared after so many inputs.
    every: u64,
    known: BTreeMap<NodeId, BTreeMap<u64, State>>,
    n_steps: u64,
    n_judged: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    digest: u64,
    n_names: usize,
    n_members: usize,
    /// Of the claims and memberships themselves.
    hash: u64,
}

impl Equality {
    pub(crate) const fn new(truth: Shared, kind: Kind) -> Self {
        // It takes the longer the more there is.
        let every = if matches!(kind, Kind::Bulk(_)) { 20_000 } else { 16 };
        Self { truth, every, known: BTreeMap::new(), n_steps: 0, n_judged: 0 }
    }

    /// A log made this state at this position.
    pub(super) fn judge(
        &mut self,
        log: &NodeId,
        position: u64,
        state: State,
    ) -> Result<(), String> {
        let known = self.known.entry(log.clone()).or_default();
        match known.insert(position, state) {
            Some(other) if other != state => {
                Err(format!("the log of {log:?} made {other:?} and {state:?} at {position}"))
            }
            Some(_) => {
                self.n_judged += 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// What each log makes on this node, and at which position.
pub(super) fn states(truth: &Truth, member: &Member) -> Vec<(NodeId, u64, State)> {
    let mut hashes: BTreeMap<&NodeId, u64> = BTreeMap::new();
    for name in &truth.names {
        for (log, claim, _) in member.registry.claims(name) {
            let hash = hash(&(name.as_bytes(), format!("{:?} {:?}", claim.token, claim.at)));
            let sum = hashes.entry(log).or_default();
            *sum = sum.wrapping_add(hash);
        }
    }
    let progress: Vec<_> = member.registry.log_progress().collect();
    let of_log = progress.iter().filter(|of| !of.is_taken_over).map(|of| {
        let mut sum = hashes.get(&of.log).copied().unwrap_or_default();
        let first = swarm_base::Pid::new(of.log.boot, 0);
        let last = swarm_base::Pid::new(of.log.boot, u64::MAX);
        for pid in truth.joined.range(first..=last).map(|(pid, _)| *pid) {
            for (group, meta) in member.registry.memberships(&of.log, pid) {
                sum = sum.wrapping_add(hash(&(group.as_bytes(), pid.serial, meta.as_slice())));
            }
        }
        let (digest, n_names, n_members) = (of.digest, of.n_names, of.n_members);
        (of.log.clone(), of.position, State { digest, n_names, n_members, hash: sum })
    });
    of_log.collect()
}

fn hash(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

impl Check<SimNode> for Equality {
    fn name(&self) -> &'static str {
        "G1: the same facts make the same state"
    }

    fn observe(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        news: &News,
        _: &Hosts,
    ) -> Result<(), Violation> {
        let News::Log(Event::RolledBack { peer, position }) = news else { return Ok(()) };
        let sentence = format!("{addr} is shown its own log at {position} by {peer:?}");
        Err(Violation::new(self.name(), now, sentence))
    }

    fn step(&mut self, now: Instant, addr: SocketAddr, hosts: &Hosts) -> Result<(), Violation> {
        self.n_steps += 1;
        let Some(host) = hosts.get(&addr).filter(|_| self.n_steps.is_multiple_of(self.every))
        else {
            return Ok(());
        };
        let states = states(&self.truth.borrow(), host.member());
        let mut states = states.into_iter();
        states
            .try_for_each(|(log, position, state)| self.judge(&log, position, state))
            .map_err(|sentence| Violation::new(self.name(), now, format!("{addr}: {sentence}")))
    }

    fn finish(&mut self, now: Instant, hosts: &Hosts) -> Result<(), Violation> {
        for host in hosts.values() {
            let states = states(&self.truth.borrow(), host.member());
            for (log, position, state) in states {
                self.judge(&log, position, state)
                    .map_err(|sentence| Violation::new(self.name(), now, sentence))?;
            }
        }
        match lack(hosts).or_else(|| refused(hosts)) {
            None => Ok(()),
            Some(sentence) => Err(Violation::new(self.name(), now, sentence)),
        }
    }

    fn judged(&self) -> u64 {
        self.n_judged
    }
}

/// In the end all hold the logs of those who run, all of each, and no others.
pub(super) fn lack(hosts: &Hosts) -> Option<String> {
    let written = |member: &Member| (member.me().clone(), member.registry.position(member.me()));
    let truth: BTreeMap<NodeId, u64> = hosts.values().map(|host| written(host.member())).collect();
    hosts.iter().find_map(|(addr, host)| {
        let progress: Vec<_> = host.member().registry.log_progress().collect();
        let closed = progress.iter().find(|log| log.standing != Standing::Live);
        let held = progress.iter().map(|log| (log.log.clone(), log.position));
        if let Some(log) = closed {
            return Some(format!("{addr} keeps {log:?}"));
        }
        (held.collect::<BTreeMap<_, _>>() != truth)
            .then(|| format!("{addr} holds {progress:#?}, and {truth:?} was written"))
    })
}

/// Nodes of one release understand each other.
fn refused(hosts: &Hosts) -> Option<String> {
    hosts.iter().find_map(|(addr, host)| {
        let mut rejected = host.member().registry.rejected();
        let (why, count) = rejected.find(|(why, _)| {
            use Rejection::{Malformed, OwnLog, Position, TooLarge, Unreadable};
            matches!(why, Malformed | Unreadable | TooLarge | Position | OwnLog)
        })?;
        Some(format!("{addr} refused {count} times: {why:?}"))
    })
}
