//! Moves and the reconciler: what should be where, and how it gets there.

use super::conflicts::Conflicts;
use super::event::{Command, Freeze, Frozen, Mode};
use super::names::{Cause, Groups};
use super::resuming::Resuming;
use super::{Node, Owner, Placing, move_id};
use crate::Event as Public;
use std::collections::BTreeMap;
use std::time::Duration;
use swarm_base::{Instant, Name, NodeId, Pid, Token};
use swarm_handoff::{
    Acting, Action, AgreementEvent, Busy, Is, MoveEvent, MoveId, MoveOutcome, Moves, Offer,
    Placement, Promoted, Refusal, Role, Should, SourcePhase, Standing, TargetPhase,
};
use swarm_process::ExitReason;
use swarm_registry::{
    At, Bytes, Claim, Event as Fresh, Fact, Registry, Resolution, Spec, State, Why,
};

impl Node {
    /// Whether this node may act as the owner of names.
    pub(super) fn may_own(&self) -> bool {
        self.alone_until.is_none()
            && self.behind_since.is_none()
            && self.agreement.may_act() != Standing::Waiting
    }

    /// Looks whether all that the peers hold of dead nodes has arrived here: without it this node
    /// could start a name anew that a dead node's last facts say is stopped, or elsewhere. Tells
    /// whether the node may own names from now on.
    pub(super) fn check_behind(&mut self, now: Instant) -> bool {
        let is_behind = !self.gave_up_waiting
            && self.agreement.may_act() == Standing::Agreed
            && !self.registry.caught_up();
        match self.behind_since {
            None if is_behind => {
                self.behind_since = Some(now);
                false
            }
            Some(since) if !is_behind || since + super::BEHIND_MAX <= now => {
                self.behind_since = None;
                self.gave_up_waiting = is_behind;
                self.plan_at = Some(now);
                self.reconsider_all(now);
                true
            }
            _ => false,
        }
    }

    pub(super) fn on_agreement(&mut self, now: Instant, event: AgreementEvent) {
        match event {
            AgreementEvent::Agreed { .. } => {
                self.gave_up_waiting = false;
                self.check_behind(now);
                self.plan_at = Some(now);
                self.reconsider_all(now);
            }
            AgreementEvent::Overdue { missing, .. } => {
                self.tell(Public::AgreementOverdue { missing });
                self.plan_at = Some(now);
                self.reconsider_all(now);
            }
        }
    }

