//! Who gets a name: questions that register a worker or a process.

use super::asks::{AskKey, Place};
use super::wire::{Ask, Outcome};
use super::{Node, Owner};
use swarm_base::{Instant, Name, NodeId, Pid};
use swarm_process::Stage;
use swarm_registry::{At, Claim, Fact, Resolution, Spec};

impl Node {
    pub(super) fn consider_register(
        &mut self,
        now: Instant,
        key: &AskKey,
        ask: &Ask,
        name: &Name,
        spec: &Spec,
    ) {
        match self.registry.resolve(name) {
            Resolution::Held { claim, .. }
                if claim.pid().is_none() && self.is_below_quorum(name) =>
            {
                self.answer(now, key, Outcome::NoNode, None);
            }
            Resolution::Orphan { .. } | Resolution::Pending { .. } | Resolution::Free
                if self.is_below_quorum(name) =>
            {
                self.answer(now, key, Outcome::NoNode, None);
            }
            Resolution::Orphan { .. } | Resolution::Pending { .. } | Resolution::Free
                if self.awaits_quorum(name) =>
            {
                self.asks.put(key, Place::Parked(Stage::Resolve));
            }
            Resolution::Held { node, claim } => {
                let node = node.clone();
                let at = Some((node.clone(), self.registry.position(&node)));
                match claim.pid() {
                    // The first answer was lost: this is the start that the asker asked for.
                    Some(_) if claim.request == Some(ask.request()) => {
                        self.answer(now, key, Outcome::Registered, at);
                    }
                    Some(pid) => {
                        let kind = claim.spec.map(|spec| spec.kind);
                        self.answer(now, key, Outcome::Already(pid, kind), at);
                    }
                    None => self.asks.put(key, Place::Parked(Stage::Running)),
                }
            }
            // It will run again here or elsewhere, and then the name is taken.
            Resolution::Orphan { .. } => {
                self.reconciler.mark(name.clone());
                self.pass_on(now, key, self.owner_of(&spec.kind, name));
            }
            Resolution::Pending { .. } => self.asks.put(key, Place::Parked(Stage::Resolve)),
            Resolution::Free => match self.owner_of(&spec.kind, name) {
                Owner::Node(owner) => self.register_at(now, key, ask, name, spec, owner),
                Owner::Nobody => self.pass_on(now, key, Owner::Nobody),
            },
        }
    }

    /// Registers a worker at `owner`. Where its name belongs to different nodes by different
    /// kinds, one of these lets one of several through.
    pub(super) fn register_at(
        &mut self,
        now: Instant,
        key: &AskKey,
        ask: &Ask,
        name: &Name,
        spec: &Spec,
        owner: NodeId,
    ) {
        let gate = if ask.is_reserved { owner.clone() } else { self.gate_of(name) };
        if gate != owner {
            if gate != self.me {
                return self.pass_on(now, key, Owner::Node(gate));
            }
            if !self.may_let_through(key, name) {
                return;
            }
            self.let_through(now, key, name);
        }
        if owner != self.me {
            return self.pass_on(now, key, Owner::Node(owner));
        }
        self.register_here(now, key, name, spec);
        if ask.is_reserved {
            // Who let it through sees that it starts, for as long as that takes.
            self.log_start_of(now, name);
        }
    }

    pub(super) fn register_here(&mut self, now: Instant, key: &AskKey, name: &Name, spec: &Spec) {
        if self.leaving.is_leaving() || self.is_closing {
            return self.decline(now, key);
        }
        if self.names.is_starting(name) || self.reserved.is_for_other(name, key) {
            return self.asks.put(key, Place::Parked(Stage::Running));
        }
        if !self.may_own(name) {
            return self.asks.put(key, Place::Parked(Stage::Resolve));
        }
        if self.registry.is_full() {
            return self.answer_full(now, key);
        }
        self.asks.put(key, Place::Starting);
        self.start_for(name, spec, *key);
    }

    /// Starts nothing, since this node is on its way out. That is no answer to another node, whose
    /// ring has other owners, or soon will: it asks again when it knows.
    fn decline(&mut self, now: Instant, key: &AskKey) {
        if self.asks.get(key).is_some_and(|open| open.ask.origin != self.me) {
            self.asks.remove(key);
            return;
        }
        self.answer(now, key, Outcome::NoNode, None);
    }

    fn answer_full(&mut self, now: Instant, key: &AskKey) {
        let max = self.registry.config().names_max as u64;
        self.answer(now, key, Outcome::Full(max), None);
    }

    /// Lets one of several through that want the same name for a process, and passes it on to the
    /// node of the process.
    pub(super) fn consider_gate(&mut self, now: Instant, key: &AskKey, name: &Name, pid: Pid) {
        let gate = self.gate_of(name);
        if gate != self.me {
            return self.pass_on(now, key, Owner::Node(gate));
        }
        if matches!(self.registry.resolve(name), Resolution::Free) {
            if !self.may_let_through(key, name) {
                return;
            }
            if pid.boot != self.me.boot {
                self.let_through(now, key, name);
                return self.pass_to_boot(now, key, pid);
            }
        }
        self.consider_pid(now, key, name, pid);
    }

    /// Whether this node may let a question through to `name`, which is free; parks it otherwise.
    pub(super) fn may_let_through(&mut self, key: &AskKey, name: &Name) -> bool {
        let stage = if self.names.is_starting(name) || self.reserved.is_for_other(name, key) {
            Stage::Running
        } else if !self.may_decide() {
            Stage::Resolve
        } else {
            return true;
        };
        self.asks.put(key, Place::Parked(stage));
        false
    }

    /// Lets a question through to `name`, and no other until what comes of it is seen here.
    pub(super) fn let_through(&mut self, now: Instant, key: &AskKey, name: &Name) {
        self.reserve(now, name, *key);
        self.asks.set_reserved(key);
    }

    pub(super) fn consider_pid(&mut self, now: Instant, key: &AskKey, name: &Name, pid: Pid) {
        match self.registry.resolve(name) {
            Resolution::Held { node, claim } => {
                let at = Some((node.clone(), self.registry.position(node)));
                match (claim.pid(), claim.spec.as_ref().map(|spec| spec.kind.clone())) {
                    (Some(held), _) if held == pid => {
                        self.answer(now, key, Outcome::Registered, at);
                    }
                    (Some(held), kind) => self.answer(now, key, Outcome::Already(held, kind), at),
                    (None, _) => self.asks.put(key, Place::Parked(Stage::Running)),
                }
            }
            Resolution::Orphan { .. } | Resolution::Pending { .. } => {
                self.asks.put(key, Place::Parked(Stage::Resolve));
            }
            Resolution::Free if self.names.is_starting(name) => {
                self.asks.put(key, Place::Parked(Stage::Running));
            }
            Resolution::Free if pid.boot != self.me.boot => self.pass_to_boot(now, key, pid),
            // A claim of a process that has ended would never end.
            Resolution::Free if !self.names.lives(pid) => {
                self.answer(now, key, Outcome::NotFound, None);
            }
            Resolution::Free if self.registry.is_full() => self.answer_full(now, key),
            Resolution::Free => {
                let token = self.next_token(name);
                let position = self.registry.append(
                    now,
                    // Of no request: a retry names the same process, and gets `Ok` by that.
                    Fact::Named(Claim::new(name.clone(), token, At::Running(pid))),
                );
                let at = Some((self.me.clone(), position));
                self.answer(now, key, Outcome::Registered, at);
            }
        }
    }
}
