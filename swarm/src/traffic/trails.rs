//! Nothing overtakes what was sent to a process before it moved.
//!
//! Until a node knows where a name has moved to, it sends to the old process, whose node passes
//! the message on. What it sends to the new process goes straight there, and would arrive before
//! messages that are still on the longer way (ownership, consequence 8). So the first message to
//! a process that has moved waits: its node sends a [`Follow`](super::Frame::Follow) after all that
//! went to the old process, over the same queues; where that arrives, everything before it has, and
//! the answer opens the straight way. This costs one round trip for each moved name that a node
//! sends to, and nothing for others.
//!
//! Two moves that follow each other while a message is on its way are not covered where a node
//! that passes messages on has learned of the second between two of them: it sends straight to
//! the last.

use super::remembered::Remembered;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use swarm_base::{Boot, Instant, Pid};

/// The ways by which messages went to processes that have moved, by where these are now.
#[derive(Debug)]
pub(crate) struct Trails {
    me: Boot,
    trails: Remembered<Trail>,
    /// Where processes have moved to, as far as this node has been told of their names.
    left: Remembered<Pid>,
    /// Counts the questions.
    asked: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Trail {
    /// The process that messages were sent to.
    old: Pid,
    /// When the move became known.
    laid: Instant,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Messages may be on their way, and nobody has asked.
    Open,
    /// Asked, by this number.
    Asked { number: u64, at: Instant },
    /// All have arrived.
    Over,
}

/// Whether messages may go straight to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Straight,
    /// Once what was sent to `old` has been followed to `pid`, where its name was next: the caller
    /// asks by this number.
    Ask {
        pid: Pid,
        old: Pid,
        number: u64,
    },
    /// Once an answer is here.
    Wait,
}

/// How long a message may take through the node that its process has left. What takes longer waits
/// in a queue that is too full for any promise.
const TRAIL_MAX: Duration = Duration::from_secs(10);

/// How many moves are looked back at. Of two copies of a name each may have followed the other.
const TRAILS_MAX: u32 = 8;

/// How long an answer is waited for.
const ANSWER_MAX: Duration = Duration::from_secs(1);

impl Trails {
    pub(crate) fn new(me: Boot) -> Self {
        Self {
            me,
            trails: Remembered::new(TRAIL_MAX),
            left: Remembered::new(TRAIL_MAX),
            asked: AtomicU64::new(0),
        }
    }

    /// What this node sent to `old` may still be on its way to `new`, which has its name now.
    /// Called before anybody here can learn of `new`.
    pub(crate) fn lay(&self, now: Instant, old: Pid, new: Pid) {
        if old.boot == new.boot {
            return;
        }
        self.left.insert(now, old, new);
        self.left.remove(new);
        // What this node had for a process of its own goes along with it.
        let state = if old.boot == self.me { State::Over } else { State::Open };
        self.trails.insert(now, new, Trail { old, laid: now, state });
    }

    /// Whether a message may go straight to `pid`. Costs nothing while nothing has moved.
    pub(super) fn way(&self, now: impl Fn() -> Instant, pid: Pid) -> Way {
        if !self.trails.contains(pid) {
            return Way::Straight;
        }
        self.way_at(now(), pid, TRAILS_MAX)
    }

    fn way_at(&self, now: Instant, pid: Pid, left: u32) -> Way {
        if left == 0 {
            return Way::Straight;
        }
        let Some(trail) = self.trails.get(pid).filter(|trail| trail.is_young(now)) else {
            return Way::Straight;
        };
        // What went to those before the old one first.
        match self.way_at(now, trail.old, left - 1) {
            Way::Straight => self.ask(now, pid),
            before => before,
        }
    }

    /// The same, whatever is on its way from earlier moves.
    pub(super) fn ask(&self, now: Instant, pid: Pid) -> Way {
        let look = |trail: &mut Trail| match trail.state {
            State::Over => Way::Straight,
            State::Asked { at, .. } if now.since(at) > ANSWER_MAX => Way::Straight,
            State::Asked { .. } => Way::Wait,
            State::Open => {
                let number = self.asked.fetch_add(1, Ordering::Relaxed);
                trail.state = State::Asked { number, at: now };
                Way::Ask { pid, old: trail.old, number }
            }
        };
        self.trails.update(pid, look).unwrap_or(Way::Straight)
    }

    /// What was sent to the old process before the question `number` has arrived at `pid`, or
    /// never will.
    pub(super) fn over(&self, pid: Pid, number: u64) {
        self.change(pid, number, State::Over);
    }

    /// The question could not be sent.
    pub(super) fn unasked(&self, pid: Pid, number: u64) {
        self.change(pid, number, State::Open);
    }

    fn change(&self, pid: Pid, number: u64, to: State) {
        self.trails.update(pid, |trail| {
            if matches!(trail.state, State::Asked { number: asked, .. } if asked == number) {
                trail.state = to;
            }
        });
    }

    /// One more message has been queued for `pid`. If it has moved, also just then, what the same
    /// sender sends next must not overtake it.
    pub(super) fn sent(&self, pid: Pid) {
        if let Some(next) = self.left.get(pid).filter(|_| pid.boot != self.me) {
            self.trails.update(next, |trail| (trail.old, trail.state) = (pid, State::Open));
        }
    }

    /// The processes whose messages may be on their way through the node of `boot`.
    pub(super) fn through(&self, boot: Boot) -> Vec<Pid> {
        self.trails.those(|trail| trail.old.boot == boot && trail.state == State::Open)
    }

