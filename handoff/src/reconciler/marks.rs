//! Names that want a look, each once, in the order in which they were marked.

use std::collections::{BTreeMap, VecDeque};
use swarm_base::{Index, Instant, Name};

/// Marked names in lanes, each with a note on what was done about it last; a name is in one lane at
/// a time.
///
/// A name that leaves a lane other than by its turn leaves its entry behind, which is skipped when
/// its turn comes: a queue that can be searched costs twice as much for a million names. Notes stand
/// beside the place in the lane, since a second table would be a further cache miss for each name.
#[derive(Debug)]
pub(super) struct Marks<N> {
    places: Index<Name, Place<N>>,
    queues: [VecDeque<(u64, Name)>; 3],
    /// How many names wait in each of the queues; the rest of their entries was left behind.
    waiting: [usize; 3],
    later: BTreeMap<(Instant, u64), Name>,
    tickets: u64,
    /// Notes of an earlier era are void.
    era: u64,
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

#[derive(Debug)]
struct Place<N> {
    wait: Wait,
    /// Which of the name's entries is the present one.
    ticket: u64,
    /// When it was put there.
    era: u64,
    note: Option<N>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// It is being looked at.
    Taken,
    Lane(Lane),
    Until(Instant),
}

impl<N> Default for Marks<N> {
    fn default() -> Self {
        Self {
            places: Index::default(),
            queues: Default::default(),
            waiting: [0; 3],
            later: BTreeMap::new(),
            tickets: 0,
            era: 0,
        }
    }
}

impl<N> Marks<N> {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether no name waits in `lane`.
    pub(super) const fn is_empty(&self, lane: Lane) -> bool {
        self.waiting[lane as usize] == 0
    }

    /// Makes room for `names` names in all: a table that grows while it is full holds up whoever
    /// marks the next name, for 50 ms at half a million.
    pub(super) fn expect(&mut self, names: usize) {
        self.places.reserve(names.saturating_sub(self.places.len()));
        for queue in &mut self.queues {
            queue.reserve(names.saturating_sub(queue.len()));
        }
    }

    /// Puts `name` into the lane that is looked at next, at its end. A name that is there already
    /// keeps its place.
    pub(super) fn mark(&mut self, name: Name) {
        match self.places.get(&name).map(|place| place.wait) {
            Some(Wait::Lane(Lane::Ready)) => (),
            _ => self.park(name, Lane::Ready),
        }
    }

    /// Whether something brings `name` up: it is in a lane, or has been put off in this era.
    pub(super) fn comes_up(&self, name: &Name) -> bool {
        self.places.get(name).is_some_and(|place| match place.wait {
            Wait::Taken | Wait::Lane(_) => true,
            Wait::Until(_) => place.era == self.era,
        })
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

    /// Lets `name` wait until `at`, with a note.
    pub(super) fn postpone_with(&mut self, name: Name, at: Instant, note: N) {
        let ticket = self.place(&name, Wait::Until(at));
        if let Some(place) = self.places.get_mut(&name) {
            place.note = Some(note);
        }
        self.later.insert((at, ticket), name);
    }

    /// What was noted of `name` in this era, if it has not been forgotten since.
    pub(super) fn note(&self, name: &Name) -> Option<&N> {
        let place = self.places.get(name).filter(|place| place.era == self.era)?;
        place.note.as_ref()
    }

    /// Nothing that was noted until now counts any more.
    pub(super) const fn begin_era(&mut self) {
        self.era += 1;
    }

    /// Nothing is to be done about `name`.
    pub(super) fn forget(&mut self, name: &Name) {
        if let Some(place) = self.places.swap_remove(name) {
            self.vacate(place.wait, place.ticket);
        }
    }

    /// Takes the first name out of `lane`, for a look: it is put somewhere again, or forgotten.
    pub(super) fn pop(&mut self, lane: Lane) -> Option<Name> {
        while !self.is_empty(lane) {
            let (ticket, name) = self.queues[lane as usize].pop_front()?;
            if let Some(place) = self.places.get_mut(&name)
                && place.ticket == ticket
            {
                place.wait = Wait::Taken;
                self.leave(lane);
                return Some(name);
            }
        }
        None
    }

    /// Takes the first name that has waited long enough for a moment, for a look.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Name> {
        let first = self.later.first_entry().filter(|entry| entry.key().0 <= now)?;
        let name = first.remove();
        if let Some(place) = self.places.get_mut(&name) {
            place.wait = Wait::Taken;
        }
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
        let (ticket, era) = (self.tickets, self.era);
        let Some(place) = self.places.get_mut(name) else {
            self.places.insert(name.clone(), Place { wait, ticket, era, note: None });
            return ticket;
        };
        if place.era != era {
            (place.era, place.note) = (era, None);
        }
        let before = (place.wait, place.ticket);
        (place.wait, place.ticket) = (wait, ticket);
        self.vacate(before.0, before.1);
        ticket
    }

