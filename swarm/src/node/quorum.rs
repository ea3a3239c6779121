//! The quorum: below it nothing runs here that the ring places. The names are kept, and run again
//! when enough nodes stand together. Each scope has its own, if its strategy wants one, among the
//! nodes that declare it.
//!
//! A side of a partition that holds the quorum starts what ran on the other one only when that must
//! have stopped (ownership, consequence 5). That is counted from when all those that are left agree
//! on a ring without the other node: before that one of them may have granted it one more lease.

use super::event::Command;
use super::names::Cause;
use super::seats::{Seat, Seats};
use super::wire::{Outcome, VoteFrame, Wire};
use super::{Mode, Node, Stop};
use crate::Event as Public;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use swarm_base::{Instant, Machine, Name, NodeId, Output, Pid, Scope, Token};
use swarm_handoff::{AbortReason, Cancelled, Checked, Quorum, QuorumEvent, Voice};
use swarm_registry::{At, Claim, Fact, Standing, Why};

/// What a node does under the quorum of a scope.
#[derive(Debug)]
pub(super) struct Under {
    pub(super) scope: Scope,
    pub(super) machine: Quorum,
    pub(super) seats: Seats,
    pub(super) margin: Duration,
    grace: Duration,
    /// Set from when the quorum is lost until it is back.
    is_lost: bool,
    /// The names that wait for it, with their processes that may not have ended yet.
    pub(super) suspended: BTreeMap<Name, Option<Pid>>,
    /// From when they may run again: others may have started them, and have to stop first.
    resume: Hold,
    /// From when the names of dead nodes may be started.
    dead: BTreeMap<NodeId, Hold>,
}

/// Names that may run elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    /// Not all that are left have agreed that it is not one of them.
    Unknown,
    /// They may run there until then.
    Until(Instant),
    /// They have stopped there.
    Over,
}

impl Hold {
    /// What it is `now`, where all have agreed or have not.
    fn go_on(self, now: Instant, is_agreed: bool, margin: Duration) -> Self {
        match self {
            Self::Unknown if is_agreed => Self::Until(now + margin),
            Self::Until(end) if end <= now => Self::Over,
            hold => hold,
        }
    }

    const fn end(self) -> Option<Instant> {
        match self {
            Self::Until(end) => Some(end),
            Self::Unknown | Self::Over => None,
        }
    }
}

impl Under {
    pub(super) fn new(
        now: Instant,
        config: &Checked,
        me: NodeId,
        scope: Scope,
        want: usize,
    ) -> Self {
        Self {
            scope,
            machine: Quorum::new(now, config.clone(), me, want),
            seats: Seats::new(want),
            margin: config.quorum_margin,
            grace: config.quorum_grace,
            is_lost: false,
            suspended: BTreeMap::new(),
            resume: Hold::Unknown,
            dead: BTreeMap::new(),
        }
    }

    /// That of the scope of a name.
    pub(super) fn of<'a>(all: &'a [Self], name: &Name) -> Option<&'a Self> {
        all.iter().find(|under| under.scope.holds(name.as_bytes()))
    }

    /// Whether this node may own names of the scope: under a quorum what is not agreed is not done.
    pub(super) const fn may_own(&self, is_agreed: bool) -> bool {
        is_agreed && self.machine.is_held()
    }

    pub(super) fn scope(&self) -> Option<String> {
        self.scope.as_str().map(str::to_owned)
    }

    /// Whether a name of a dead node may still run there. Of whichever: who has it last may be
    /// known to the dead alone.
    pub(super) fn holds_orphans(&self) -> bool {
        self.dead.values().any(|hold| *hold != Hold::Over)
    }

    /// When names that were held may be started next.
    pub(super) fn hold_ends(&self) -> Option<Instant> {
        let resume = (!self.suspended.is_empty()).then(|| self.resume.end()).flatten();
        self.dead.values().filter_map(|hold| hold.end()).chain(resume).min()
    }
}

impl Node {
    /// Whether a name may run here, as far as a quorum has a say.
    pub(super) fn has_quorum(&self, name: &Name) -> bool {
        Under::of(&self.under, name).is_none_or(|under| under.machine.is_held())
    }

    /// Whether it is known that there are too few nodes for a name: whoever asks for it is told so
    /// at once. A node that starts does not know yet.
    pub(super) fn is_below_quorum(&self, name: &Name) -> bool {
        Under::of(&self.under, name).is_some_and(|under| {
            let is_short = under.machine.present() < under.machine.want();
            under.is_lost || (is_short && !self.is_filling(under))
        })
    }

    /// Whether there are enough nodes for a name, of which some are about to take their seats.
    pub(super) fn awaits_quorum(&self, name: &Name) -> bool {
        let under = Under::of(&self.under, name).filter(|under| !under.is_lost);
        under.is_some_and(|under| {
            under.machine.present() < under.machine.want() && self.is_filling(under)
        })
    }

