//! The reconciler: what should be where, and what is done about it.

use super::conflicts::Conflicts;
use super::escalating::Adopted;
use super::quorum::Under;
use super::sweeping::Sweep;
use super::wire::{Adopt, Wire};
use super::{Node, Owner, Placing, move_id};
use crate::Event as Public;
use std::collections::BTreeMap;
use std::time::Duration;
use swarm_base::{Instant, Name, NodeId};
use swarm_handoff::{
    Acting, Action, AgreementEvent, Busy, Is, Moves, Placement, Role, Should, Standing, TargetPhase,
};
use swarm_registry::{At, Claim, Registry, Resolution};

impl Node {
    /// Whether this node may act as the owner of a name.
    pub(super) fn may_own(&self, name: &Name) -> bool {
        let is_agreed = self.agreement.agreed();
        let may_own = |under: &Under| under.may_own(is_agreed);
        self.may_decide() && Under::of(&self.under, name).is_none_or(may_own)
    }

    /// Whether there may be names that this node may own: of a scope without a quorum, or with one
    /// that is held.
    fn may_own_any(&self) -> bool {
        let is_agreed = self.agreement.agreed();
        self.may_decide()
            && (self.under.len() < self.placing.scopes()
                || self.under.iter().any(|under| under.may_own(is_agreed)))
    }

    /// Whether this node may decide about names, as far as the ring has a say: also about those of
    /// processes that nobody places, for which a quorum has none.
    pub(super) fn may_decide(&self) -> bool {
        self.alone_until.is_none()
            && self.behind.is_none()
            && self.agreement.may_act() != Standing::Waiting
    }

    /// Looks whether all has arrived here that the peers hold of dead nodes, and had written when
    /// they acknowledged the ring: without it this node could start a name anew that is stopped, or
    /// elsewhere. Tells whether the node may own names from now on.
    pub(super) fn check_behind(&mut self, now: Instant) -> bool {
        let is_behind = !self.gave_up_waiting
            && self.agreement.may_act() == Standing::Agreed
            && !self.registry.caught_up();
        let arrived = self.registry.arrived();
        match &self.behind {
            None if is_behind => {
                self.behind = Some(Behind { arrived, until: now + BEHIND_MAX });
                false
            }
            Some(behind) if is_behind && behind.until > now => false,
            Some(behind) if is_behind && behind.arrived < arrived => {
                self.behind = Some(Behind { arrived, until: now + BEHIND_MAX });
                false
            }
            Some(_) => {
                self.behind = None;
                self.gave_up_waiting = is_behind;
                if is_behind {
                    let missing = self.registry.ahead().cloned().collect();
                    self.tell(Public::AgreementOverdue { missing });
                }
                self.plan_at = Some(now);
                self.reconsider_all(now);
                true
            }
            None => false,
        }
    }

    pub(super) fn on_agreement(&mut self, now: Instant, event: AgreementEvent) {
        match event {
            AgreementEvent::Agreed { .. } => {
                self.check_behind(now);
                self.seats_due = true;
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

    /// Compares what should be with what is, and starts and moves what differs.
    pub(super) fn plan(&mut self, now: Instant) {
        self.plan_at = None;
        if self.is_closing {
            return;
        }
        self.look_for_seats(now);
        self.resume_waiting(now);
        self.release_adopted(now);
        self.hold_dead(now);
        self.resume_suspended(now);
        let acting = self.acting();
        let view = View {
            me: &self.me,
            registry: &self.registry,
            under: &self.under,
            is_agreed: self.agreement.agreed(),
            placing: &self.placing,
            moves: &self.moves,
            conflicts: &self.conflicts,
            adopted: &self.names.adopted,
        };
        let mut actions = self.reconciler.plan(now, &view, super::PLAN_BUDGET, acting);
        for _ in 0..super::PLAN_BUDGET {
            let Some(sweep) = &mut self.sweep else { break };
            match sweep.next(&self.registry) {
                Some(name) => actions.extend(self.reconciler.sweep(&view, name)),
                None => self.sweep = None,
            }
        }
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
                // The registry shares closed logs by itself: the owner gets the orphan with them, and
                // is told to look.
                Action::Adopt { name, to } => {
                    let adopt = Adopt { name, tried: Vec::new(), round: 0 };
                    self.send_behind_facts(now, &to, &Wire::Adopt(adopt));
                }
                Action::Sweep => {
                    self.reconciler.expect(self.registry.len());
                    // Membership may have forgotten somebody by now.
                    self.seats_due = true;
                    self.sweep = Some(Sweep::new(&self.registry));
                }
            }
        }
        if self.sweep.is_some() {
            self.plan_at = Some(now);
        }
    }

    pub(super) fn plan_timeout(&self) -> Option<Instant> {
        self.reconciler.poll_timeout()
    }

    pub(super) fn acting(&self) -> Acting {
        Acting { decides: self.may_own_any(), slots: self.moves.slots() }
    }

    /// Starts an orphan: from the standby that its move had made here, else from its spec.
    pub(super) fn start_or_promote(&mut self, now: Instant, name: &Name) {
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
}

/// A name whose move finds no connection or no room is looked at again after this.
const BUSY_AGAIN: Duration = Duration::from_millis(100);

/// A node that agrees with the others acts without what it still lacks once nothing has come for
/// this long: a peer that cannot tell must not stop it for ever.
const BEHIND_MAX: Duration = Duration::from_secs(2);

/// A node that waits for what the others have and it has not.
pub(super) struct Behind {
    /// How much had arrived when it last looked whether more does.
    arrived: u64,
    /// When it looks again, and gives up where nothing has.
    pub(super) until: Instant,
}

/// What the reconciler sees.
struct View<'a> {
    me: &'a NodeId,
    registry: &'a Registry,
    under: &'a [Under],
    is_agreed: bool,
    placing: &'a Placing,
    moves: &'a Moves,
    conflicts: &'a Conflicts,
    adopted: &'a BTreeMap<Name, Adopted>,
}

impl Placement for View<'_> {
    fn owner(&self, name: &Name) -> Should {
        let kind = match self.registry.resolve(name) {
            // Its node died on the way: the target has its state, and goes first (ownership,
            // consequence 1), also where it takes no more by now: nobody else knows that.
            Resolution::Orphan { claim: Claim { at: At::Moving { to, .. }, .. }, .. }
                if self.placing.member(&to).is_some() =>
            {
                return Should::Node(to);
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
        let under = Under::of(self.under, name);
        let may_own = under.is_none_or(|under| under.may_own(self.is_agreed));
        match self.registry.resolve(name) {
            Resolution::Free => Is::Free,
            Resolution::Pending { .. } => Is::Pending,
            Resolution::Orphan { claim, .. } if claim.spec.is_none() => Is::Free,
            // Under a quorum its node may still run it.
            Resolution::Orphan { .. } if !may_own || under.is_some_and(Under::holds_orphans) => {
                Is::Pending
            }
            Resolution::Orphan { .. } => Is::Orphan,
            Resolution::Held { node, .. } if node != self.me => Is::There(node.clone()),
            Resolution::Held { claim, .. } => {
                let movable = claim.spec.is_some()
                    && matches!(claim.at, At::Running(_))
                    && !self.conflicts.holds(name)
                    && !self.adopted.contains_key(name);
                if movable && !may_own {
                    return Is::Pending;
                }
                Is::Here { movable, moving: self.moves.of(name).is_some() }
            }
        }
    }
}
