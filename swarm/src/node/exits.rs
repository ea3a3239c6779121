//! Processes that have ended, and what becomes of their names.

use super::Node;
use super::names::Groups;
use super::wire::Outcome;
use crate::{Escalation, Event as Public};
use swarm_base::{Instant, Name, Pid, Token};
use swarm_handoff::Role;
use swarm_process::{Decision, ExitReason};
use swarm_registry::{At, Bytes, Claim, Fact, Spec, Why};

/// A name that has no process any more, and what it is started from again.
#[derive(Clone, Copy)]
pub(super) struct Vacant<'a> {
    pub(super) name: &'a Name,
    pub(super) spec: &'a Spec,
    /// That of its last process.
    pub(super) token: Token,
    pub(super) groups: &'a [(Name, Bytes)],
}

impl Node {
    /// A process has ended.
    pub(crate) fn exited(&mut self, now: Instant, pid: Pid, reason: &ExitReason) {
        self.touch(now);
        self.names.alive.swap_remove(&pid);
        self.names.former.swap_remove(&pid);
        for key in self.names.ending.remove(&pid).unwrap_or_default() {
            self.answer(now, &key, Outcome::Done, None);
        }
        self.standby_exited(now, pid, reason);
        self.suspended_ended(now);
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

    pub(super) fn name_lost_its_process(
        &mut self,
        now: Instant,
        name: &Name,
        pid: Pid,
        reason: &ExitReason,
        groups: &[(Name, Bytes)],
    ) {
        let Some(claim) = self.registry.own(name) else { return };
        if let Some(Role::Source { id, .. }) = self.moves.of(name) {
            self.moves.exited(now, id);
        }
        self.winner_ended(name);
        self.conflicts.forget(name);
        if self.names.stopping.contains(name) {
            self.released(now, name, claim.token);
        } else if let Some(spec) = &claim.spec {
            let vacant = Vacant { name, spec, token: claim.token, groups };
            match self.is_suspended(name) {
                true => self.wait(now, vacant),
                false => self.ended(now, vacant, reason),
            }
        }
        if self.registry.own(name).is_none() {
            self.tell(Public::NameReleased { name: name.clone(), pid });
        }
        self.reconsider(now, name);
    }

    /// A worker has ended, or could not be started again: it is tried again after a while, or its
    /// name is released.
    pub(super) fn ended(&mut self, now: Instant, vacant: Vacant<'_>, reason: &ExitReason) {
        let Vacant { name, spec, token, .. } = vacant;
        match self.names.decide(now, name, &spec.kind, reason) {
            Decision::Restart { after } => {
                self.wait_for_restart(now, vacant, now + after);
            }
            Decision::Done => self.released(now, name, token),
            Decision::GiveUp
                if self.names.escalation(&spec.kind) == Escalation::Move
                    && self.escalate(now, vacant, reason) => {}
            Decision::GiveUp => {
                self.released(now, name, token);
                let reason = reason.to_string();
                self.tell(Public::NameLost { name: name.clone(), reason });
            }
        }
    }

    /// Keeps a name that has no process, and starts it here again at that moment.
    pub(super) fn wait_for_restart(&mut self, now: Instant, vacant: Vacant<'_>, at: Instant) {
        self.wait(now, vacant);
        self.names.restarts.insert((at, vacant.name.clone()));
    }

    /// Keeps a name that has no process.
    fn wait(&mut self, now: Instant, vacant: Vacant<'_>) {
        let Vacant { name, spec, token, groups } = vacant;
        let claim = Claim {
            spec: Some(spec.clone()),
            request: self.request_of(name),
            meta: self.registry.name_meta(name).unwrap_or_default(),
            groups: groups.to_vec(),
            ..Claim::new(name.clone(), token, At::Waiting)
        };
        self.registry.append(now, Fact::Named(claim));
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

    pub(super) fn end_claim(&mut self, now: Instant, name: &Name, token: Token) -> u64 {
        self.names.forget_restart(name);
        let ended = Fact::Ended { name: name.clone(), token, why: Why::Stopped };
        // A process that a move has ended is in its groups until its claim is.
        let pid = self.registry.own(name).and_then(|claim| claim.pid());
        let exited = pid.filter(|pid| !self.names.lives(*pid)).map(|pid| Fact::Exited { pid });
        self.registry.append_all(now, [ended].into_iter().chain(exited))
    }
}