    fn is_filling(&self, under: &Under) -> bool {
        let counts =
            |(node, seat): &(NodeId, Seat)| *seat == Seat::Taken || under.seats.is_free_for(node);
        self.placing.candidates(&under.scope).filter(counts).count() >= under.machine.want()
    }

    /// The ring, or who is in it, is not what it was.
    pub(super) fn quorum_changed(&mut self, now: Instant, hash: u64) {
        for under in &mut self.under {
            let voters: BTreeSet<NodeId> = self.placing.voters(&under.scope).collect();
            under.machine.set_voice(
                now,
                match self.meta.seat(under.scope.as_str()) {
                    Seat::Taken => Voice::Counts,
                    Seat::Waits => Voice::Listens,
                },
            );
            under.machine.set_ring(now, hash, voters);
            self.seats_due = true;
            self.plan_at = Some(now);
        }
    }

    /// Lets the quorums say what they have to say; tells whether they had anything.
    pub(super) fn settle_quorums(&mut self, now: Instant) -> bool {
        let mut any = false;
        for at in 0..self.under.len() {
            while let Some(output) = self.under[at].machine.poll_output() {
                any = true;
                match output {
                    Output::Send { to, message } => {
                        let scope = self.under[at].scope.clone();
                        self.send(&to, &Wire::Vote(VoteFrame { scope, message }));
                    }
                    Output::Event(event) => self.on_quorum(now, at, event),
                }
            }
        }
        any
    }

    pub(super) fn on_vote(&mut self, now: Instant, from: NodeId, vote: VoteFrame) {
        // Who does not declare the scope has no say in it.
        if let Some(under) = self.under.iter_mut().find(|under| under.scope == vote.scope) {
            under.machine.handle_message(now, from, vote.message);
        }
    }

    fn on_quorum(&mut self, now: Instant, at: usize, event: QuorumEvent) {
        let under = &mut self.under[at];
        let (have, want) = (under.machine.present(), under.machine.want());
        let scope = under.scope();
        match event {
            QuorumEvent::Held if under.is_lost => {
                under.is_lost = false;
                self.tell(Public::QuorumRegained { scope });
            }
            QuorumEvent::Held => (),
            QuorumEvent::Shaken => {
                under.resume = Hold::Unknown;
                for hold in under.dead.values_mut() {
                    *hold = Hold::Unknown;
                }
                return;
            }
            QuorumEvent::Lost => {
                under.is_lost = true;
                under.resume = Hold::Unknown;
                self.suspend(now, at);
                self.tell(Public::QuorumLost { scope, have, want });
            }
        }
        self.plan_at = Some(now);
        self.reconsider_all(now);
    }

    /// Stops what the ring has placed here. The log says so first: nobody finds a process that is
    /// about to stop.
    fn suspend(&mut self, now: Instant, at: usize) {
        let scope = self.under[at].scope.clone();
        let is_under = |name: &Name| scope.holds(name.as_bytes());
        self.abandon_starts(now, &scope);
        self.names.restarts.retain(|(_, name)| !is_under(name));
        // Whoever has taken one over by now is found when the quorum is back.
        self.names.escalating.retain(|name, _| !is_under(name));
        let placed = |claim: &Claim| claim.spec.is_some() && is_under(&claim.name);
        let placed: Vec<Claim> = self.registry.own_claims().filter(placed).collect();
        self.suspend_claims(now, at, placed);
        // One that is just taking over would run before it hears of this.
        let standbys = self.standbys.ready.values().filter(|standby| is_under(&standby.name));
        let pids: Vec<Pid> = standbys.map(|standby| standby.pid).collect();
        let how = Stop::Graceful(self.under[at].grace);
        for pid in pids {
            self.command(Command::Stop { pid, how });
        }
    }

    /// A standby has come to run, and the quorum was lost meanwhile: it stops, as the others have.
    pub(super) fn suspend_late(&mut self, now: Instant, name: &Name) {
        let is_lost = |under: &Under| under.is_lost && under.scope.holds(name.as_bytes());
        let Some(at) = self.under.iter().position(is_lost) else { return };
        let claim = self.registry.own(name).into_iter().collect();
        self.suspend_claims(now, at, claim);
    }

