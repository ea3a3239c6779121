//! The reconciler: level-triggered, so that nothing depends on having seen every change.
//!
//! A marked name is looked at, its place compared with where it should be, and at most one action
//! comes of it. What cannot be done now stays marked, parked by what it waits for: a move slot,
//! the agreement on the ring, a moment. A slow sweep marks everything, for what was missed.

use super::flaps::Flaps;
use super::marks::{Lane, Marks};
use super::placement::{Acting, Action, Is, Placement, Should};
use crate::config::Checked;
use std::time::Duration;
use swarm_base::{Instant, Name, NodeId, NodeName, Rng};

/// Plans what to do about names. Pure: it sees the world through [`Placement`] and acts on
/// nothing.
///
/// Call [`plan`](Self::plan) when [`poll_timeout`](Self::poll_timeout) says so, and whenever a
/// move slot has come free or this node may decide as an owner again. It may be called at any
/// time.
#[derive(Debug)]
pub struct Reconciler {
    config: Checked,
    me: NodeId,
    rng: Rng,
    /// The names, noted with the actions that were planned and have not had the effect, if any,
    /// that settles the name.
    marks: Marks<Planned>,
    hold: Option<Hold>,
    flaps: Flaps,
    sweep: Instant,
    /// What was allowed at the last plan, less what that plan used up.
    acting: Acting,
    latest: Instant,
}

/// The ring's last changes, as far as each followed the one before within the hold-down.
#[derive(Clone, Copy, Debug)]
struct Hold {
    first: Instant,
    last: Instant,
}

#[derive(Debug)]
struct Planned {
    verdict: Verdict,
    /// When the same is planned again.
    again: Instant,
    delay: Duration,
}

/// What a name wants.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Start,
    Move(NodeId),
    Adopt(NodeId),
}

impl Reconciler {
    /// A reconciler of node `me` that asks for a first sweep at once.
    #[must_use]
    pub fn new(now: Instant, config: Checked, me: NodeId, rng: Rng) -> Self {
        Self {
            config,
            me,
            rng,
            marks: Marks::default(),
            hold: None,
            flaps: Flaps::default(),
            sweep: now,
            acting: Acting { decides: false, slots: 0 },
            latest: now,
        }
    }

    /// Something about `name` may have changed: it is looked at next. Marking twice is once.
    pub fn mark(&mut self, name: Name) {
        self.marks.mark(name);
    }

    /// Marks each of `names`.
    pub fn mark_all(&mut self, names: impl IntoIterator<Item = Name>) {
        for name in names {
            self.marks.mark(name);
        }
    }

    /// Makes room for `names` marked names in all, which costs address space, and memory only as
    /// they are marked. Without it the table grows where it is full, and no step is short then.
    pub fn expect(&mut self, names: usize) {
        self.marks.expect(names);
    }

    /// Nothing can be done about `name` before `until`, for example
    /// [`Busy::until`](crate::Busy::until). A mark brings it forward.
    pub fn postpone(&mut self, name: Name, until: Instant) {
        self.marks.forget(&name);
        self.marks.postpone(name, until);
    }

    /// The ring changed: everything is looked at again, whatever was planned before is forgotten,
    /// and moves wait until the ring has been still for a moment. Starts of orphans do not wait
    /// for that.
    pub fn ring_changed(&mut self, now: Instant) {
        self.latest = now;
        self.marks.begin_era();
        self.sweep = self.sweep.min(now);
        let first = match self.hold {
            Some(hold) if now.since(hold.last) < self.config.hold_down => hold.first,
            _ => now,
        };
        self.hold = Some(Hold { first, last: now });
    }

    /// A node takes names from now on. Nothing moves to one that did so lately, and ceased to, until
    /// it has stayed.
    pub fn node_joined(&mut self, now: Instant, node: &NodeName) {
        self.flaps.joined(now, node, self.config.flap_window, self.config.flap_hold);
    }

    /// A node takes no names any more.
    pub fn node_left(&mut self, now: Instant, node: &NodeName) {
        self.flaps.left(now, node, self.config.flap_window);
    }

    /// How many names are marked, those that wait for something included.
    #[must_use]
    pub fn marked(&self) -> usize {
        self.marks.len()
    }

    /// Looks at up to `budget` marked names and says what to do about them, in the order of their
    /// marks: at most `acting.slots` moves, and moves and starts only where `acting.decides`.
    pub fn plan(
        &mut self,
        now: Instant,
        view: &impl Placement,
        budget: usize,
        acting: Acting,
    ) -> Vec<Action> {
        self.latest = now;
        self.acting = acting;
        let mut actions = Vec::new();
        self.plan_sweep(now, &mut actions);
        for _ in 0..budget {
            let Some(name) = self.next(now) else { break };
            actions.extend(self.look(now, view, name));
        }
        actions
    }

    /// Looks at `name` in a sweep, after a [`plan`](Self::plan) and with what that was allowed. What
    /// waits for its turn, or was put off since the ring changed last, has not been missed: its own
    /// look comes.
    ///
    /// A million names that are marked first take twice as long: most want nothing.
    pub fn sweep(&mut self, view: &impl Placement, name: Name) -> Option<Action> {
        if self.marks.comes_up(&name) {
            return None;
        }
        self.look(self.latest, view, name)
    }