    /// Nobody waits there any more.
    fn vacate(&mut self, wait: Wait, ticket: u64) {
        match wait {
            Wait::Taken => (),
            Wait::Lane(lane) => self.leave(lane),
            Wait::Until(at) => drop(self.later.remove(&(at, ticket))),
        }
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
        let mut marks = Marks::<u8>::default();
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
        assert_eq!(marks.len(), 3, "all are being looked at");
        for text in ["a", "b", "c"] {
            marks.forget(&name(text));
        }
        assert_eq!(marks.len(), 0);
    }

    #[test]
    fn a_postponed_name_waits_for_its_moment() {
        let mut marks = Marks::<u8>::default();
        marks.postpone(name("late"), at(20));
        marks.postpone(name("soon"), at(10));
        assert_eq!((marks.next_due(), marks.pop_due(at(9))), (Some(at(10)), None));
        assert_eq!(marks.pop_due(at(30)), Some(name("soon")));
        assert_eq!(marks.pop_due(at(30)), Some(name("late")));
    }

    #[test]
    fn a_note_holds_until_it_is_forgotten_or_its_era_is_over() {
        let mut marks = Marks::default();
        marks.postpone_with(name("n"), at(10), 7);
        marks.mark(name("n"));
        assert_eq!(marks.pop(Lane::Ready), Some(name("n")));
        assert_eq!(marks.note(&name("n")), Some(&7), "looks do not change it");
        marks.postpone(name("n"), at(20));
        assert_eq!(marks.note(&name("n")), Some(&7));
        marks.begin_era();
        assert_eq!(marks.note(&name("n")), None);
        marks.postpone(name("n"), at(30));
        assert_eq!(marks.note(&name("n")), None, "it does not come back");
        marks.postpone_with(name("n"), at(40), 8);
        marks.forget(&name("n"));
        assert_eq!((marks.note(&name("n")), marks.len(), marks.next_due()), (None, 0, None));
    }

    #[test]
    fn what_has_a_turn_or_a_moment_comes_up() {
        let mut marks = Marks::<u8>::default();
        assert!(!marks.comes_up(&name("n")));
        marks.park(name("n"), Lane::Moves);
        assert!(marks.comes_up(&name("n")), "its turn comes");
        marks.postpone(name("n"), at(10));
        assert!(marks.comes_up(&name("n")), "its moment comes");
        marks.begin_era();
        assert!(!marks.comes_up(&name("n")), "it was put off for what does not count any more");
        marks.forget(&name("n"));
        assert!(!marks.comes_up(&name("n")));
    }

    proptest! {
        #[test]
        fn whatever_is_done_places_and_queue_agree(
            steps in prop::collection::vec((0u8..9, 0u8..8, 0u64..5), 0..400),
        ) {
            let mut marks = Marks::<u8>::default();
            for (step, which, when) in steps {
                let name = Name::from_value(&which).expect("a name");
                match step {
                    0 => marks.mark(name),
                    1 => marks.park(name, Lane::Starts),
                    2 => marks.park(name, Lane::Moves),
                    3 => marks.postpone(name, at(when)),
                    4 | 5 => {
                        let popped = match step {
                            4 => marks.pop(Lane::Ready),
                            _ => marks.pop_due(at(when)),
                        };
                        if let Some(name) = popped {
                            marks.forget(&name);
                        }
                    }
                    6 => marks.postpone_with(name, at(when), when as u8),
                    7 => marks.forget(&name),
                    _ => marks.begin_era(),
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