    fn suspend_claims(&mut self, now: Instant, at: usize, claims: Vec<Claim>) {
        let (mut facts, mut pids, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for claim in claims {
            // It ends anyway, for good. Whoever has stopped it may have left it more time.
            if self.names.is_stopping(&claim.name) {
                pids.extend(claim.pid().filter(|pid| self.names.lives(*pid)));
                continue;
            }
            // It ends for a move, and what comes of that says where it goes on. Where nothing comes
            // of it, since it is killed before, the name waits as the others do.
            let cancelled = self.moves.cancel(now, &claim.name, AbortReason::Quorum);
            if cancelled == Cancelled::Committed {
                let pid = claim.pid().filter(|pid| self.names.lives(*pid));
                self.under[at].suspended.extend(pid.map(|pid| (claim.name, Some(pid))));
                pids.extend(pid);
                continue;
            }
            self.conflicts.forget(&claim.name);
            let pid = claim.pid();
            let groups = match pid {
                Some(pid) => self.registry.memberships(&self.me, pid).collect(),
                None => claim.groups.clone(),
            };
            names.push((claim.name.clone(), pid));
            facts.push(Fact::Named(Claim { at: At::Waiting, groups, ..claim }));
            match pid {
                Some(pid) if self.names.lives(pid) => pids.push(pid),
                // A move has ended it, and was to say what becomes of its groups.
                Some(pid) => facts.push(Fact::Exited { pid }),
                None => (),
            }
        }
        self.registry.append_all(now, facts);
        let under = &mut self.under[at];
        for (name, pid) in names {
            // The process of one that waits already may not have ended yet.
            let last = under.suspended.entry(name).or_default();
            *last = pid.or(*last);
        }
        let how = Stop::Graceful(under.grace);
        for pid in pids {
            self.command(Command::Stop { pid, how });
        }
    }

    /// Ends every start of a name in a scope; whoever asked for one is told that there are too few
    /// nodes.
    fn abandon_starts(&mut self, now: Instant, scope: &Scope) {
        for (ticket, start) in self.names.end_all(scope) {
            self.command(Command::Abandon { ticket });
            if let Cause::Asked(key, _) = start.cause {
                if start.logged {
                    self.end_claim(now, &start.name, start.token);
                }
                self.answer(now, &key, Outcome::NoNode, None);
            }
        }
    }

    /// Runs again what waited for the quorum. Where a name belongs to another node by now, it moves
    /// there.
    pub(super) fn resume_suspended(&mut self, now: Instant) {
        for at in 0..self.under.len() {
            self.resume_suspended_of(now, at);
        }
    }

    fn resume_suspended_of(&mut self, now: Instant, at: usize) {
        let (may_decide, is_agreed) = (self.may_decide(), self.agreement.agreed());
        let under = &mut self.under[at];
        if under.suspended.is_empty()
            || !may_decide
            || !under.may_own(is_agreed)
            || under.resume != Hold::Over
        {
            return;
        }
        // A name whose last process has not ended waits for that.
        let (ending, ended): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut under.suspended)
                .into_iter()
                .partition(|(_, pid)| pid.is_some_and(|pid| self.names.lives(pid)));
        under.suspended = ending;
        for name in ended.into_keys() {
            let Some(claim) = self.registry.own(&name) else { continue };
            let (At::Waiting, Some(spec)) = (&claim.at, claim.spec) else { continue };
            // It was registered anew by nodes that had not heard of it, and runs there.
            if let Some((log, token)) = self.runs_elsewhere(&name) {
                let why = Why::GoneTo { log, token };
                self.registry.append(now, Fact::Ended { name, token: claim.token, why });
                continue;
            }
            let token = self.next_token(&name);
            self.start(name, spec, token, claim.groups, Cause::Restart, Mode::Fresh);
        }
        self.touch(now);
    }

    /// The node and the token of another live claim on a name, whose process runs.
    fn runs_elsewhere(&self, name: &Name) -> Option<(NodeId, Token)> {
        let mut others = self.registry.claims(name).filter(|(node, claim, standing)| {
            **node != self.me && *standing == Standing::Live && claim.pid().is_some()
        });
        others.next().map(|(node, claim, _)| (node.clone(), claim.token))
    }

    /// Whether a name is to run again only when the quorum is back.
    pub(super) fn is_suspended(&self, name: &Name) -> bool {
        Under::of(&self.under, name).is_some_and(|under| under.suspended.contains_key(name))
    }

    /// A process has ended: a name may have waited for that.
    pub(super) fn suspended_ended(&mut self, now: Instant) {
        if self.under.iter().any(|under| !under.suspended.is_empty()) {
            self.plan_at = Some(now);
        }
    }

    /// Keeps the names of dead nodes from being started for as long as they may run there.
    pub(super) fn hold_dead(&mut self, now: Instant) {
        let is_agreed = self.agreement.agreed();
        for under in &mut self.under {
            let is_known = under.may_own(is_agreed);
            let logs = self.registry.log_progress();
            let closed = logs.filter(|log| log.standing == Standing::Closed);
            let (before, margin) = (std::mem::take(&mut under.dead), under.margin);
            under.resume = under.resume.go_on(now, is_known, margin);
            let hold = |node: NodeId| {
                let hold = before.get(&node).copied().unwrap_or(Hold::Unknown);
                (node, hold.go_on(now, is_known, margin))
            };
            under.dead = closed.map(|log| hold(log.log)).collect();
            let over = |(node, hold): (&NodeId, &Hold)| {
                *hold == Hold::Over && before.get(node) != Some(&Hold::Over)
            };
            if under.dead.iter().any(over) {
                let orphans: Vec<Name> = self.registry.orphans().cloned().collect();
                self.reconciler.mark_all(orphans);
            }
        }
    }

    /// A node has said goodbye: it runs nothing any more.
    pub(super) fn hold_no_longer(&mut self, node: &NodeId) {
        for under in &mut self.under {
            under.dead.insert(node.clone(), Hold::Over);
        }
    }
}
