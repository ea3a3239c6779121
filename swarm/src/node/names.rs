//! The names that this node runs: starts, exits, restarts.

use super::asks::AskKey;
use super::event::{Command, Event, Mode, Policy};
use super::wire::{Outcome, What};
use super::{Kind, Node};
use crate::Event as Public;
use std::collections::{BTreeMap, BTreeSet};
use swarm_base::{Index, Instant, Name, Pid, Token};
use swarm_handoff::{MoveId, Role};
use swarm_process::{Decision, ExitReason, Supervision};
use swarm_registry::{At, Bytes, Claim, Fact, Request, Resolution, Spec, Why};

/// Groups, with what their member says of itself in each.
pub(super) type Groups = Vec<(Name, Bytes)>;

/// Why a worker is being started.
#[derive(Clone, Debug)]
pub(super) enum Cause {
    /// A `register` asked for it.
    Asked(AskKey, Request),
    /// Its node died.
    Orphan,
    /// It crashed here.
    Restart,
    /// It comes here from another node.
    Standby(MoveId),
    /// It was on its way to a node that died.
    Resumed,
}

/// A worker whose `start` runs.
#[derive(Clone, Debug)]
pub(super) struct Start {
    name: Name,
    spec: Spec,
    token: Token,
    groups: Groups,
    cause: Cause,
    /// Whether the log says that the name is starting here.
    logged: bool,
}

impl Start {
    /// What the log has to say of it, once.
    fn log(&mut self) -> Option<Fact> {
        if self.logged || matches!(self.cause, Cause::Standby(_) | Cause::Restart) {
            return None;
        }
        self.logged = true;
        let request = match &self.cause {
            Cause::Asked(_, request) => Some(*request),
            _ => None,
        };
        Some(Fact::Named(Claim {
            name: self.name.clone(),
            token: self.token,
            spec: Some(self.spec.clone()),
            at: At::Starting,
            request,
            groups: self.groups.clone(),
        }))
    }
}

/// What is known of the processes of this node beside their claims.
#[derive(Debug, Default)]
pub(super) struct Names {
    policies: BTreeMap<String, Policy>,
    starts: BTreeMap<u64, Start>,
    starting: BTreeMap<Name, u64>,
    next_ticket: u64,
    /// Processes that run here: what joins a group must be alive.
    alive: Index<Pid, ()>,
    /// The workers that have crashed, and how often lately.
    crashes: BTreeMap<Name, Supervision>,
    restarts: BTreeSet<(Instant, Name)>,
    /// Who waits for a process to end, by its pid.
    ending: BTreeMap<Pid, BTreeSet<AskKey>>,
    /// Names whose process is being stopped: its restart policy does not apply.
    stopping: BTreeSet<Name>,
}

impl Names {
    pub(super) fn new(policies: BTreeMap<String, Policy>) -> Self {
        Self { policies, ..Self::default() }
    }

    pub(super) fn is_starting(&self, name: &Name) -> bool {
        self.starting.contains_key(name)
    }

    /// The start of `name`, where it is made for this very question.
    fn start_for(&self, name: &Name, key: &AskKey) -> Option<u64> {
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
    }

    /// How many starts are under way.
    pub(super) fn starts(&self) -> usize {
        self.starts.len()
    }

    fn begin(&mut self, start: Start) -> u64 {
        self.next_ticket += 1;
        if !matches!(start.cause, Cause::Standby(_)) {
            self.starting.insert(start.name.clone(), self.next_ticket);
        }
        self.starts.insert(self.next_ticket, start);
        self.next_ticket
    }

    fn end(&mut self, ticket: u64) -> Option<Start> {
        let start = self.starts.remove(&ticket)?;
        if self.starting.get(&start.name) == Some(&ticket) {
            self.starting.remove(&start.name);
        }
        Some(start)
    }

    /// What becomes of a worker that has ended now.
    fn decide(&mut self, now: Instant, name: &Name, kind: &str, reason: &ExitReason) -> Decision {
        let Some((restart, intensity)) = self.policies.get(kind).copied() else {
            return Decision::Done;
        };
        let fresh = || Supervision::new(restart, intensity);
        self.crashes.entry(name.clone()).or_insert_with(fresh).handle_exit(now, reason)
    }
}

