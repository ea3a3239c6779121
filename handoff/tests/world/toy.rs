//! A node's toy processes: a counter as state, which start, freeze, move and die as told.

use super::facts::At;
use super::{Deaths, Flaw, Step, World, ms};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use swarm_base::{Machine, Name, NodeId, Token};
use swarm_handoff::{
    AbortReason, Cancelled, Frozen, MoveEvent, MoveId, MoveMessage, Moves, Offer, Promoted,
    Refusal, Role, SourcePhase, TargetPhase,
};

pub(crate) struct Toy {
    pub(crate) id: NodeId,
    pub(crate) moves: Moves,
    pub(crate) processes: BTreeMap<Name, Process>,
    pub(crate) standbys: BTreeMap<MoveId, Standby>,
    /// What frozen processes said their state was; `None`: to be started anew.
    snapshots: BTreeMap<MoveId, Option<u64>>,
    /// The snapshots of processes that were stopped for a move.
    pub(crate) kept: BTreeMap<MoveId, Kept>,
    orphans: BTreeMap<MoveId, Name>,
    pub(crate) dead: BTreeSet<NodeId>,
}

#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) counter: u64,
    pub(crate) frozen: bool,
    pub(crate) token: Token,
    inbox: Vec<u64>,
}

#[derive(Debug)]
pub(crate) struct Standby {
    pub(crate) name: Name,
    pub(crate) from: NodeId,
    pub(crate) counter: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) name: Name,
    pub(crate) counter: Option<u64>,
}

#[derive(Clone, Debug)]
pub(crate) enum Job {
    Freeze { id: MoveId, name: Name },
    Stop { id: MoveId, name: Name },
    Build { id: MoveId, from: NodeId, offer: Offer },
    Promote { id: MoveId, name: Name, token: Token, mails: Vec<Bytes> },
    PromoteByTimer { id: MoveId },
}

impl Toy {
    pub(crate) fn new(id: NodeId, moves: Moves) -> Self {
        Self {
            id,
            moves,
            processes: BTreeMap::new(),
            standbys: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            kept: BTreeMap::new(),
            orphans: BTreeMap::new(),
            dead: BTreeSet::new(),
        }
    }

    fn is_source(&self, name: &Name, move_id: MoveId, wanted: SourcePhase) -> bool {
        let role = self.moves.of(name);
        matches!(role, Some(Role::Source { id, phase, .. }) if id == move_id && phase == wanted)
    }

    fn is_target(&self, name: &Name, move_id: MoveId, wanted: TargetPhase) -> bool {
        let role = self.moves.of(name);
        matches!(role, Some(Role::Target { id, phase, .. }) if id == move_id && phase == wanted)
    }
}