    /// When [`plan`](Self::plan) has something to do: a moment that has passed where marked names
    /// could go on at once, the next sweep at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let open = |lane| !self.marks.is_empty(lane);
        if open(Lane::Ready) || (self.acting.decides && open(Lane::Starts)) {
            return Some(self.latest);
        }
        let mut next = self.sweep;
        if let Some(due) = self.marks.next_due() {
            next = next.min(due);
        }
        if open(Lane::Moves) && self.has_slot() {
            next = next.min(self.held_until().unwrap_or(self.latest));
        }
        // Whoever forgets to call when a slot comes free, or the ring is agreed, waits this long.
        if open(Lane::Moves) || open(Lane::Starts) {
            next = next.min(self.latest + self.config.recheck);
        }
        Some(next)
    }

    fn plan_sweep(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if now < self.sweep {
            return;
        }
        // Jitter keeps the nodes of a cluster from sweeping together for ever.
        let sweep = self.config.sweep;
        self.sweep = now + self.rng.duration(sweep / 10 * 9..=sweep / 10 * 11);
        actions.push(Action::Sweep);
    }

    fn next(&mut self, now: Instant) -> Option<Name> {
        if let Some(name) = self.marks.pop(Lane::Ready) {
            return Some(name);
        }
        if let Some(name) = self.marks.pop_due(now) {
            return Some(name);
        }
        if self.acting.decides
            && let Some(name) = self.marks.pop(Lane::Starts)
        {
            return Some(name);
        }
        if self.may_move(now) { self.marks.pop(Lane::Moves) } else { None }
    }

    fn look(&mut self, now: Instant, view: &impl Placement, name: Name) -> Option<Action> {
        let verdict = match view.is(&name) {
            Is::Free | Is::There(_) | Is::Here { movable: false, .. } => None,
            Is::Pending | Is::Here { moving: true, .. } => return self.wait(now, name),
            Is::Here { .. } => match view.owner(&name) {
                Should::Node(owner) if owner == self.me => None,
                Should::Node(owner) => Some(Verdict::Move(owner)),
                Should::Nobody => None,
                Should::Unknown => return self.wait(now, name),
            },
            Is::Orphan => match view.owner(&name) {
                Should::Node(owner) if owner == self.me => Some(Verdict::Start),
                Should::Node(owner) => Some(Verdict::Adopt(owner)),
                Should::Nobody => None,
                Should::Unknown => return self.wait(now, name),
            },
        };
        match verdict {
            Some(verdict) => self.act(now, name, verdict),
            None => {
                self.marks.forget(&name);
                None
            }
        }
    }

    fn act(&mut self, now: Instant, name: Name, verdict: Verdict) -> Option<Action> {
        let known = self.marks.note(&name).filter(|planned| planned.verdict == verdict);
        match (&verdict, known) {
            (_, Some(planned)) if now < planned.again => {
                let again = planned.again;
                self.marks.postpone(name, again);
                return None;
            }
            (Verdict::Start, _) if !self.acting.decides => {
                self.marks.park(name, Lane::Starts);
                return None;
            }
            (Verdict::Move(_), _) if !self.may_move(now) => {
                self.marks.park(name, Lane::Moves);
                return None;
            }
            (Verdict::Move(to), _) => {
                if let Some(until) = self.flaps.held_until(now, &to.name) {
                    self.marks.postpone(name, until);
                    return None;
                }
            }
            // Its owner holds the same facts, or will: handing it over at once would have every
            // node send every orphan to its owner.
            (Verdict::Adopt(_), None) => {
                self.remember(now, name, verdict, self.config.adopt_after);
                return None;
            }
            _ => (),
        }
        let delay = known.map_or(self.config.recheck, |planned| {
            planned.delay.saturating_mul(2).min(self.config.backoff_max)
        });
        self.remember(now, name.clone(), verdict.clone(), delay);
        Some(match verdict {
            Verdict::Start => Action::Start(name),
            Verdict::Adopt(to) => Action::Adopt { name, to },
            Verdict::Move(to) => {
                self.acting.slots -= 1;
                Action::Move { name, to }
            }
        })
    }

    /// Looks at `name` again after `delay`, and plans the same for it not before.
    fn remember(&mut self, now: Instant, name: Name, verdict: Verdict, delay: Duration) {
        let again = now + delay;
        self.marks.postpone_with(name, again, Planned { verdict, again, delay });
    }

    fn wait(&mut self, now: Instant, name: Name) -> Option<Action> {
        self.marks.postpone(name, now + self.config.recheck);
        None
    }

    fn has_slot(&self) -> bool {
        self.acting.decides && self.acting.slots > 0
    }

    fn may_move(&self, now: Instant) -> bool {
        self.has_slot() && self.held_until().is_none_or(|until| until <= now)
    }

    /// Until when moves wait for the ring to be still; a ring that never is holds them for so
    /// long and no longer.
    fn held_until(&self) -> Option<Instant> {
        let hold = self.hold?;
        Some((hold.last + self.config.hold_down).min(hold.first + self.config.hold_down_max))
    }
}
