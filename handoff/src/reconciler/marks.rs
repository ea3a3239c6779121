//! Names that want a look, each once, in the order in which they were marked.

use std::collections::BTreeMap;
use swarm_base::{Index, Instant, Name};

/// Marked names in lanes. All steps are logarithmic; a name is in one lane at a time.
#[derive(Debug, Default)]
pub(super) struct Marks {
    places: Index<Name, Place>,
    queue: BTreeMap<Place, Name>,
    tickets: u64,
}

/// What a marked name waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    /// Nothing: it is looked at next.
    Ready,
    /// That this node may start orphans.
    Starts,
    /// That a move may begin.
    Moves,
    /// A moment.
    Later,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    lane: Lane,
    /// The moment in [`Lane::Later`], the start in the other lanes.
    at: Instant,
    /// The order within a lane.
    ticket: u64,
}

impl Marks {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether no name waits in `lane`.
    pub(super) fn is_empty(&self, lane: Lane) -> bool {
        self.first(lane).is_none()
    }

    /// Puts `name` into the lane that is looked at next, at its end. A name that is there already
    /// keeps its place.
    pub(super) fn mark(&mut self, name: Name) {
        match self.places.get(&name).map(|place| place.lane) {
            Some(Lane::Ready) => (),
            _ => self.put(name, Lane::Ready, Instant::START),
        }
    }

    /// Puts `name` at the end of `lane`.
    pub(super) fn park(&mut self, name: Name, lane: Lane) {
        self.put(name, lane, Instant::START);
    }

    /// Lets `name` wait until `at`.
    pub(super) fn postpone(&mut self, name: Name, at: Instant) {
        self.put(name, Lane::Later, at);
    }

    /// Takes the first name out of `lane`.
    pub(super) fn pop(&mut self, lane: Lane) -> Option<Name> {
        let place = self.first(lane)?;
        let name = self.queue.remove(&place).expect("the place was found in the queue");
        self.places.swap_remove(&name);
        Some(name)
    }

    /// Takes the first name that has waited long enough out of [`Lane::Later`].
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Name> {
        let due = self.first(Lane::Later).is_some_and(|place| place.at <= now);
        if due { self.pop(Lane::Later) } else { None }
    }

    /// When the first name in [`Lane::Later`] has waited long enough.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.first(Lane::Later).map(|place| place.at)
    }

    fn first(&self, lane: Lane) -> Option<Place> {
        let start = Place { lane, at: Instant::START, ticket: 0 };
        let (place, _) = self.queue.range(start..).next()?;
        (place.lane == lane).then_some(*place)
    }

    fn put(&mut self, name: Name, lane: Lane, at: Instant) {
        self.tickets += 1;
        let place = Place { lane, at, ticket: self.tickets };
        if let Some(former) = self.places.insert(name.clone(), place) {
            self.queue.remove(&former);
        }
        self.queue.insert(place, name);
    }
}

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
            steps in prop::collection::vec((0u8..6, 0u8..8, 0u64..5), 0..200),
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
                prop_assert_eq!(marks.places.len(), marks.queue.len());
                for (place, name) in &marks.queue {
                    prop_assert_eq!(marks.places.get(name), Some(place));
                }
            }
        }
    }
}
