//! Workers that are started here, and the claims that they get.

use super::asks::AskKey;
use super::event::{Command, Event, Mode};
use super::exits::Vacant;
use super::names::{Cause, Groups, Start};
use super::wire::{Outcome, What};
use super::{Kind, Node};
use crate::Event as Public;
use std::collections::BTreeMap;
use swarm_base::{Instant, Name, Pid, Token};
use swarm_process::ExitReason;
use swarm_registry::{At, Bytes, Claim, Fact, Request, Resolution, Spec};

impl Node {
    /// A worker that the node asked to start has started, or could not.
    pub(crate) fn started(&mut self, now: Instant, ticket: u64, result: Result<Pid, String>) {
        self.touch(now);
        let Some(start) = self.names.end(ticket) else {
            // Nobody waits for it any more.
            self.late.is_over(ticket);
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
        if !self.names.lives(pid) {
            return;
        }
        if !self.registry.may_join(pid, &group) {
            let max = self.registry.config().groups_max;
            return tracing::warn!(%pid, %group, max, "not joined: it is in as many groups as may be");
        }
        self.registry.append(now, Fact::Joined { group, pid, meta: Bytes::default() });
        self.touch(now);
    }

    /// A process of this node leaves a group.
    pub(crate) fn leave(&mut self, now: Instant, pid: Pid, group: Name) {
        self.registry.append(now, Fact::Left { group, pid });
        self.touch(now);
    }

    /// The worker of `start` runs: its claim is logged, and with it the groups it had before.
    pub(super) fn runs(&mut self, now: Instant, start: &Start, pid: Pid) {
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
                self.answer(now, key, Outcome::Registered, at);
                self.tell(Public::NameRegistered { name, pid });
            }
            Cause::Orphan(former) => {
                if let Some(former) = former {
                    self.names.former.insert(pid, *former);
                }
                self.tell(Public::NameRestarted { name, pid });
            }
            Cause::Restart | Cause::Resumed | Cause::Adopted => {
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
        let meta = self.registry.name_meta(&name).unwrap_or_default();
        let spec = Some(spec.clone());
        let claim = Claim { spec, request, meta, ..Claim::new(name, token, At::Running(pid)) };
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
    pub(super) fn request_of(&self, name: &Name) -> Option<Request> {
        match self.registry.resolve(name) {
            Resolution::Held { claim, .. } | Resolution::Orphan { claim, .. } => claim.request,
            Resolution::Free | Resolution::Pending { .. } => None,
        }
    }

    pub(super) fn start_failed(&mut self, now: Instant, start: &Start, reason: String) {
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
                let Start { spec, token, groups, .. } = start;
                self.ended(now, Vacant { name, spec, token: *token, groups }, &reason);
            }
        }
    }

    /// Starts the workers whose backoff is over.
    pub(super) fn restart_due(&mut self, now: Instant) {
        while self.names.next_restart().is_some_and(|at| at <= now) {
            let Some((_, name)) = self.names.restarts.pop_first() else { return };
            if self.awaits_adoption(now, &name) {
                continue;
            }
            let Some(claim) = self.registry.own(&name) else { continue };
            let (At::Waiting, Some(spec)) = (&claim.at, claim.spec) else { continue };
            let token = self.next_token(&name);
            self.start(name, spec, token, claim.groups, Cause::Restart, Mode::Fresh);
        }
    }

    /// Starts the worker that a `register` asked for.
    pub(super) fn start_for(&mut self, name: &Name, spec: &Spec, key: AskKey) {
        let request = Request::new(key.0, key.1);
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
        let (groups, cause) = (groups.into_iter().collect(), Cause::Orphan(claim.pid()));
        let token = self.next_token(name);
        self.start(name.clone(), spec, token, groups, cause, Mode::Fresh);
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
            facts.extend(start.log(&self.registry));
        }
        if !facts.is_empty() {
            self.registry.append_all(now, facts);
        }
    }

    /// Logs that `name` is starting here.
    pub(super) fn log_start_of(&mut self, now: Instant, name: &Name) {
        let Some(ticket) = self.names.starting.get(name) else { return };
        let start = self.names.starts.get_mut(ticket);
        if let Some(fact) = start.and_then(|start| start.log(&self.registry)) {
            self.registry.append(now, fact);
        }
    }

    /// A token above every one that this node has seen for `name`.
    pub(super) fn next_token(&self, name: &Name) -> Token {
        Token::new(self.registry.next_epoch(name), self.me.boot)
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
        self.late.end(now, &start.name, ticket);
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