impl Node {
    /// A worker that the node asked to start has started, or could not.
    pub(crate) fn started(&mut self, now: Instant, ticket: u64, result: Result<Pid, String>) {
        self.touch(now);
        let Some(start) = self.names.end(ticket) else {
            // Nobody waits for it any more.
            if let Ok(pid) = result {
                self.command(Command::Stop { pid, how: super::Stop::Kill });
            }
            return;
        };
        match (result, start.cause.clone()) {
            (Ok(pid), Cause::Standby(id)) => {
                self.names.alive.insert(pid, ());
                self.standby_built(now, id, pid);
            }
            (Err(reason), Cause::Standby(id)) => self.standby_failed(now, id, reason),
            (Ok(pid), _) => {
                self.names.alive.insert(pid, ());
                self.runs(now, &start, pid);
            }
            (Err(reason), _) => self.start_failed(now, &start, reason),
        }
        self.reconsider(now, &start.name);
    }

    /// A process without a name was spawned here.
    pub(crate) fn spawned(&mut self, now: Instant, pid: Pid) {
        self.names.alive.insert(pid, ());
        self.touch(now);
    }

    /// A process of this node joins a group.
    pub(crate) fn join(&mut self, now: Instant, pid: Pid, group: Name) {
        if self.names.lives(pid) {
            self.registry.append(now, Fact::Joined { group, pid, meta: Bytes::default() });
            self.touch(now);
        }
    }

    /// A process of this node leaves a group.
    pub(crate) fn leave(&mut self, now: Instant, pid: Pid, group: Name) {
        self.registry.append(now, Fact::Left { group, pid });
        self.touch(now);
    }

    /// The worker of `start` runs: its claim is logged, and with it the groups it had before.
    fn runs(&mut self, now: Instant, start: &Start, pid: Pid) {
        let request = match &start.cause {
            Cause::Asked(_, request) => Some(*request),
            _ => None,
        };
        let position = self.claim(
            now,
            start.name.clone(),
            &start.spec,
            start.token,
            pid,
            request,
            &start.groups,
        );
        let name = start.name.clone();
        match &start.cause {
            Cause::Asked(key, _) => {
                let at = Some((self.me.clone(), position));
                self.answer(now, key, Outcome::Registered(pid, start.token), at);
                self.tell(Public::NameRegistered { name, pid });
            }
            Cause::Orphan | Cause::Restart | Cause::Resumed => {
                self.tell(Public::NameRestarted { name, pid });
            }
            Cause::Standby(_) => (),
        }
    }

    /// Logs that `pid` runs `name`, and joins its groups, in one batch.
    #[expect(clippy::too_many_arguments, reason = "they are the fields of one claim")]
    pub(super) fn claim(
        &mut self,
        now: Instant,
        name: Name,
        spec: &Spec,
        token: Token,
        pid: Pid,
        request: Option<Request>,
        groups: &[(Name, Bytes)],
    ) -> u64 {
        self.reconciler.mark(name.clone());
        // Another process: what was said of the last one is forgotten, and by it about moves.
        self.names.stopping.remove(&name);
        self.moves.forget(&name);
        let request = request.or_else(|| self.request_of(&name));
        let claim = Claim {
            name,
            token,
            spec: Some(spec.clone()),
            at: At::Running(pid),
            request,
            groups: Vec::new(),
        };
        let joins = groups.iter().map(|(group, meta)| Fact::Joined {
            group: group.clone(),
            pid,
            meta: meta.clone(),
        });
        let facts: Vec<_> = std::iter::once(Fact::Named(claim)).chain(joins).collect();
        self.registry.append_all(now, facts)
    }

    /// The `register` that the name came from: it follows the name from claim to claim, so that
    /// whoever asks again learns that it was done.
    fn request_of(&self, name: &Name) -> Option<Request> {
        match self.registry.resolve(name) {
            Resolution::Held { claim, .. } | Resolution::Orphan { claim, .. } => claim.request,
            Resolution::Free | Resolution::Pending { .. } => None,
        }
    }

    fn start_failed(&mut self, now: Instant, start: &Start, reason: String) {
        let name = &start.name;
        match &start.cause {
            Cause::Asked(key, _) => {
                if start.logged {
                    self.end_claim(now, name, start.token);
                }
                self.answer(now, key, Outcome::StartFailed(reason), None);
            }
            _ => {
                let reason = ExitReason::StartFailed { message: reason };
                self.ended(now, name, &start.spec, start.token, &start.groups, &reason);
            }
        }
    }

