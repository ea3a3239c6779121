//! Moves: what the protocol asks of this node, as source and as target.
//!
//! Where a name goes is in the source's log before the target hears of it, and there it decides
//! once the source is dead: only the move that the log ends in may be run from its standby, and a
//! commit that comes after the log was closed is too late (ownership, consequence 1). Else the
//! target runs the name by a commit that was under way when its source died, while the ring's
//! owner starts it from the spec.
//!
//! Who learns of a token above its own on a claim that is gone claims the name anew above that
//! (ownership, R5). A process that was held dead by mistake, and is the one that is left, would
//! else go on with a token below that of the copy which has ended, and be refused by whoever
//! fences with tokens.

use super::Node;
use super::event::{Command, Freeze, Frozen};
use super::resuming::Resuming;
use crate::Event as Public;
use swarm_base::{Instant, Name, NodeId, Pid, Token};
use swarm_handoff::{MoveEvent, MoveId, MoveOutcome, Offer, Promoted, Role, SourcePhase};
use swarm_registry::{At, Claim, Event as Fresh, Fact, Resolution, State, Why};

impl Node {
    pub(super) fn on_fact(&mut self, now: Instant, event: Fresh) {
        match &event {
            Fresh::Changed { name, now: pid, token, state, kind, .. } => {
                let (name, pid, token) = (name.clone(), *pid, *token);
                if self.is_to_look_at(*state, pid, kind.is_some()) {
                    self.reconciler.mark(name.clone());
                }
                if *state == State::Held {
                    self.reserved.remove(&name);
                }
                self.conflict_changed(now, &name);
                self.claim_seen(now, &name, pid, token);
                self.claim_above(now, &name);
                self.reconsider(now, &name);
            }
            Fresh::Conflict { name } => {
                let name = name.clone();
                self.on_conflict(now, &name);
            }
            Fresh::Applied { log, position } => self.release_held(now, log, *position),
            _ => (),
        }
        self.emit(super::Event::Facts(event));
    }

    /// Whether a name that has changed may be something for the reconciler: not where it is free,
    /// another node's business, or a process's by its pid, which stays where it is.
    fn is_to_look_at(&self, state: State, pid: Option<Pid>, is_placed: bool) -> bool {
        match state {
            State::Free => false,
            State::Held => is_placed && pid.is_none_or(|pid| pid.boot == self.me.boot),
            State::Orphan | State::Pending => true,
        }
    }

    /// A claim of the target of a move counts as its acknowledgement, also where it has ended since:
    /// what comes of the name is the target's to say.
    fn claim_seen(&mut self, now: Instant, name: &Name, pid: Option<Pid>, token: Token) {
        let Some(pid) = pid else { return };
        let Some(Role::Source { to, .. }) = self.moves.of(name) else { return };
        if pid.boot == to.boot {
            let position = self.registry.position(&to);
            self.moves.claim_seen(now, name, &to, Promoted { token, position });
        }
    }

    /// The survivor of a conflict, or of a false death, holds the highest token that is known: a
    /// process that learns of a higher one on a claim that is gone claims itself anew, above it.
    fn claim_above(&mut self, now: Instant, name: &Name) {
        let Resolution::Held { node, claim } = self.registry.resolve(name) else { return };
        if *node != self.me || self.registry.highest(name) <= Some(claim.token) {
            return;
        }
        let At::Running(pid) = claim.at else { return };
        self.claim_anew(now, pid, claim);
    }

    /// The process of a claim claims its name anew, above all that is known.
    pub(super) fn claim_anew(&mut self, now: Instant, pid: Pid, claim: Claim) {
        let token = self.next_token(&claim.name);
        self.registry.append(now, Fact::Named(Claim { token, ..claim }));
        self.command(Command::Retoken { pid, token });
    }

    pub(super) fn on_move(&mut self, now: Instant, event: MoveEvent) {
        match event {
            MoveEvent::Freeze { id, name } => match self.running(&name) {
                Some(pid) => {
                    self.tell(Public::MoveBegun { name: name.clone() });
                    self.command(Command::Freeze { freeze: Freeze::Move(id, name), pid });
                }
                None => self.moves.exited(now, id),
            },
            MoveEvent::LogMoving { id, name, to } => {
                if let Some(claim) = self.registry.own(&name)
                    && let Some(pid) = claim.pid()
                {
                    let at = At::Moving { pid, to, id: id.serial };
                    self.registry.append(now, Fact::Named(Claim { at, ..claim }));
                }
            }
            MoveEvent::Thaw { name, .. } => self.thaw(now, &name),
            MoveEvent::Stop { id, name } => {
                let claim = self.registry.own(&name);
                match claim.map(|claim| claim.at) {
                    Some(At::Moving { pid, to, .. }) => {
                        self.command(Command::Take { id, pid, name, to });
                    }
                    _ => self.moves.exited(now, id),
                }
            }
            MoveEvent::Moved { id, name, to, token, .. } => {
                self.standbys.sent.insert(id, to.clone());
                self.moved(now, id, &name, to, token);
            }
            MoveEvent::Resume { id, name, above, offer, mails } => {
                self.resuming.push(Resuming { id, name, above, offer, mails });
                self.resume_waiting(now);
            }
            MoveEvent::Build { id, offer, .. } => self.build(now, id, offer),
            MoveEvent::Promote { id, name, token, mails } => {
                let mails = mails.into_iter().map(Vec::from).collect();
                self.promote(now, id, &name, token, mails);
            }
            MoveEvent::Discard { id, .. } => self.discard(id),
            MoveEvent::SourceDied { id, name } => self.source_died(now, id, name),
            MoveEvent::Deliver { name, mails, .. } => {
                if let Some(pid) = self.running(&name) {
                    let mails = mails.into_iter().map(Vec::from).collect();
                    self.command(Command::Deliver { pid, mails });
                }
            }
            MoveEvent::Ended { id, name, outcome, took } => {
                self.reconciler.mark(name.clone());
                self.plan_at = Some(now);
                self.reconsider(now, &name);
                let to = self.standbys.sent.remove(&id);
                self.tell(match (outcome, to) {
                    (MoveOutcome::Moved | MoveOutcome::Restarted, Some(to)) => {
                        Public::NameMoved { name, to, took }
                    }
                    (other, _) => Public::MoveEnded { name, outcome: other.to_string(), took },
                });
            }
        }
    }

