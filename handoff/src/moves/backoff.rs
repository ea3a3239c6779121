//! Which targets are not tried again yet, for all names or for one.

use std::collections::BTreeMap;
use std::time::Duration;
use swarm_base::{Index, Instant, Name, NodeId};

/// Failures by target, so that a change of the target forgets them all at once.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    targets: BTreeMap<NodeId, Target>,
    swept: Instant,
}

#[derive(Debug, Default)]
struct Target {
    until: Option<Instant>,
    names: Index<Name, Failure>,
}

#[derive(Clone, Copy, Debug)]
struct Failure {
    until: Instant,
    delay: Duration,
}

impl Backoff {
    /// Until when `name` is not offered to `target`, if that is later than `now`.
    pub(super) fn until(&self, now: Instant, name: &Name, target: &NodeId) -> Option<Instant> {
        let target = self.targets.get(target)?;
        let by_name = target.names.get(name).map(|failure| failure.until);
        by_name.max(target.until).filter(|until| *until > now)
    }

    /// Nothing is offered to `target` before `until`.
    pub(super) fn block(&mut self, now: Instant, target: &NodeId, until: Instant) {
        self.sweep(now);
        let entry = self.targets.entry(target.clone()).or_default();
        entry.until = entry.until.max(Some(until));
    }

    /// `name` is not offered to `target` before `until`.
    pub(super) fn hold(&mut self, now: Instant, name: Name, target: &NodeId, until: Instant) {
        self.sweep(now);
        let failure = Failure { until, delay: Duration::ZERO };
        self.targets.entry(target.clone()).or_default().names.insert(name, failure);
    }

    /// `name` failed at `target`: the first time it waits for `bounds.0`, then twice as long up
    /// to `bounds.1`; `spread` of that, which the caller draws, so that names that failed together
    /// do not come back together.
    pub(super) fn failed(
        &mut self,
        now: Instant,
        name: Name,
        target: &NodeId,
        bounds: (Duration, Duration),
        spread: impl FnOnce(Duration) -> Duration,
    ) {
        self.sweep(now);
        let names = &mut self.targets.entry(target.clone()).or_default().names;
        let known = names.get(&name).map_or(Duration::ZERO, |failure| failure.delay);
        let delay = known.saturating_mul(2).clamp(bounds.0, bounds.1);
        names.insert(name, Failure { until: now + spread(delay), delay });
    }

    /// `name` arrived at `target`.
    pub(super) fn succeeded(&mut self, name: &Name, target: &NodeId) {
        if let Some(target) = self.targets.get_mut(target) {
            target.names.swap_remove(name);
        }
    }

    /// `target` changed or is gone: whatever it said is void.
    pub(super) fn forget_target(&mut self, target: &NodeId) {
        self.targets.remove(target);
    }

    /// `name` is not what it was: whatever was said about it is void.
    pub(super) fn forget_name(&mut self, name: &Name) {
        for target in self.targets.values_mut() {
            target.names.swap_remove(name);
        }
    }

    /// Drops what has been over for long, so that names that never come back take no room.
    fn sweep(&mut self, now: Instant) {
        if now.since(self.swept) < SWEEP {
            return;
        }
        self.swept = now;
        self.targets.retain(|_, target| {
            target.names.retain(|_, failure| now.since(failure.until) < REMEMBER);
            !target.names.is_empty() || target.until.is_some_and(|until| until > now)
        });
    }
}

/// A failure this long after its end does not lengthen the next one.
const REMEMBER: Duration = Duration::from_secs(60);

const SWEEP: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use swarm_base::{Boot, NodeName};

    const BOUNDS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

    fn at(secs: u64) -> Instant {
        Instant::after_start(Duration::from_secs(secs))
    }

    fn node(name: &str) -> NodeId {
        NodeId::new(NodeName::new(name).expect("a node name"), Boot::default())
    }

    #[test]
    fn failures_double_until_the_target_changes() {
        let (mut backoff, name, target) =
            (Backoff::default(), Name::new("n").expect("a name"), node("t"));
        let mut now = at(0);
        for wait in [1, 2, 4, 8, 16, 30, 30] {
            backoff.failed(now, name.clone(), &target, BOUNDS, |delay| delay);
            let until = backoff.until(now, &name, &target).expect("waits");
            assert_eq!(until.since(now), Duration::from_secs(wait));
            assert_eq!(backoff.until(until, &name, &target), None, "over at its end");
            assert_eq!(backoff.until(now, &name, &node("other")), None);
            now = until;
        }
        backoff.failed(now, name.clone(), &target, BOUNDS, |delay| delay);
        backoff.forget_target(&target);
        assert_eq!(backoff.until(now, &name, &target), None);
    }

    #[test]
    fn a_blocked_target_blocks_every_name() {
        let (mut backoff, name, target) =
            (Backoff::default(), Name::new("n").expect("a name"), node("t"));
        backoff.block(at(0), &target, at(5));
        assert_eq!(backoff.until(at(1), &name, &target), Some(at(5)));
        backoff.hold(at(1), name.clone(), &target, at(9));
        assert_eq!(backoff.until(at(1), &name, &target), Some(at(9)), "the later one");
        backoff.forget_name(&name);
        assert_eq!(backoff.until(at(1), &name, &target), Some(at(5)));
    }

    #[test]
    fn what_is_long_over_is_dropped() {
        let mut backoff = Backoff::default();
        for i in 0..100 {
            let name = Name::from_value(&i).expect("a name");
            backoff.failed(at(0), name, &node("t"), BOUNDS, |delay| delay);
        }
        let last = Name::new("last").expect("a name");
        backoff.failed(at(100), last, &node("u"), BOUNDS, |delay| delay);
        assert_eq!(backoff.targets.keys().collect::<Vec<_>>(), [&node("u")]);
    }
}
