//! The names that this node runs: starts, exits, restarts.

use super::asks::AskKey;
use super::escalating::{Adopted, Escalating};
use super::event::Policy;
use crate::Escalation;
use std::collections::{BTreeMap, BTreeSet};
use swarm_base::{Index, Instant, Name, Pid, Scope, Token};
use swarm_handoff::MoveId;
use swarm_process::{Decision, ExitReason, Supervision};
use swarm_registry::{At, Bytes, Claim, Fact, Registry, Request, Spec};

/// Groups, with what their member says of itself in each.
pub(super) type Groups = Vec<(Name, Bytes)>;

/// Why a worker is being started.
#[derive(Clone, Debug)]
pub(super) enum Cause {
    /// A `register` asked for it.
    Asked(AskKey, Request),
    /// Its node died, with this process.
    Orphan(Option<Pid>),
    /// It crashed here.
    Restart,
    /// It comes here from another node.
    Standby(MoveId),
    /// It was on its way to a node that died.
    Resumed,
    /// It crashed too often on another node.
    Adopted,
}

/// A worker whose `start` runs.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) name: Name,
    pub(super) spec: Spec,
    pub(super) token: Token,
    pub(super) groups: Groups,
    pub(super) cause: Cause,
    /// Whether the log says that the name is starting here.
    pub(super) logged: bool,
}

impl Start {
    /// What the log has to say of it, once.
    pub(super) fn log(&mut self, registry: &Registry) -> Option<Fact> {
        if self.logged || matches!(self.cause, Cause::Standby(_) | Cause::Restart) {
            return None;
        }
        self.logged = true;
        let request = match &self.cause {
            Cause::Asked(_, request) => Some(*request),
            _ => None,
        };
        Some(Fact::Named(Claim {
            spec: Some(self.spec.clone()),
            request,
            meta: registry.name_meta(&self.name).unwrap_or_default(),
            groups: self.groups.clone(),
            ..Claim::new(self.name.clone(), self.token, At::Starting)
        }))
    }
}

/// What is known of the processes of this node beside their claims.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) policies: BTreeMap<String, Policy>,
    pub(super) starts: BTreeMap<u64, Start>,
    pub(super) starting: BTreeMap<Name, u64>,
    pub(super) next_ticket: u64,
    /// Processes that run here: what joins a group must be alive.
    pub(super) alive: Index<Pid, ()>,
    /// Those of them that were started in place of one whose node was held dead, and of which one
    /// (ownership, consequence 4). Not in their claims, which every node keeps: only the node where
    /// such a copy runs wants to know, and a copy that a move has made is another process.
    pub(super) former: Index<Pid, Pid>,
    /// The workers that have crashed, and how often lately.
    pub(super) crashes: BTreeMap<Name, Supervision>,
    pub(super) restarts: BTreeSet<(Instant, Name)>,
    /// Names that another node is to take over.
    pub(super) escalating: BTreeMap<Name, Escalating>,
    /// Names that were taken over.
    pub(super) adopted: BTreeMap<Name, Adopted>,
    /// Who waits for a process to end, by its pid.
    pub(super) ending: BTreeMap<Pid, BTreeSet<AskKey>>,
    /// Names whose process is being stopped: its restart policy does not apply.
    pub(super) stopping: BTreeSet<Name>,
}

impl Names {
    pub(super) fn new(policies: BTreeMap<String, Policy>) -> Self {
        Self { policies, ..Self::default() }
    }

    pub(super) fn is_starting(&self, name: &Name) -> bool {
        self.starting.contains_key(name)
    }

    /// The token that `name` is starting with.
    pub(super) fn starts_at(&self, name: &Name) -> Option<Token> {
        self.starts.get(self.starting.get(name)?).map(|start| start.token)
    }

    /// The start of `name`, where it is made for this very question.
    pub(super) fn start_for(&self, name: &Name, key: &AskKey) -> Option<u64> {
        let ticket = *self.starting.get(name)?;
        let is_for = |start: &Start| matches!(&start.cause, Cause::Asked(of, _) if of == key);
        self.starts.get(&ticket).is_some_and(is_for).then_some(ticket)
    }

    pub(super) fn lives(&self, pid: Pid) -> bool {
        self.alive.contains_key(&pid)
    }

    /// A question is answered when `pid` has ended.
    pub(super) fn tell_when_ended(&mut self, pid: Pid, key: AskKey) {
        self.ending.entry(pid).or_default().insert(key);
    }

    pub(super) fn next_restart(&self) -> Option<Instant> {
        self.restarts.first().map(|(at, _)| *at)
    }

    pub(super) fn stop_for_good(&mut self, name: &Name) {
        self.stopping.insert(name.clone());
    }

    pub(super) fn is_stopping(&self, name: &Name) -> bool {
        self.stopping.contains(name)
    }

    pub(super) fn forget_restart(&mut self, name: &Name) {
        self.restarts.retain(|(_, waiting)| waiting != name);
        self.stopping.remove(name);
        self.crashes.remove(name);
        self.escalating.remove(name);
        self.adopted.remove(name);
    }

    /// How many starts are under way.
    pub(super) fn starts(&self) -> usize {
        self.starts.len()
    }

    pub(super) fn begin(&mut self, start: Start) -> u64 {
        self.next_ticket += 1;
        if !matches!(start.cause, Cause::Standby(_)) {
            self.starting.insert(start.name.clone(), self.next_ticket);
        }
        self.starts.insert(self.next_ticket, start);
        self.next_ticket
    }

    /// Ends every start of a name in a scope, and returns them with their tickets.
    pub(super) fn end_all(&mut self, scope: &Scope) -> Vec<(u64, Start)> {
        let (ended, others) = std::mem::take(&mut self.starting)
            .into_iter()
            .partition(|(name, _)| scope.holds(name.as_bytes()));
        self.starting = others;
        let tickets = BTreeMap::into_values(ended);
        tickets.filter_map(|ticket| Some((ticket, self.starts.remove(&ticket)?))).collect()
    }

    pub(super) fn end(&mut self, ticket: u64) -> Option<Start> {
        let start = self.starts.remove(&ticket)?;
        if self.starting.get(&start.name) == Some(&ticket) {
            self.starting.remove(&start.name);
        }
        Some(start)
    }

    /// What becomes of a worker that has ended too often.
    pub(super) fn escalation(&self, kind: &str) -> Escalation {
        self.policies.get(kind).map_or_else(Escalation::default, |policy| policy.escalation)
    }

    /// What becomes of a worker that has ended now.
    pub(super) fn decide(
        &mut self,
        now: Instant,
        name: &Name,
        kind: &str,
        reason: &ExitReason,
    ) -> Decision {
        let Some(policy) = self.policies.get(kind).copied() else {
            return Decision::Done;
        };
        let fresh = || Supervision::new(policy.restart, policy.intensity);
        self.crashes.entry(name.clone()).or_insert_with(fresh).handle_exit(now, reason)
    }
}
