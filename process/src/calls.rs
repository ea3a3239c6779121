//! Calls to other nodes that wait for an answer.

use crate::{CallFailure, Waiter};
use bytes::Bytes;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use swarm_base::Boot;

/// The pending calls of one node, by a number that travels with each.
///
/// A number is used once: a late answer to an old call finds nothing. Their number is bounded by
/// the callers that wait, each of which has a deadline.
#[derive(Debug, Default)]
pub struct Calls {
    shards: [Mutex<Shard>; SHARDS],
    turn: AtomicUsize,
    /// How many calls were passed on since the last sweep.
    passed_on: AtomicUsize,
}

#[derive(Debug, Default)]
struct Shard {
    places: Vec<Place>,
    free: Vec<u32>,
}

#[derive(Debug, Default)]
struct Place {
    generation: u32,
    call: Option<(Boot, Arc<dyn Waiter>)>,
}

impl Calls {
    /// No calls.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Enters a call to the node `to`. The number is never 0.
    pub fn open(&self, to: Boot, waiter: Arc<dyn Waiter>) -> u64 {
        let at_shard = self.turn.fetch_add(1, Ordering::Relaxed) % SHARDS;
        let mut shard = self.shard(at_shard);
        let at = shard.free.pop().unwrap_or_else(|| {
            shard.places.push(Place { generation: 1, call: None });
            u32::try_from(shard.places.len() - 1).expect("fewer than 2^32 calls")
        });
        let place = &mut shard.places[at as usize];
        place.call = Some((to, waiter));
        number(place.generation, at, at_shard)
    }

    /// Enters a call whose mail is passed on to the node `to`. Its caller does not know the number
    /// and cannot cancel it: from time to time those whose callers have gone are forgotten.
    pub fn pass_on(&self, to: Boot, waiter: Arc<dyn Waiter>) -> u64 {
        let passed = self.passed_on.fetch_add(1, Ordering::Relaxed) + 1;
        // A sweep looks at every place: once for half as many calls costs each of them two looks.
        if passed.is_multiple_of(SWEEP_AFTER) && passed >= self.places() / 2 {
            self.passed_on.store(0, Ordering::Relaxed);
            self.sweep();
        }
        self.open(to, waiter)
    }

    /// Answers the call, whichever node the answer comes from: the process may have moved, and the
    /// call with it. `false` where nobody waits for it any more.
    pub fn finish(&self, correlation: u64, outcome: Result<Bytes, CallFailure>) -> bool {
        let Some((_, waiter)) = self.take(correlation) else { return false };
        match outcome {
            Ok(reply) => waiter.fill(reply),
            Err(failure) => waiter.fail(failure),
        }
        true
    }

    /// Forgets the call: its caller has gone.
    pub fn cancel(&self, correlation: u64) {
        self.take(correlation);
    }

    /// Fails all calls to a node that is gone. Says how many.
    pub fn fail_node(&self, boot: Boot) -> usize {
        let mut failed = Vec::new();
        for at_shard in 0..SHARDS {
            let shard = &mut *self.shard(at_shard);
            for (at, place) in (0..).zip(&mut shard.places) {
                if place.call.as_ref().is_some_and(|call| call.0 == boot) {
                    failed.extend(place.take());
                    shard.free.push(at);
                }
            }
        }
        for (_, waiter) in &failed {
            waiter.fail(CallFailure::NodeDown);
        }
        failed.len()
    }

    /// Forgets the calls whose callers have their outcome or have gone. Says how many.
    fn sweep(&self) -> usize {
        let mut gone = Vec::new();
        for at_shard in 0..SHARDS {
            let shard = &mut *self.shard(at_shard);
            for (at, place) in (0..).zip(&mut shard.places) {
                let is_gone = |call: &(Boot, Arc<dyn Waiter>)| {
                    call.1.is_done() || Arc::strong_count(&call.1) == 1
                };
                if place.call.as_ref().is_some_and(is_gone) {
                    gone.extend(place.take());
                    shard.free.push(at);
                }
            }
        }
        gone.len()
    }

    /// How many calls wait.
    #[must_use]
    pub fn len(&self) -> usize {
        (0..SHARDS).map(|at| self.shard(at)).map(|s| s.places.len() - s.free.len()).sum()
    }

    /// Whether no call waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many calls there is room for: as many as have waited at once.
    fn places(&self) -> usize {
        (0..SHARDS).map(|at| self.shard(at).places.len()).sum()
    }

