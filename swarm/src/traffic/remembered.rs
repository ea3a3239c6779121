//! What is noted of processes for a while.

use super::seldom::Seldom;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use swarm_base::{Instant, Pid};

/// Notes about processes, each kept for a while, the oldest forgotten first where they are too
/// many.
#[derive(Debug)]
pub(crate) struct Remembered<V> {
    notes: Seldom<Pid, V>,
    /// In the order in which they were made.
    made: Mutex<VecDeque<(Instant, Pid)>>,
    keeps: Duration,
}

/// How many notes there are at most.
const NOTES_MAX: usize = 65_536;

impl<V: Copy> Remembered<V> {
    pub(crate) fn new(keeps: Duration) -> Self {
        Self { notes: Seldom::default(), made: Mutex::default(), keeps }
    }

    /// Notes `value` of `pid`. Another value for the same process does not keep it for longer.
    pub(crate) fn insert(&self, now: Instant, pid: Pid, value: V) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !self.notes.contains(&pid);
        self.notes.insert(pid, value);
        if !is_new {
            return;
        }
        made.push_back((now, pid));
        let is_over = |(at, _): &mut (Instant, Pid)| now.since(*at) > self.keeps;
        while let Some((_, old)) =
            if made.len() > NOTES_MAX { made.pop_front() } else { made.pop_front_if(is_over) }
        {
            self.notes.remove(&old);
        }
    }

    /// Changes what is noted of `pid`, if anything is.
    pub(crate) fn update<R>(&self, pid: Pid, change: impl FnOnce(&mut V) -> R) -> Option<R> {
        self.notes.update(&pid, change)
    }

    pub(crate) fn remove(&self, pid: Pid) {
        self.notes.remove(&pid);
    }

    pub(crate) fn get(&self, pid: Pid) -> Option<V> {
        self.notes.get(&pid)
    }

    pub(crate) fn contains(&self, pid: Pid) -> bool {
        self.notes.contains(&pid)
    }

    /// The processes of which something is noted that `is_wanted`.
    pub(crate) fn those(&self, is_wanted: impl Fn(&V) -> bool) -> Vec<Pid> {
        self.notes.those(is_wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use swarm_base::Boot;

    fn pid(serial: usize) -> Pid {
        Pid::new(Boot::default(), serial as u64)
    }

    #[test]
    fn the_last_are_remembered_for_a_while() {
        let notes = Remembered::new(Duration::from_secs(60));
        let at = |secs| Instant::after_start(Duration::from_secs(secs));
        notes.insert(at(1), pid(1), 'a');
        notes.insert(at(1), pid(1), 'b');
        notes.insert(at(60), pid(2), 'c');
        assert_eq!(
            (notes.get(pid(1)), notes.get(pid(2)), notes.get(pid(3))),
            (Some('b'), Some('c'), None)
        );
        notes.insert(at(62), pid(3), 'd');
        assert!(!notes.contains(pid(1)) && notes.contains(pid(2)) && notes.contains(pid(3)));
        assert_eq!(notes.update(pid(3), |note| std::mem::replace(note, 'e')), Some('d'));
        assert_eq!(notes.update(pid(1), |note| *note), None);
        assert_eq!(notes.those(|note| *note == 'e'), [pid(3)]);
        for serial in 4..NOTES_MAX + 4 {
            notes.insert(at(62), pid(serial), 'f');
        }
        assert!(!notes.contains(pid(3)) && notes.contains(pid(4)), "the oldest went");
    }
}
