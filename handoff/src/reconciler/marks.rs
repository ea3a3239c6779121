//! Names that want a look, each once, in the order in which they were marked.

use std::collections::{BTreeMap, VecDeque};
use swarm_base::{Index, Instant, Name};

/// Marked names in lanes; a name is in one lane at a time.
///
/// A name that leaves a lane other than by its turn leaves its entry behind, which is skipped when
/// its turn comes: a queue that can be searched costs twice as much for a million names.
#[derive(Debug, Default)]
pub(super) struct Marks {
    places: Index<Name, Place>,
    queues: [VecDeque<(u64, Name)>; 3],
    /// How many names wait in each of the queues; the rest of their entries was left behind.
    waiting: [usize; 3],
    later: BTreeMap<(Instant, u64), Name>,
    tickets: u64,
}

/// What a marked name waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Nothing: it is looked at next.
    Ready = 0,
    /// That this node may start orphans.
    Starts = 1,
    /// That a move may begin.
    Moves = 2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    wait: Wait,
    /// Which of the name's entries is the present one.
    ticket: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    Lane(Lane),
    Until(Instant),
}

impl Marks {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether no name waits in `lane`.
    pub(super) const fn is_empty(&self, lane: Lane) -> bool {
        self.waiting[lane as usize] == 0
    }

    /// Puts `name` into the lane that is looked at next, at its end. A name that is there already
    /// keeps its place.
    pub(super) fn mark(&mut self, name: Name) {
        match self.places.get(&name).map(|place| place.wait) {
            Some(Wait::Lane(Lane::Ready)) => (),
            _ => self.park(name, Lane::Ready),
        }
    }

    /// Puts `name` at the end of `lane`.
    pub(super) fn park(&mut self, name: Name, lane: Lane) {
        let ticket = self.place(&name, Wait::Lane(lane));
        self.waiting[lane as usize] += 1;
        let queue = &mut self.queues[lane as usize];
        queue.push_back((ticket, name));
        if queue.len() > 2 * self.waiting[lane as usize] + SPARE {
            queue.retain(|(ticket, name)| {
                self.places.get(name).is_some_and(|place| place.ticket == *ticket)
            });
        }
    }

    /// Lets `name` wait until `at`.
    pub(super) fn postpone(&mut self, name: Name, at: Instant) {
        let ticket = self.place(&name, Wait::Until(at));
        self.later.insert((at, ticket), name);
    }

    /// Takes the first name out of `lane`.
    pub(super) fn pop(&mut self, lane: Lane) -> Option<Name> {
        while !self.is_empty(lane) {
            let (ticket, name) = self.queues[lane as usize].pop_front()?;
            if self.places.get(&name).is_some_and(|place| place.ticket == ticket) {
                self.places.swap_remove(&name);
                self.leave(lane);
                return Some(name);
            }
        }
        None
    }

    /// Takes the first name that has waited long enough for a moment.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Name> {
        let first = self.later.first_entry().filter(|entry| entry.key().0 <= now)?;
        let name = first.remove();
        self.places.swap_remove(&name);
        Some(name)
    }

    /// When the first of those has waited long enough.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.later.first_key_value().map(|((at, _), _)| *at)
    }

    fn leave(&mut self, lane: Lane) {
        self.waiting[lane as usize] -= 1;
        if self.is_empty(lane) {
            self.queues[lane as usize].clear();
        }
    }

    /// Takes `name` from where it is and gives it a new ticket.
    fn place(&mut self, name: &Name, wait: Wait) -> u64 {
        self.tickets += 1;
        let place = Place { wait, ticket: self.tickets };
        match self.places.insert(name.clone(), place) {
            Some(Place { wait: Wait::Lane(lane), .. }) => self.leave(lane),
            Some(Place { wait: Wait::Until(at), ticket }) => drop(self.later.remove(&(at, ticket))),
            None => (),
        }
        self.tickets
    }
}

/// How many entries a queue may hold that were left behind, beside as many as names wait in it.
const SPARE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn at(millis: u64) -> Instant {
        Instant::after_start(Duration::from_millis(millis))
    }

    fn name(text: &str) -> Name {
        Name::new(text).expect("a name")
    }

    #[test]
    fn a_name_is_in_one_lane_in_the_order_of_marks() {
        let mut marks = Marks::default();
        for text in ["a", "b", "c"] {
            marks.mark(name(text));
        }
        marks.mark(name("a"));
        marks.park(name("b"), Lane::Moves);
        assert_eq!((marks.len(), marks.is_empty(Lane::Starts)), (3, true));
        assert_eq!(marks.pop(Lane::Ready), Some(name("a")), "marked again, it kept its place");
        assert_eq!(marks.pop(Lane::Ready), Some(name("c")));
        assert_eq!(marks.pop(Lane::Ready), None);
        marks.mark(name("b"));
        assert_eq!(marks.pop(Lane::Moves), None);
        assert_eq!(marks.pop(Lane::Ready), Some(name("b")));
        assert_eq!(marks.len(), 0);
    }

    #[test]
    fn a_postponed_name_waits_for_its_moment() {
        let mut marks = Marks::default();
        marks.postpone(name("late"), at(20));
        marks.postpone(name("soon"), at(10));
        assert_eq!((marks.next_due(), marks.pop_due(at(9))), (Some(at(10)), None));
        assert_eq!(marks.pop_due(at(30)), Some(name("soon")));
        assert_eq!(marks.pop_due(at(30)), Some(name("late")));
    }

    proptest! {
        #[test]
        fn whatever_is_done_places_and_queue_agree(
            steps in prop::collection::vec((0u8..6, 0u8..8, 0u64..5), 0..400),
        ) {
            let mut marks = Marks::default();
            for (step, which, when) in steps {
                let name = Name::from_value(&which).expect("a name");
                match step {
                    0 => marks.mark(name),
                    1 => marks.park(name, Lane::Starts),
                    2 => marks.park(name, Lane::Moves),
                    3 => marks.postpone(name, at(when)),
                    4 => drop(marks.pop(Lane::Ready)),
                    _ => drop(marks.pop_due(at(when))),
                }
                let waiting: usize = marks.waiting.iter().sum();
                prop_assert_eq!(marks.places.len(), waiting + marks.later.len());
                for (queue, waiting) in marks.queues.iter().zip(marks.waiting) {
                    let present = |(ticket, name): &&(u64, Name)| {
                        marks.places.get(name).is_some_and(|place| place.ticket == *ticket)
                    };
                    prop_assert_eq!(queue.iter().filter(present).count(), waiting);
                    prop_assert!(queue.len() <= 2 * waiting + SPARE + 8);
                }
            }
        }
    }
}