impl World {
    pub(super) fn handle_event(&mut self, at: &NodeId, event: MoveEvent) {
        match event {
            MoveEvent::Freeze { id, name } => {
                let delay = self.takes(60, ms(5500)..=ms(7000));
                self.job_after(at, delay, Job::Freeze { id, name });
            }
            MoveEvent::LogMoving { id, name, to } => {
                if let Some(token) = self.facts.entry(at, &name).map(|entry| entry.token) {
                    self.facts.append(at, &name, token, At::Moving { to, id });
                }
            }
            MoveEvent::Thaw { id, name, .. } => self.thaw(at, id, &name),
            MoveEvent::Stop { id, name } => {
                let delay = self.takes(60, ms(4000)..=ms(5000));
                self.job_after(at, delay, Job::Stop { id, name });
            }
            MoveEvent::Moved { id, name, to, .. } => {
                self.forget_kept(at, id);
                // The target crashed behind its acknowledgement, or whom it has passed the name on
                // to, and the state with it.
                let holder = self.facts.claim(&name).map(|(holder, _)| holder.clone());
                let is_dead = |node: &NodeId| self.nodes.get(node).is_none();
                if holder.is_some_and(|holder| is_dead(&holder) || is_dead(&to))
                    && !self.newest_is_held(&name, None)
                {
                    self.newest.remove(&name);
                }
                self.ran(id, "moved");
                // Its own claim may be a later one: the name was passed on, and came back.
                if let Some(entry) = self.facts.entry(at, &name).cloned()
                    && matches!(entry.at, At::Moving { id: logged, .. } if logged == id)
                {
                    self.facts.append(at, &name, entry.token, At::Gone);
                }
            }
            MoveEvent::Resume { id, name, above, offer, mails } => {
                self.forget_kept(at, id);
                self.ran(id, "resumed");
                let epoch = self.facts.epoch(&name).max(above.epoch) + 1;
                let mut state = offer.state.map(|state| decode(&state));
                if self.flaw == Some(Flaw::DropSnapshotAtCommit) {
                    state = state.map(|_| 0);
                }
                self.run_process(at, &name, Token::new(epoch, at.boot), state, &mails);
            }
            MoveEvent::Build { id, from, offer } => {
                let delay = self.takes(60, ms(9000)..=ms(13_000));
                self.job_after(at, delay, Job::Build { id, from, offer });
            }
            MoveEvent::Promote { id, name, token, mails } => {
                let delay = self.takes(60, ms(2000)..=ms(5000));
                self.job_after(at, delay, Job::Promote { id, name, token, mails });
            }
            MoveEvent::Discard { id, .. } => {
                if let Some(toy) = self.nodes.get_mut(at) {
                    toy.standbys.remove(&id);
                    toy.orphans.remove(&id);
                }
            }
            MoveEvent::SourceDied { id, name } => {
                if let Some(toy) = self.nodes.get_mut(at) {
                    toy.orphans.insert(id, name);
                }
                self.settle(at);
            }
            MoveEvent::Deliver { name, mails, .. } => self.put_mails(at, &name, &mails),
            MoveEvent::Ended { id, name, outcome, .. } => {
                self.check_stays(at, &name, &outcome);
                *self.ended.entry(id).or_default() += 1;
                self.strike("ended", outcome_label(&outcome));
            }
        }
    }

    pub(super) fn job(&mut self, at: &NodeId, job: Job) {
        match job {
            Job::Freeze { id, name } => self.freeze(at, id, &name),
            Job::Stop { id, name } => self.stop(at, id, &name),
            Job::Build { id, from, offer } => self.build(at, id, from, &offer),
            Job::Promote { id, name, token, mails } => self.promote(at, id, &name, token, &mails),
            Job::PromoteByTimer { id } => self.promote_by_timer(at, id),
        }
    }

    fn freeze(&mut self, at: &NodeId, id: MoveId, name: &Name) {
        let (luck, restart) = (self.rng.below(100), self.rng.chance(100));
        let Some(toy) = self.nodes.get_mut(at) else { return };
        if !toy.is_source(name, id, SourcePhase::Freezing) {
            return;
        }
        let Some(process) = toy.processes.get_mut(name) else { return };
        let outcome = match luck {
            0..6 if self.classes.failures => Frozen::Ignore,
            6..12 if self.classes.failures => Frozen::Failed("begin_handoff panicked".into()),
            _ => {
                process.frozen = true;
                let state = (!restart).then_some(process.counter);
                let offer = Offer {
                    name: name.clone(),
                    kind: "toy".into(),
                    args: Bytes::new(),
                    token: process.token,
                    groups: Vec::new(),
                    state: state.map(encode),
                };
                toy.snapshots.insert(id, state);
                if self.flaw == Some(Flaw::KillBeforeReady) {
                    toy.processes.remove(name);
                }
                Frozen::Ready(offer)
            }
        };
        self.with(at, |moves, now| moves.frozen(now, id, outcome));
    }

    fn thaw(&mut self, at: &NodeId, id: MoveId, name: &Name) {
        self.ran(id, "thawed");
        if let Some(entry) = self.facts.entry(at, name).cloned()
            && matches!(entry.at, At::Moving { .. })
        {
            self.facts.append(at, name, entry.token, At::Running);
        }
        let Some(toy) = self.nodes.get_mut(at) else { return };
        toy.snapshots.remove(&id);
        let Some(process) = toy.processes.get_mut(name) else { return };
        process.frozen = false;
        let inbox = std::mem::take(&mut process.inbox);
        for mail in inbox {
            self.handle_mail(name, mail);
        }
    }