    /// Whether the name of `pid` has another process elsewhere, the word of its end being on its
    /// way.
    pub(crate) fn has_left(&self, now: impl Fn() -> Instant, pid: Pid) -> bool {
        let trail = self.left.get(pid).and_then(|new| self.trails.get(new));
        trail.is_some_and(|trail| trail.is_young(now()))
    }
}

impl Trail {
    /// Whether messages may still be on this way.
    fn is_young(&self, now: Instant) -> bool {
        now.since(self.laid) <= TRAIL_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: u64 = 1;

    fn pid(boot: u64, serial: u64) -> Pid {
        Pid::new(Boot { millis: boot, random: 0 }, serial)
    }

    fn at(ms: u64) -> Instant {
        Instant::after_start(Duration::from_millis(ms))
    }

    fn trails() -> Trails {
        Trails::new(pid(ME, 0).boot)
    }

    fn asked(trails: &Trails, now: Instant, pid: Pid) -> (Pid, u64) {
        match trails.way(|| now, pid) {
            Way::Ask { old, number, .. } => (old, number),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_first_one_asks_and_all_wait_for_the_answer() {
        let (trails, old, new) = (trails(), pid(2, 1), pid(3, 1));
        assert_eq!(trails.way(|| at(0), new), Way::Straight);
        trails.lay(at(0), old, new);
        let (via, number) = asked(&trails, at(5), new);
        assert_eq!(via, old);
        assert_eq!(trails.way(|| at(6), new), Way::Wait);
        trails.over(new, number + 1);
        assert_eq!(trails.way(|| at(7), new), Way::Wait, "that was another answer");
        trails.over(new, number);
        assert_eq!(trails.way(|| at(8), new), Way::Straight);
        trails.sent(old);
        let (_, again) = asked(&trails, at(9), new);
        trails.over(new, number);
        assert_eq!(trails.way(|| at(10), new), Way::Wait, "the first answer knows nothing of it");
        trails.unasked(new, again);
        asked(&trails, at(11), new);
    }

    #[test]
    fn nobody_waits_for_ever() {
        let (trails, old, new, other) = (trails(), pid(2, 1), pid(3, 1), pid(3, 2));
        trails.lay(at(0), old, new);
        trails.lay(at(0), old, other);
        asked(&trails, at(5), new);
        assert_eq!(trails.way(|| at(1_005), new), Way::Wait);
        assert_eq!(trails.way(|| at(1_006), new), Way::Straight);
        assert_eq!(trails.way(|| at(10_001), other), Way::Straight);
    }

    #[test]
    fn two_moves_are_followed_one_after_the_other() {
        let trails = trails();
        let (first, second, third) = (pid(2, 1), pid(4, 1), pid(3, 1));
        trails.lay(at(0), first, second);
        trails.lay(at(1), second, third);
        let Way::Ask { pid, old, number } = trails.way(|| at(2), third) else { panic!("asks") };
        assert_eq!((pid, old), (second, first));
        assert_eq!(trails.way(|| at(3), third), Way::Wait);
        trails.over(second, number);
        let Way::Ask { pid, old, number } = trails.way(|| at(4), third) else { panic!("asks") };
        assert_eq!((pid, old), (third, second));
        trails.over(third, number);
        assert_eq!(trails.way(|| at(5), third), Way::Straight);
        trails.sent(first);
        assert_eq!(asked(&trails, at(6), third).0, first, "one more went to the first");
        trails.sent(third);
        assert_eq!(trails.way(|| at(7), third), Way::Wait);
    }

    #[test]
    fn what_went_to_a_process_of_its_own_from_elsewhere_is_followed_on() {
        let trails = trails();
        let (first, second, third) = (pid(2, 1), pid(ME, 1), pid(3, 1));
        trails.lay(at(0), first, second);
        trails.lay(at(1), second, third);
        let (via, number) = asked(&trails, at(2), third);
        assert_eq!(via, first, "nothing was sent straight to the second");
        trails.over(second, number);
        assert_eq!(trails.way(|| at(3), third), Way::Straight);
    }

    #[test]
    fn what_went_along_with_a_process_of_its_own_is_not_asked_for() {
        let trails = trails();
        let (first, second, third) = (pid(2, 1), pid(ME, 1), pid(3, 1));
        trails.lay(at(0), first, second);
        let (_, number) = asked(&trails, at(1), second);
        trails.over(second, number);
        trails.lay(at(2), second, third);
        assert_eq!(trails.way(|| at(3), third), Way::Straight);
        trails.lay(at(4), third, pid(3, 2));
        assert_eq!(trails.way(|| at(5), pid(3, 2)), Way::Straight, "a restart is no move");
    }

    #[test]
    fn the_process_that_has_left_is_known_until_it_is_back() {
        let (trails, old, new) = (trails(), pid(2, 1), pid(3, 1));
        trails.lay(at(0), old, new);
        let has_left = |ms, pid| trails.has_left(|| at(ms), pid);
        assert!(has_left(0, old) && !has_left(0, new));
        assert!(!has_left(10_001, old), "by then its own node has said so");
        assert_eq!(trails.through(old.boot), [new]);
        // The copy that had been held dead turns out to be the one that stays.
        trails.lay(at(1), new, old);
        assert!(has_left(1, new) && !has_left(1, old));
        assert!(matches!(trails.way(|| at(2), old), Way::Ask { .. }));
    }
}