    /// Whether the process of `name` is frozen for a move, and what it takes along has been said.
    pub(super) fn is_offered(&self, name: &Name) -> bool {
        matches!(
            self.moves.of(name),
            Some(Role::Source { phase, .. }) if phase != SourcePhase::Freezing
        )
    }

    /// The process of `name` that runs here.
    fn running(&self, name: &Name) -> Option<Pid> {
        match self.registry.own(name)?.at {
            At::Running(pid) => Some(pid),
            _ => None,
        }
    }

    /// A frozen process goes on.
    pub(super) fn thaw(&mut self, now: Instant, name: &Name) {
        let Some(claim) = self.registry.own(name) else { return };
        let Some(pid) = claim.pid() else { return };
        if matches!(claim.at, At::Moving { .. }) {
            self.registry.append(now, Fact::Named(Claim { at: At::Running(pid), ..claim }));
        }
        self.command(Command::Thaw { pid });
    }

    /// The process has stopped handling messages, and says what is to become of it.
    pub(crate) fn frozen(&mut self, now: Instant, freeze: &Freeze, frozen: Frozen) {
        self.touch(now);
        match freeze {
            Freeze::Move(id, name) => {
                let outcome = match frozen {
                    Frozen::Ignore => swarm_handoff::Frozen::Ignore,
                    Frozen::Failed(reason) => swarm_handoff::Frozen::Failed(reason),
                    Frozen::Restart => self.offer(name, None),
                    Frozen::Resume(state) => self.offer(name, Some(state)),
                };
                self.moves.frozen(now, *id, outcome);
            }
            Freeze::Conflict(name, round) => self.loser_frozen(now, name, *round, frozen),
        }
    }

    fn offer(&self, name: &Name, state: Option<Vec<u8>>) -> swarm_handoff::Frozen {
        let own = self.registry.own(name);
        let Some((claim, spec)) =
            own.as_ref().and_then(|claim| Some((claim, claim.spec.as_ref()?)))
        else {
            return swarm_handoff::Frozen::Failed("the name is gone".to_owned());
        };
        let joined = claim.pid().into_iter().flat_map(|pid| {
            self.registry.memberships(&self.me, pid).map(|(g, m)| (g, m.to_vec().into()))
        });
        swarm_handoff::Frozen::Ready(Offer {
            name: name.clone(),
            kind: spec.kind.clone(),
            args: spec.args.to_vec().into(),
            token: claim.token,
            groups: joined.collect(),
            state: state.map(Into::into),
        })
    }

    /// The old process has ended; these are the messages that it had not handled.
    pub(crate) fn taken(&mut self, now: Instant, id: MoveId, name: &Name, mails: Vec<Vec<u8>>) {
        self.touch(now);
        let next = self.next_token(name);
        let mails = mails.into_iter().map(Into::into).collect();
        self.moves.stopped(now, id, next, mails);
    }

    /// This node's claim on `name`, if it still says that the name is on this move: otherwise what
    /// comes of the move comes too late.
    pub(super) fn claim_of_move(&self, id: MoveId, name: &Name) -> Option<Claim> {
        self.registry.own(name).filter(|claim| target_of(claim, id).is_some())
    }

    /// The source of a standby died before its commit came. What it logged last decides, once the
    /// nodes agree on who is there: until then the move asks again.
    fn source_died(&mut self, now: Instant, id: MoveId, name: Name) {
        if !self.may_own(&name) {
            return;
        }
        let is_ours = match self.registry.resolve(&name) {
            Resolution::Orphan { node, claim } => {
                node.boot == id.source && target_of(&claim, id) == Some(&self.me)
            }
            _ => false,
        };
        if is_ours {
            self.reconciler.mark(name);
        } else {
            self.moves.discard(now, id);
        }
    }

    /// The target runs the name.
    fn moved(&mut self, now: Instant, id: MoveId, name: &Name, to: NodeId, token: Token) {
        let Some(claim) = self.claim_of_move(id, name) else { return };
        let gone = Fact::Ended {
            name: name.clone(),
            token: claim.token,
            why: Why::GoneTo { log: to, token },
        };
        let exited = claim.pid().map(|pid| Fact::Exited { pid });
        let facts: Vec<_> = std::iter::once(gone).chain(exited).collect();
        self.registry.append_all(now, facts);
        // Whatever was noted of it here is the other node's to note.
        self.names.forget_restart(name);
        self.conflicts.forget(name);
        self.reconsider(now, name);
    }
}

/// Where the move `id` of the claim's node takes its name, if the claim says that it is on it.
pub(super) fn target_of(claim: &Claim, id: MoveId) -> Option<&NodeId> {
    match &claim.at {
        At::Moving { to, id: serial, .. } if *serial == id.serial => Some(to),
        _ => None,
    }
}