    fn stop(&mut self, at: &NodeId, id: MoveId, name: &Name) {
        let next = Token::new(self.facts.epoch(name) + 1, at.boot);
        let Some(toy) = self.nodes.get_mut(at) else { return };
        if !toy.is_source(name, id, SourcePhase::Stopping) {
            return;
        }
        let inbox = toy.processes.remove(name).map_or(Vec::new(), |process| process.inbox);
        let counter = toy.snapshots.remove(&id).expect("a frozen process left a snapshot");
        toy.kept.insert(id, Kept { name: name.clone(), counter });
        if counter.is_none() {
            self.newest.remove(name);
        }
        let mails = inbox.into_iter().map(encode).collect();
        self.with(at, |moves, now| moves.stopped(now, id, next, mails));
    }

    fn build(&mut self, at: &NodeId, id: MoveId, from: NodeId, offer: &Offer) {
        let fails = self.classes.failures && self.rng.chance(100);
        let Some(toy) = self.nodes.get_mut(at) else { return };
        if !toy.is_target(&offer.name, id, TargetPhase::Building) {
            return;
        }
        let result = match toy.processes.get(&offer.name) {
            Some(process) => Err(Refusal::RunsIt { token: process.token }),
            None if fails => Err(Refusal::StartFailed { reason: "no supervisor".into() }),
            None => {
                let counter = offer.state.as_ref().map(decode);
                toy.standbys.insert(id, Standby { name: offer.name.clone(), from, counter });
                Ok(())
            }
        };
        if self.flaw == Some(Flaw::PromoteByTimer) && result.is_ok() {
            self.job_after(at, ms(3000), Job::PromoteByTimer { id });
        }
        self.with(at, |moves, now| moves.built(now, id, result));
    }

    fn promote(&mut self, at: &NodeId, id: MoveId, name: &Name, token: Token, mails: &[Bytes]) {
        let fails = self.classes.failures && self.rng.chance(150);
        let Some(toy) = self.nodes.get_mut(at) else { return };
        let phase = match toy.moves.of(name) {
            Some(Role::Target { id: known, phase, .. }) if known == id => phase,
            _ => return,
        };
        assert!(matches!(phase, TargetPhase::Promoting { .. }), "nothing ends a promotion");
        let Some(standby) = toy.standbys.remove(&id) else { return };
        toy.orphans.remove(&id);
        let runs = toy.processes.contains_key(name);
        if fails || (runs && self.deaths == Deaths::AlsoFalse) {
            self.with(at, |moves, now| {
                moves.promoted(now, id, Err(Refusal::StartFailed { reason: "panicked".into() }))
            });
            return;
        }
        self.ran(id, "promoted");
        if phase == (TargetPhase::Promoting { orphan: true }) {
            self.strike("orphan", "promoted");
        }
        let position = self.run_process(at, name, token, standby.counter, mails);
        let claim = Promoted { token, position };
        if self.rng.chance(200) {
            self.with(&standby.from, |moves, now| moves.claim_seen(now, name, at, claim));
        }
        self.with(at, |moves, now| moves.promoted(now, id, Ok(claim)));
    }

    fn promote_by_timer(&mut self, at: &NodeId, id: MoveId) {
        let Some(standby) = self.nodes.get_mut(at).and_then(|toy| toy.standbys.remove(&id)) else {
            return;
        };
        let token = Token::new(self.facts.epoch(&standby.name) + 1, at.boot);
        self.run_process(at, &standby.name, token, standby.counter, &[]);
    }

    /// What an abort without an id means: whatever there is of the name goes, for the source runs
    /// it.
    pub(super) fn abort_whatever(&mut self, at: &NodeId, id: MoveId) {
        let Some(name) = self.names.get(&id).cloned() else { return };
        let Some(toy) = self.nodes.get_mut(at) else { return };
        match toy.moves.of(&name) {
            Some(Role::Target { id, from, .. }) => {
                self.with(at, |moves, now| {
                    moves.handle_message(now, from, MoveMessage::Abort { id });
                });
            }
            Some(Role::Source { .. }) => (),
            None => drop(toy.processes.remove(&name)),
        }
    }

    /// Learns that `node` is dead: first what its log said last, then its death.
    pub(super) fn learn_death(&mut self, at: &NodeId, node: &NodeId) {
        let Some(toy) = self.nodes.get_mut(at) else { return };
        if !toy.dead.insert(node.clone()) {
            return;
        }
        let names: Vec<Name> = toy.moves.outgoing().map(|outgoing| outgoing.name.clone()).collect();
        for name in names {
            if let Some(token) = self.facts.entry(node, &name).map(|entry| entry.token) {
                let claim = Promoted { token, position: 0 };
                self.with(at, |moves, now| moves.claim_seen(now, &name, node, claim));
            }
        }
        self.with(at, |moves, now| moves.node_dead(now, node));
        self.settle(at);
    }