    fn take(&self, correlation: u64) -> Option<(Boot, Arc<dyn Waiter>)> {
        let (generation, at, at_shard) = parts(correlation);
        let shard = &mut *self.shard(at_shard);
        let place = shard.places.get_mut(at as usize).filter(|p| p.generation == generation)?;
        // An empty place waits in the list of free ones already.
        place.call.as_ref()?;
        let call = place.take();
        shard.free.push(at);
        call
    }

    fn shard(&self, at: usize) -> MutexGuard<'_, Shard> {
        self.shards[at].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn take(&mut self) -> Option<(Boot, Arc<dyn Waiter>)> {
        // Never 0, so that no call has the number 0.
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        self.call.take()
    }
}

fn number(generation: u32, at: u32, shard: usize) -> u64 {
    assert!(at < 1 << (32 - SHARD_BITS), "fewer than 2^29 calls in a shard");
    u64::from(generation) << 32 | u64::from(at) << SHARD_BITS | shard as u64
}

fn parts(correlation: u64) -> (u32, u32, usize) {
    let low = correlation as u32;
    ((correlation >> 32) as u32, low >> SHARD_BITS, low as usize % SHARDS)
}

/// How many calls are passed on before those whose callers have gone are looked for, at least.
const SWEEP_AFTER: usize = 64;

const SHARD_BITS: u32 = 3;

/// Callers on different threads seldom meet.
const SHARDS: usize = 1 << SHARD_BITS;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, Slot, Stage};
    use std::task::{Context, Poll, Waker};

    fn boot(millis: u64) -> Boot {
        Boot { millis, random: 0 }
    }

    fn slot() -> Arc<Slot<u8>> {
        Arc::new(Slot::new(Stage::Queued))
    }

    fn outcome(slot: &Slot<u8>) -> Poll<Result<Answer<u8>, CallFailure>> {
        slot.poll_outcome(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn an_answer_finds_its_call_once() {
        let calls = Calls::new();
        let waiting = slot();
        let number = calls.open(boot(1), Arc::clone(&waiting) as _);
        assert!(calls.finish(number, Ok(Bytes::new())));
        assert!(!calls.finish(number, Ok(Bytes::new())), "twice");
        assert_eq!(outcome(&waiting), Poll::Ready(Ok(Answer::Wire(Bytes::new()))));
        assert!(calls.is_empty());
    }

    #[test]
    fn a_late_answer_does_not_reach_the_next_call_in_its_place() {
        let calls = Calls::new();
        let old = calls.open(boot(1), slot());
        calls.cancel(old);
        let mut reused = Vec::new();
        for _ in 0..SHARDS {
            let waiting = slot();
            reused.push((calls.open(boot(1), Arc::clone(&waiting) as _), waiting));
        }
        assert!(!calls.finish(old, Ok(Bytes::new())));
        assert!(reused.iter().all(|(number, waiting)| *number != old && !waiting.is_done()));
    }

    #[test]
    fn a_dead_node_fails_its_calls_and_no_others() {
        let calls = Calls::new();
        let (dead, live) = (slot(), slot());
        calls.open(boot(1), Arc::clone(&dead) as _);
        let number = calls.open(boot(2), Arc::clone(&live) as _);
        assert_eq!(calls.fail_node(boot(1)), 1);
        assert_eq!(outcome(&dead), Poll::Ready(Err(CallFailure::NodeDown)));
        assert!(!live.is_done());
        assert!(calls.finish(number, Ok(Bytes::new())));
    }

    #[test]
    fn a_sweep_forgets_only_whom_nobody_waits_for() {
        let calls = Calls::new();
        let (live, done) = (slot(), slot());
        let number = calls.open(boot(1), Arc::clone(&live) as _);
        calls.open(boot(1), Arc::clone(&done) as _);
        calls.open(boot(1), slot());
        done.expire();
        assert_eq!((calls.sweep(), calls.len()), (2, 1));
        assert!(calls.finish(number, Ok(Bytes::new())));
    }

    #[test]
    fn calls_that_are_passed_on_and_given_up_are_forgotten() {
        let calls = Calls::new();
        let live = slot();
        let number = calls.open(boot(1), Arc::clone(&live) as _);
        for _ in 0..100 * SWEEP_AFTER {
            calls.pass_on(boot(1), slot());
        }
        assert!(calls.places() <= 2 * SWEEP_AFTER, "{} places", calls.places());
        assert!(calls.finish(number, Ok(Bytes::new())));
    }

    #[test]
    fn numbers_from_outside_do_no_harm() {
        let calls = Calls::new();
        for number in [0, 1, u64::MAX, 1 << 32, (1 << 32) | 8] {
            assert!(!calls.finish(number, Ok(Bytes::new())));
        }
    }
}