    /// A process has ended.
    pub(crate) fn exited(&mut self, now: Instant, pid: Pid, reason: &ExitReason) {
        self.touch(now);
        self.names.alive.swap_remove(&pid);
        for key in self.names.ending.remove(&pid).unwrap_or_default() {
            self.answer(now, &key, Outcome::Done, None);
        }
        self.standby_exited(now, pid, reason);
        if self.is_closing {
            return;
        }
        let groups: Groups = self.registry.memberships(&self.me, pid).collect();
        let names: Vec<Name> = self.registry.pid_names(pid).cloned().collect();
        // Its move decides what becomes of its name, and of its groups with it.
        if *reason == ExitReason::Moved && !names.is_empty() {
            return;
        }
        for name in &names {
            self.name_lost_its_process(now, name, pid, reason, &groups);
        }
        if !names.is_empty() || !groups.is_empty() {
            self.registry.append(now, Fact::Exited { pid });
        }
    }

    fn name_lost_its_process(
        &mut self,
        now: Instant,
        name: &Name,
        pid: Pid,
        reason: &ExitReason,
        groups: &[(Name, Bytes)],
    ) {
        let Some(claim) = self.registry.own(name).cloned() else { return };
        if let Some(Role::Source { id, .. }) = self.moves.of(name) {
            self.moves.exited(now, id);
        }
        self.conflicts.forget(name);
        if self.names.stopping.contains(name) {
            self.released(now, name, claim.token);
        } else if let Some(spec) = &claim.spec {
            self.ended(now, name, spec, claim.token, groups, reason);
        }
        if self.registry.own(name).is_none() {
            self.tell(Public::NameReleased { name: name.clone(), pid });
        }
        self.reconsider(now, name);
    }

    /// A worker has ended, or could not be started again: it is tried again after a while, or its
    /// name is released.
    fn ended(
        &mut self,
        now: Instant,
        name: &Name,
        spec: &Spec,
        token: Token,
        groups: &[(Name, Bytes)],
        reason: &ExitReason,
    ) {
        match self.names.decide(now, name, &spec.kind, reason) {
            Decision::Restart { after } => {
                let request = self.request_of(name);
                self.registry.append(
                    now,
                    Fact::Named(Claim {
                        name: name.clone(),
                        token,
                        spec: Some(spec.clone()),
                        at: At::Waiting,
                        request,
                        groups: groups.to_vec(),
                    }),
                );
                self.names.restarts.insert((now + after, name.clone()));
            }
            Decision::Done => self.released(now, name, token),
            Decision::GiveUp => {
                self.released(now, name, token);
                let reason = reason.to_string();
                self.tell(Public::NameLost { name: name.clone(), reason });
            }
        }
    }

    /// The name is free, and those who stopped it learn that it is.
    pub(super) fn released(&mut self, now: Instant, name: &Name, token: Token) {
        let position = self.end_for_good(now, name, token);
        for key in self.asks.stopping(name) {
            let at = Some((self.me.clone(), position));
            self.answer(now, &key, Outcome::Done, at);
        }
    }

    /// The name is free: no claim with this token or a lower one brings it back, and none of a dead
    /// node that is known here.
    pub(super) fn end_for_good(&mut self, now: Instant, name: &Name, token: Token) -> u64 {
        let highest = self.registry.highest(name).unwrap_or_default();
        self.end_claim(now, name, token.max(highest))
    }

    fn end_claim(&mut self, now: Instant, name: &Name, token: Token) -> u64 {
        self.names.forget_restart(name);
        let ended = Fact::Ended { name: name.clone(), token, why: Why::Stopped };
        // A process that a move has ended is in its groups until its claim is.
        let pid = self.registry.own(name).and_then(Claim::pid);
        let exited = pid.filter(|pid| !self.names.lives(*pid)).map(|pid| Fact::Exited { pid });
        self.registry.append_all(now, [ended].into_iter().chain(exited))
    }

