//! Drain and goodbye: a node hands over what it runs before it goes.

use super::{Drained, Event, Node, Owner};
use std::time::Duration;
use swarm_base::{Instant, Name};
use swarm_handoff::Accepting;
use swarm_registry::At;

/// Where a node is on its way out.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    drain: Option<Drain>,
    goodbye: Option<Goodbye>,
}

#[derive(Debug)]
struct Drain {
    until: Instant,
    look: Instant,
    total: usize,
    left: usize,
}

/// A goodbye that waits until the peers have read what this node wrote last: they listen to it no
/// more once they know that it has left.
#[derive(Debug)]
struct Goodbye {
    until: Instant,
    look: Instant,
}

/// How long a goodbye waits for peers that do not answer.
const READ_WITHIN: Duration = Duration::from_millis(500);

/// How soon a drain looks again at what is left, at least.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A look goes through every claim of this node, about 0.1 µs each (1 µs unoptimised): so long for
/// each name that is left keeps the looks to some percent of the time that the moves get.
const LOOK_PER_NAME: Duration = Duration::from_micros(20);

/// How long after a look that found so many names the next one is.
fn pause(left: usize) -> Duration {
    LOOK_EVERY.max(LOOK_PER_NAME.saturating_mul(u32::try_from(left).unwrap_or(u32::MAX)))
}

impl Leaving {
    /// Whether the node starts nothing more.
    pub(super) const fn is_leaving(&self) -> bool {
        self.drain.is_some()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let drain = self.drain.as_ref().filter(|drain| drain.left > 0).map(|drain| drain.look);
        drain.into_iter().chain(self.goodbye.as_ref().map(|goodbye| goodbye.look)).min()
    }
}

impl Node {
    /// Moves everything away, until `left` is over. `Event::Draining` tells how far it is, and is
    /// due again for each time that this is asked; of several at once the last deadline counts.
    pub(crate) fn drain(&mut self, now: Instant, left: Duration) {
        self.touch(now);
        self.moves.set_accepting(Accepting::Leaving);
        let total = self.to_hand_over().count() + self.names.starts();
        let under_way = self.leaving.drain.as_ref().filter(|drain| drain.left > 0);
        let until = under_way.map_or(now + left, |drain| drain.until.max(now + left));
        self.leaving.drain = Some(Drain { until, look: now, total, left: total.max(1) });
        self.set_ready(now, false);
        self.check_leaving(now);
    }

    /// A drain is over, or was thought better of.
    pub(crate) fn stop_draining(&mut self, now: Instant) {
        if self.is_closing {
            return;
        }
        if let Some(drain) = self.leaving.drain.take().filter(|drain| drain.left > 0) {
            let (left, total) = (drain.left, drain.total);
            self.emit(Event::Draining { left, total, end: Some(Drained::Cancelled) });
        }
        self.moves.set_accepting(Accepting::Yes);
        self.touch(now);
    }

    /// Says goodbye: the others hold this node as left, and start what it still runs. They first
    /// read what it has logged, for half a second at most.
    pub(crate) fn depart(&mut self, now: Instant) {
        self.registry.flush();
        self.leaving.goodbye = Some(Goodbye { until: now + READ_WITHIN, look: now });
        self.check_goodbye(now);
        self.touch(now);
    }

    fn check_goodbye(&mut self, now: Instant) {
        let Some(goodbye) = &mut self.leaving.goodbye else { return };
        if now < goodbye.look {
            return;
        }
        goodbye.look = now + LOOK_EVERY;
        let written = Some(self.registry.position(&self.me));
        let is_read = self.registry.progress().all(|peer| peer.acknowledged >= written);
        if is_read || goodbye.until <= now {
            self.leaving.goodbye = None;
            self.swim.leave(now);
        }
    }

    /// Closes all sessions.
    pub(crate) fn close(&mut self, now: Instant) {
        self.registry.flush();
        self.settle_facts(now);
        self.links.close_all(now, swarm_link::Reason::Shutdown);
        self.touch(now);
    }

    pub(super) fn check_leaving(&mut self, now: Instant) {
        self.check_goodbye(now);
        let Some(drain) = &self.leaving.drain else { return };
        if drain.left == 0 || now < drain.look {
            return;
        }
        let (until, total, before) = (drain.until, drain.total, drain.left);
        // A name on its way is both claimed and in flight, until its new claim is here.
        let claimed = self.to_hand_over().count();
        let left = claimed.max(self.moves.in_flight()) + self.names.starts();
        let nowhere = left > 0 && self.moves.in_flight() == 0 && !self.somebody_takes();
        let end = match left {
            0 => Some(Drained::Empty),
            _ if nowhere => Some(Drained::Nowhere),
            _ => (until <= now).then_some(Drained::Overdue),
        };
        if let Some(drain) = &mut self.leaving.drain {
            drain.look = (now + pause(left)).min(until);
            drain.left = if end.is_some() { 0 } else { left };
        }
        if end.is_some() || left != before {
            self.emit(Event::Draining { left, total, end });
        }
    }

    /// The names that another node could run.
    fn to_hand_over(&self) -> impl Iterator<Item = Name> {
        self.registry
            .own_claims()
            .filter(|claim| claim.spec.is_some() && !matches!(claim.at, At::Waiting))
            .map(|claim| claim.name)
    }

    /// Whether any of them has somewhere to go.
    fn somebody_takes(&self) -> bool {
        self.registry.own_claims().any(|claim| {
            claim.spec.as_ref().is_some_and(|spec| {
                matches!(self.owner_of(&spec.kind, &claim.name), Owner::Node(node) if node != self.me)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drain_of_many_names_looks_at_them_less_often() {
        let check = |left: usize, millis: u64| {
            assert_eq!(pause(left), Duration::from_millis(millis), "{left} names left");
        };
        check(0, 20);
        check(1_000, 20);
        check(10_000, 200);
        check(1_000_000, 20_000);
    }
}