    pub(super) fn on_fact(&mut self, now: Instant, event: Fresh) {
        match &event {
            Fresh::Changed { name, now: pid, token, state, .. } => {
                let (name, pid, token) = (name.clone(), *pid, *token);
                self.reconciler.mark(name.clone());
                if *state == State::Held {
                    self.reserved.remove(&name);
                }
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
        let token = self.next_token(name);
        let claim = Claim { token, ..claim.clone() };
        self.registry.append(now, Fact::Named(claim));
        self.command(Command::Retoken { pid, token });
    }

    /// Compares what should be with what is, and starts and moves what differs.
    pub(super) fn plan(&mut self, now: Instant) {
        self.plan_at = None;
        if self.is_closing {
            return;
        }
        self.resume_waiting(now);
        let acting = self.acting();
        let view = View {
            me: &self.me,
            registry: &self.registry,
            placing: &self.placing,
            moves: &self.moves,
            conflicts: &self.conflicts,
        };
        let actions = self.reconciler.plan(now, &view, super::PLAN_BUDGET, acting);
        for action in actions {
            match action {
                Action::Start(name) => self.start_or_promote(now, &name),
                Action::Move { name, to } => {
                    match self.moves.begin(now, name.clone(), to) {
                        // A move that ends, or the one that it is on, has it looked at again.
                        Ok(_) | Err(Busy::Full { .. } | Busy::Moving | Busy::Here) => (),
                        Err(busy) => {
                            let until = busy.until().unwrap_or(now + BUSY_AGAIN);
                            self.reconciler.postpone(name, until);
                        }
                    }
                }
                // The registry shares closed logs by itself: the owner gets the orphan with them.
                Action::Adopt { .. } => (),
                Action::Sweep => {
                    let names: Vec<_> =
                        self.registry.own_claims().map(|claim| claim.name.clone()).collect();
                    self.reconciler.mark_all(names);
                    let orphans: Vec<_> = self.registry.orphans().cloned().collect();
                    self.reconciler.mark_all(orphans);
                }
            }
        }
    }

    pub(super) fn plan_timeout(&self) -> Option<Instant> {
        self.reconciler.poll_timeout()
    }

    fn acting(&self) -> Acting {
        Acting { starts: self.may_own(), slots: self.moves.slots() }
    }

    /// Starts an orphan: from the standby that its move had made here, else from its spec.
    fn start_or_promote(&mut self, now: Instant, name: &Name) {
        let Resolution::Orphan { node, claim } = self.registry.resolve(name) else { return };
        if let At::Moving { to, id, .. } = &claim.at
            && *to == self.me
        {
            let id = move_id(node.boot, *id);
            let token = self.next_token(name);
            if self.standbys.ready.contains_key(&id) {
                return self.moves.promote_orphan(now, id, token);
            }
        }
        self.start_orphan(name);
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
                if let Some(claim) = self.registry.own(&name).cloned()
                    && let Some(pid) = claim.pid()
                {
                    let at = At::Moving { pid, to, id: id.serial };
                    self.registry.append(now, Fact::Named(Claim { at, ..claim }));
                }
            }
            MoveEvent::Thaw { name, .. } => self.thaw(now, &name),
            MoveEvent::Stop { id, name } => {
                let claim = self.registry.own(&name).cloned();
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
            MoveEvent::Promote { id, token, mails, .. } => match self.standby(id) {
                Some(pid) => {
                    let mails = mails.into_iter().map(Vec::from).collect();
                    self.command(Command::Promote { id, pid, token, mails });
                }
                None => self.moves.promoted(now, id, Err("the standby is gone".to_owned())),
            },
            MoveEvent::Discard { id, .. } => {
                // One that is being built is thrown away once its start is over.
                self.standbys.offers.remove(&id);
                if let Some(standby) = self.standbys.ready.remove(&id) {
                    self.command(Command::Discard { pid: standby.pid });
                }
            }
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
        let Some(claim) = self.registry.own(name).cloned() else { return };
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
            Freeze::Conflict(name) => self.loser_frozen(now, name, frozen),
        }
    }

    fn offer(&self, name: &Name, state: Option<Vec<u8>>) -> swarm_handoff::Frozen {
        let own = self.registry.own(name);
        let Some((claim, spec)) = own.and_then(|claim| Some((claim, claim.spec.as_ref()?))) else {
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
        let claim = self.registry.own(name)?;
        target_of(claim, id).is_some().then(|| claim.clone())
    }

    /// The source of a standby died before its commit came. What it logged last decides, once the
    /// nodes agree on who is there: until then the move asks again.
    fn source_died(&mut self, now: Instant, id: MoveId, name: Name) {
        if !self.may_own() {
            return;
        }
        let is_ours = match self.registry.resolve(&name) {
            Resolution::Orphan { node, claim } => {
                node.boot == id.source && target_of(claim, id) == Some(&self.me)
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

    fn build(&mut self, now: Instant, id: MoveId, offer: Offer) {
        let args = Bytes::new(offer.args.to_vec());
        let (spec, refusal) = match args {
            _ if !self.meta.kinds.contains(&*offer.kind) => (None, Some(Refusal::UnknownKind)),
            _ if self.leaving.is_leaving() || self.is_closing => (None, Some(Refusal::Leaving)),
            _ if !self.meta.ready => (None, Some(Refusal::NotReady)),
            Ok(args) => match self.registry.own(&offer.name) {
                Some(own) => (None, Some(Refusal::RunsIt { token: own.token })),
                None => (Some(Spec { kind: offer.kind, args }), None),
            },
            Err(error) => (None, Some(Refusal::TooLarge { size: error.len })),
        };
        if let Some(refusal) = refusal {
            return self.moves.built(now, id, Err(refusal));
        }
        let Some(spec) = spec else { return };
        let groups = groups_of(offer.groups);
        let mode = Mode::Standby { state: offer.state.map(Vec::from) };
        self.standbys.offers.insert(id, (offer.name.clone(), spec.clone(), groups.clone()));
        let token = self.next_token(&offer.name);
        self.start(offer.name, spec, token, groups, Cause::Standby(id), mode);
    }

    pub(super) fn standby_built(&mut self, now: Instant, id: MoveId, pid: Pid) {
        match self.standbys.offers.remove(&id) {
            Some((name, spec, groups)) => {
                self.standbys.ready.insert(id, Standby { pid, name, spec, groups });
                self.moves.built(now, id, Ok(()));
            }
            None => self.command(Command::Discard { pid }),
        }
    }

    pub(super) fn standby_failed(&mut self, now: Instant, id: MoveId, reason: String) {
        self.standbys.offers.remove(&id);
        self.moves.built(now, id, Err(Refusal::StartFailed { reason }));
    }

    fn standby(&self, id: MoveId) -> Option<Pid> {
        self.standbys.ready.get(&id).map(|standby| standby.pid)
    }

    /// A standby has become the process of its name.
    pub(crate) fn promoted(&mut self, now: Instant, id: MoveId, token: Token) {
        self.touch(now);
        let Some(standby) = self.standbys.ready.remove(&id) else { return };
        let position = self.claim(
            now,
            standby.name.clone(),
            &standby.spec,
            token,
            standby.pid,
            None,
            &standby.groups,
        );
        self.moves.promoted(now, id, Ok(Promoted { token, position }));
        self.reconsider(now, &standby.name);
    }

    pub(super) fn standby_exited(&mut self, now: Instant, pid: Pid, reason: &ExitReason) {
        let found = self.standbys.ready.iter().find(|(_, standby)| standby.pid == pid);
        if let Some(id) = found.map(|(id, _)| *id) {
            self.standbys.ready.remove(&id);
            self.moves.standby_exited(now, id, reason.to_string());
            self.moves.promoted(now, id, Err(reason.to_string()));
        }
    }
}

/// Where the move `id` of the claim's node takes its name, if the claim says that it is on it.
fn target_of(claim: &Claim, id: MoveId) -> Option<&NodeId> {
    match &claim.at {
        At::Moving { to, id: serial, .. } if *serial == id.serial => Some(to),
        _ => None,
    }
}

/// A name whose move finds no connection or no room is looked at again after this.
const BUSY_AGAIN: Duration = Duration::from_millis(100);

/// What the reconciler sees.
struct View<'a> {
    me: &'a NodeId,
    registry: &'a Registry,
    placing: &'a Placing,
    moves: &'a Moves,
    conflicts: &'a Conflicts,
}

impl Placement for View<'_> {
    fn owner(&self, name: &Name) -> Should {
        let kind = match self.registry.resolve(name) {
            // Its node died on the way: the target has its state, and goes first (ownership,
            // consequence 1), also where it takes no more by now: nobody else knows that.
            Resolution::Orphan { claim: Claim { at: At::Moving { to, .. }, .. }, .. }
                if self.placing.member(to).is_some() =>
            {
                return Should::Node(to.clone());
            }
            Resolution::Held { claim, .. } | Resolution::Orphan { claim, .. } => {
                claim.spec.as_ref().map(|spec| spec.kind.clone())
            }
            _ => None,
        };
        let Some(kind) = kind else { return Should::Unknown };
        match self.placing.owner(&kind, name) {
            Owner::Node(node) => Should::Node(node),
            Owner::Nobody => Should::Nobody,
        }
    }

    fn is(&self, name: &Name) -> Is {
        // A standby that is not built yet, or about to run, is waited for.
        if let Some(Role::Target { phase, .. }) = self.moves.of(name)
            && phase != TargetPhase::Orphaned
        {
            return Is::Pending;
        }
        match self.registry.resolve(name) {
            Resolution::Free => Is::Free,
            Resolution::Pending { .. } => Is::Pending,
            Resolution::Orphan { claim, .. } if claim.spec.is_none() => Is::Free,
            Resolution::Orphan { .. } => Is::Orphan,
            Resolution::Held { node, .. } if node != self.me => Is::There(node.clone()),
            Resolution::Held { claim, .. } => Is::Here {
                movable: claim.spec.is_some()
                    && matches!(claim.at, At::Running(_))
                    && !self.conflicts.involves(name),
                moving: self.moves.of(name).is_some(),
            },
        }
    }
}

/// The workers that other nodes are moving here.
#[derive(Debug, Default)]
pub(super) struct Standbys {
    /// Their `start` runs.
    offers: BTreeMap<MoveId, (Name, Spec, Groups)>,
    /// They wait for the commit.
    ready: BTreeMap<MoveId, Standby>,
    /// Where the names went whose moves have not been told of yet.
    sent: BTreeMap<MoveId, NodeId>,
}

impl Standbys {
    /// How many there are, those that are being built included.
    #[cfg(feature = "sim")]
    pub(super) fn len(&self) -> usize {
        self.offers.len() + self.ready.len()
    }
}

#[derive(Debug)]
struct Standby {
    pid: Pid,
    name: Name,
    spec: Spec,
    groups: Groups,
}

/// The groups that came with an offer, as far as facts can carry them.
pub(super) fn groups_of(groups: Vec<(Name, bytes::Bytes)>) -> Groups {
    let group = |(name, meta): (Name, bytes::Bytes)| Some((name, Bytes::new(&meta[..]).ok()?));
    groups.into_iter().filter_map(group).collect()
}