    /// Decides about the names of dead nodes, by their logs (consequence 1).
    pub(super) fn settle(&mut self, at: &NodeId) {
        for name in self.facts.names() {
            let Some((holder, entry)) = self.facts.claim(&name) else { continue };
            let holder = holder.clone();
            let Some(toy) = self.nodes.get(at) else { return };
            let orphan = toy.dead.contains(&holder);
            let named = match &entry.at {
                At::Moving { to, id } if orphan && !toy.dead.contains(to) => {
                    Some((to.clone(), *id))
                }
                _ => None,
            };
            let token = Token::new(self.facts.epoch(&name) + 1, at.boot);
            let standbys = toy.orphans.iter().filter(|(_, orphan)| **orphan == name);
            let standbys: Vec<MoveId> = standbys.map(|(id, _)| *id).collect();
            let (mine, theirs) = match named {
                Some((to, id)) if to == *at => (true, Some(id)),
                Some(_) => (false, None),
                None => (orphan && self.nodes.live().first() == Some(at), None),
            };
            for id in standbys.iter().filter(|id| Some(**id) != theirs) {
                self.with(at, |moves, now| moves.discard(now, *id));
            }
            // What came out of that may have had all names looked at.
            if self.facts.claim(&name).is_none_or(|(now, _)| *now != holder) {
                continue;
            }
            let role = self.nodes.get(at).and_then(|toy| toy.moves.of(&name));
            match (mine, role) {
                // Its standby is being built or promoted: it is asked again.
                (true, Some(Role::Target { id, phase, .. })) if Some(id) == theirs => {
                    if phase == TargetPhase::Orphaned {
                        self.with(at, |moves, now| moves.promote_orphan(now, id, token));
                    }
                }
                (true, _) => self.start_from_spec_at(at, &name),
                (false, _) => (),
            }
        }
    }

    /// Of two processes of one name, the one with the lower token ends, unless its move has
    /// reached its commit.
    pub(super) fn resolve_conflicts(&mut self) {
        for name in self.facts.names() {
            let tokens = self
                .nodes
                .toys()
                .filter_map(|toy| Some((toy.processes.get(&name)?.token, toy.id.clone())));
            let mut claims: Vec<(Token, NodeId)> = tokens.collect();
            claims.sort();
            claims.pop();
            for (token, at) in claims {
                let cancelled =
                    self.with(&at, |moves, now| moves.cancel(now, &name, AbortReason::Conflict));
                if cancelled == Some(Cancelled::Committed) {
                    continue;
                }
                self.strike("nothing", "conflict");
                self.note(format!("{at} ends {name}, which runs elsewhere"));
                self.facts.append(&at, &name, token, At::Gone);
                if let Some(toy) = self.nodes.get_mut(&at) {
                    toy.processes.remove(&name);
                }
            }
        }
    }

    pub(super) fn start_from_spec(&mut self, slot: usize, name: &Name) {
        let at = self.nodes.at(slot).expect("the node is up");
        self.start_from_spec_at(&at, name);
    }

    pub(super) fn start_from_spec_at(&mut self, at: &NodeId, name: &Name) {
        self.note(format!("{at} starts {name} from its spec"));
        let token = Token::new(self.facts.epoch(name) + 1, at.boot);
        self.newest.remove(name);
        self.run_process(at, name, token, None, &[]);
    }

    fn run_process(
        &mut self,
        at: &NodeId,
        name: &Name,
        token: Token,
        state: Option<u64>,
        mails: &[Bytes],
    ) -> u64 {
        if let (Some(state), Some(newest)) = (state, self.newest.get(name).copied()) {
            self.expect("H4: no stale state is activated", state == newest, || {
                format!("{at} runs {name} from {state}, {newest} was reached")
            });
        }
        if self.deaths == Deaths::AlsoFalse && self.runs_anyway(at, name, token) {
            return 0;
        }
        let counter = state.unwrap_or(0);
        self.newest.insert(name.clone(), counter);
        let process = Process { counter, frozen: false, token, inbox: Vec::new() };
        let former =
            self.nodes.get_mut(at).and_then(|toy| toy.processes.insert(name.clone(), process));
        self.expect("H1: at most one instance", former.is_none(), || {
            format!("{at} starts {name} beside itself")
        });
        self.put_mails(at, name, mails);
        self.facts.append(at, name, token, At::Running)
    }

