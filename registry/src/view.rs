//! Names for concurrent readers.

use crate::Event;
use crate::shared::{AtomicUsize, RwLock};
use rapidhash::quality::RapidHasher;
use std::hash::Hasher;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use swarm_base::{Fixed, Name, Pid};

/// Every name that a process has, for any number of readers: a cheap clone of one shared table.
///
/// A table of its own rather than `dashmap`: a lookup takes as long (the bench `view`), and a list of
/// all names is read in parts, while an iterator of `dashmap` holds a lock for as long as its user
/// keeps it.
///
/// One writer applies the events of a [`Registry`](crate::Registry), in order. A reader waits at
/// most for a write to the same one of 16 parts of the table, and never for the network.
#[derive(Clone, Debug)]
pub struct View(Arc<Table>);

#[derive(Debug)]
struct Table {
    parts: Vec<RwLock<Part>>,
    /// How many there are in no scope.
    unscoped: AtomicUsize,
    /// How many there are in scopes.
    scoped: AtomicUsize,
}

#[expect(
    clippy::disallowed_types,
    reason = "its order is nobody's concern, and it has the entries \
in place: an index map of a million names takes one cache miss more for each lookup"
)]
type Part = std::collections::HashMap<Name, Found, Fixed>;

/// Enough that readers and the writer seldom meet, few enough that the parts of a large table are
/// worth a large page each: a lookup among a million names takes half as long again with 256.
const PARTS: usize = 16;

/// What a lookup finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The process.
    pub pid: Pid,
    /// Its kind; `None` where it was registered by pid.
    pub kind: Option<Arc<str>>,
}

impl View {
    /// A table without names.
    #[must_use]
    pub fn new() -> Self {
        let parts = (0..PARTS).map(|_| RwLock::default()).collect();
        Self(Arc::new(Table { parts, unscoped: AtomicUsize::new(0), scoped: AtomicUsize::new(0) }))
    }

    /// Follows an event. One writer, which applies all events of one registry in their order.
    pub fn apply(&self, event: &Event) {
        let Event::Changed { name, now, kind, .. } = event else { return };
        let mut part = self.part(name.as_bytes()).write().unwrap_or_else(PoisonError::into_inner);
        match now {
            Some(pid) => {
                let found = Found { pid: *pid, kind: kind.clone() };
                if part.insert(name.clone(), found).is_none() {
                    self.0.counter(name).fetch_add(1, Ordering::Relaxed);
                }
            }
            None => {
                if part.remove(name).is_some() {
                    self.0.counter(name).fetch_sub(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// The process with the name of these bytes. Does not allocate.
    #[must_use]
    pub fn whereis(&self, name: &[u8]) -> Option<Pid> {
        let part = self.part(name).read().unwrap_or_else(PoisonError::into_inner);
        part.get(name).map(|found| found.pid)
    }

    /// The process with the name of these bytes, and its kind.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<Found> {
        let part = self.part(name).read().unwrap_or_else(PoisonError::into_inner);
        part.get(name).cloned()
    }

    /// How many names have a process.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count_unscoped() + self.0.scoped.load(Ordering::Relaxed)
    }

    /// How many names in no scope have a process.
    #[must_use]
    pub fn count_unscoped(&self) -> usize {
        self.0.unscoped.load(Ordering::Relaxed)
    }

    /// Every name with its process, in no particular order.
    ///
    /// The iterator owns what it reads, a 16th of the names at a time, and holds no lock between
    /// two of them: a name that has a process from the first call of `next` to the last is seen
    /// exactly once, others once or not at all.
    #[must_use]
    pub fn names(&self) -> Names {
        Names { view: self.clone(), prefix: Box::default(), next_part: 0, page: Vec::new() }
    }

    /// The same for names whose bytes begin with `prefix`. Reads every name.
    #[must_use]
    pub fn prefix(&self, prefix: impl AsRef<[u8]>) -> Names {
        Names { prefix: prefix.as_ref().into(), ..self.names() }
    }

    fn part(&self, name: &[u8]) -> &RwLock<Part> {
        // Other bits of the hash than those that a part's own buckets and tags are chosen by.
        let mut hasher = RapidHasher::default_const();
        hasher.write(name);
        &self.0.parts[(hasher.finish() >> 32) as usize % PARTS]
    }
}

impl Table {
    /// Where `name` is counted.
    fn counter(&self, name: &Name) -> &AtomicUsize {
        if name.scope().is_some() { &self.scoped } else { &self.unscoped }
    }
}

impl Default for View {
    fn default() -> Self {
        Self::new()
    }
}

/// Names with their processes. See [`View::names`].
#[derive(Debug)]
pub struct Names {
    view: View,
    prefix: Box<[u8]>,
    next_part: usize,
    page: Vec<(Name, Found)>,
}

impl Iterator for Names {
    type Item = (Name, Found);

    fn next(&mut self) -> Option<(Name, Found)> {
        while self.page.is_empty() {
            let part = self.view.0.parts.get(self.next_part)?;
            self.next_part += 1;
            let part = part.read().unwrap_or_else(PoisonError::into_inner);
            let matching =
                part.iter().filter(|(name, _)| name.as_bytes().starts_with(&self.prefix));
            self.page.extend(matching.map(|(name, found)| (name.clone(), found.clone())));
        }
        self.page.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;
    use swarm_base::{Boot, Token};

    fn changed(name: &str, serial: Option<u64>) -> Event {
        Event::Changed {
            name: Name::new(name).expect("a name"),
            was: None,
            now: serial.map(|serial| Pid::new(Boot::default(), serial)),
            kind: Some("device".into()),
            token: Token::default(),
            state: if serial.is_some() { State::Held } else { State::Free },
        }
    }

    #[test]
    fn a_name_is_found_until_it_is_gone() {
        let view = View::new();
        view.apply(&changed("a", Some(1)));
        view.apply(&changed("a", Some(2)));
        assert_eq!(view.whereis(b"a").map(|pid| pid.serial), Some(2));
        assert_eq!(view.find(b"a").and_then(|found| found.kind).as_deref(), Some("device"));
        assert_eq!(view.count(), 1);
        view.apply(&changed("a", None));
        view.apply(&changed("a", None));
        assert_eq!((view.whereis(b"a"), view.count()), (None, 0));
    }

    #[test]
    fn names_are_listed_once_each_while_others_change() {
        let view = View::new();
        for i in 0..1_000 {
            view.apply(&changed(&format!("kept-{i}"), Some(i)));
            view.apply(&changed(&format!("gone-{i}"), Some(i)));
        }
        let mut listed = view.prefix("kept-");
        let mut seen: Vec<Name> = listed.by_ref().take(100).map(|(name, _)| name).collect();
        for i in 0..1_000 {
            view.apply(&changed(&format!("gone-{i}"), None));
        }
        seen.extend(listed.map(|(name, _)| name));
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 1_000);
        assert_eq!(view.names().count(), 1_000);
    }

    #[test]
    fn readers_and_a_writer_share_it() {
        let view = View::new();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let view = view.clone();
                scope.spawn(move || {
                    while view.whereis(b"999").is_none() {
                        std::thread::yield_now();
                    }
                });
            }
            for i in 0..1_000 {
                view.apply(&changed(&i.to_string(), Some(i)));
            }
        });
        assert_eq!(view.count(), 1_000);
    }
}