    /// Starts the workers whose backoff is over.
    pub(super) fn restart_due(&mut self, now: Instant) {
        while self.names.next_restart().is_some_and(|at| at <= now) {
            let Some((_, name)) = self.names.restarts.pop_first() else { return };
            let Some(claim) = self.registry.own(&name).cloned() else { continue };
            let (At::Waiting, Some(spec)) = (&claim.at, claim.spec) else { continue };
            let token = self.next_token(&name);
            self.start(name, spec, token, claim.groups, Cause::Restart, Mode::Fresh);
        }
    }

    /// Starts the worker that a `register` asked for.
    pub(super) fn start_for(&mut self, name: &Name, spec: &Spec, key: AskKey) {
        let request = Request { boot: key.0, id: key.1 };
        let token = self.next_token(name);
        let cause = Cause::Asked(key, request);
        self.start(name.clone(), spec.clone(), token, Vec::new(), cause, Mode::Fresh);
    }

    /// Starts a name whose node is dead.
    pub(super) fn start_orphan(&mut self, name: &Name) {
        if self.names.is_starting(name) {
            return;
        }
        let Resolution::Orphan { node, claim } = self.registry.resolve(name) else { return };
        let Some(spec) = claim.spec.clone() else { return };
        let mut groups: BTreeMap<Name, Bytes> = claim.groups.iter().cloned().collect();
        if let Some(pid) = claim.pid() {
            groups.extend(self.registry.memberships(node, pid));
        }
        let groups = groups.into_iter().collect();
        let token = self.next_token(name);
        self.start(name.clone(), spec, token, groups, Cause::Orphan, Mode::Fresh);
    }

    /// Commands a start.
    pub(super) fn start(
        &mut self,
        name: Name,
        spec: Spec,
        token: Token,
        groups: Groups,
        cause: Cause,
        mode: Mode,
    ) {
        let (kind, args): (Kind, Vec<u8>) = (spec.kind.clone(), spec.args.to_vec());
        let ticket = self.names.begin(Start {
            name: name.clone(),
            spec,
            token,
            groups,
            cause,
            logged: false,
        });
        self.command(Command::Start { ticket, name, kind, args, token, mode });
    }

    /// Logs the names that are starting here, so that a node that owns them next waits for them.
    pub(super) fn log_starts(&mut self, now: Instant) {
        let mut facts = Vec::new();
        for start in self.names.starts.values_mut() {
            facts.extend(start.log());
        }
        if !facts.is_empty() {
            self.registry.append_all(now, facts);
        }
    }

    /// Logs that `name` is starting here.
    pub(super) fn log_start_of(&mut self, now: Instant, name: &Name) {
        let Some(ticket) = self.names.starting.get(name) else { return };
        let start = self.names.starts.get_mut(ticket);
        if let Some(fact) = start.and_then(Start::log) {
            self.registry.append(now, fact);
        }
    }

    /// A token above every one that this node has seen for `name`.
    pub(super) fn next_token(&self, name: &Name) -> Token {
        Token::new(self.registry.epoch(name) + 1, self.me.boot)
    }

    /// The claim that this name is being started for is over: the start is, too, and so is a
    /// restart that is to come.
    pub(super) fn abandon_name(&mut self, now: Instant, name: &Name) {
        self.names.forget_restart(name);
        let Some(ticket) = self.names.starting.get(name).copied() else { return };
        let Some(start) = self.names.end(ticket) else { return };
        self.command(Command::Abandon { ticket });
        if let Cause::Asked(key, _) = start.cause {
            let reason = "it was stopped while it started".to_owned();
            self.answer(now, &key, Outcome::StartFailed(reason), None);
        }
    }

    /// The `register` that this start is for is over: the start is, too.
    pub(super) fn abandon_start_of(&mut self, now: Instant, key: &AskKey) {
        // Wherever the question is by now: one that was asked twice is parked behind its own start.
        let Some(What::Register { name, .. }) = self.asks.get(key).map(|open| &open.ask.what)
        else {
            return;
        };
        let Some(ticket) = self.names.start_for(name, key) else { return };
        let Some(start) = self.names.end(ticket) else { return };
        if start.logged {
            self.end_claim(now, &start.name, start.token);
        }
        self.emit(Event::Process(Command::Abandon { ticket }));
        // Those that waited behind it, but not the one whose time is over.
        for waiting in self.asks.parked_on(&start.name) {
            if waiting != *key {
                self.consider(now, &waiting);
            }
        }
    }
}