    /// Whether `name` runs at `at` or will be resumed there, after a false death. What runs and
    /// is not on a move claims anew, above whatever is dead.
    fn runs_anyway(&mut self, at: &NodeId, name: &Name, token: Token) -> bool {
        let Some(toy) = self.nodes.get_mut(at) else { return true };
        if toy.moves.of(name).is_some_and(is_source) {
            return true;
        }
        let Some(process) = toy.processes.get_mut(name) else { return false };
        process.token = token;
        self.facts.append(at, name, token, At::Running);
        true
    }

    fn put_mails(&mut self, at: &NodeId, name: &Name, mails: &[Bytes]) {
        if self.nodes.get(at).is_some_and(|toy| toy.processes.contains_key(name)) {
            for mail in mails {
                self.handle_mail(name, decode(mail));
            }
        }
    }

    pub(super) fn mail(&mut self, name: &Name) {
        let mail = self.mail.get_mut(name).expect("a known name");
        let number = mail.sent + 1;
        let live = self.nodes.live();
        let runs =
            |at: &&NodeId| self.nodes.get(at).is_some_and(|toy| toy.processes.contains_key(name));
        let Some(at) = live.iter().find(runs) else { return };
        mail.sent = number;
        let toy = self.nodes.get_mut(at).expect("a live node");
        let process = toy.processes.get_mut(name).expect("it runs there");
        if process.frozen {
            process.inbox.push(number);
        } else {
            self.handle_mail(name, number);
        }
    }

    pub(super) fn handle_mail(&mut self, name: &Name, number: u64) {
        let mail = self.mail.get_mut(name).expect("a known name");
        let last = std::mem::replace(&mut mail.last, number);
        mail.handled += 1;
        self.expect("H7: mail stays in order", last < number, || {
            format!("{name} handles mail {number} after {last}")
        });
    }

    fn forget_kept(&mut self, at: &NodeId, id: MoveId) {
        if let Some(toy) = self.nodes.get_mut(at) {
            toy.kept.remove(&id);
        }
    }

    fn job_after(&mut self, at: &NodeId, delay: Duration, job: Job) {
        self.after(delay, Step::Job { at: at.clone(), job });
    }

    /// Mostly some milliseconds, now and then as slow as given.
    fn takes(&mut self, permille: u32, slow: std::ops::RangeInclusive<Duration>) -> Duration {
        if self.classes.slow && self.rng.chance(permille) {
            self.strike("job", "slow");
            return self.rng.duration(slow);
        }
        self.rng.duration(ms(1)..=ms(80))
    }
}

fn is_source(role: Role) -> bool {
    matches!(role, Role::Source { .. })
}

fn outcome_label(outcome: &swarm_handoff::MoveOutcome) -> &'static str {
    use swarm_handoff::{AbortReason, MoveOutcome, ResumeReason};
    match outcome {
        MoveOutcome::Moved => "moved",
        MoveOutcome::Restarted => "restarted",
        MoveOutcome::Ignored => "ignored",
        MoveOutcome::NotFrozen { .. } => "not frozen",
        MoveOutcome::Refused(_) => "refused",
        MoveOutcome::Aborted(AbortReason::FreezeTimeout) => "freeze timeout",
        MoveOutcome::Aborted(AbortReason::OfferTimeout) => "offer timeout",
        MoveOutcome::Aborted(AbortReason::TargetDied) => "target died",
        MoveOutcome::Aborted(_) => "called off",
        MoveOutcome::Resumed(ResumeReason::TargetDied) => "resumed: target died",
        MoveOutcome::Resumed(ResumeReason::Refused(_)) => "resumed: nack",
        _ => "other",
    }
}

fn encode(number: u64) -> Bytes {
    Bytes::copy_from_slice(&number.to_le_bytes())
}

fn decode(bytes: &Bytes) -> u64 {
    u64::from_le_bytes(bytes.as_ref().try_into().expect("eight bytes"))
}
