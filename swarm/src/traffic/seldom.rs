//! A concurrent map that is nearly always empty, and says so without a lock.

use dashmap::DashMap;
use rapidhash::fast::RandomState;
use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is looked at for every message, and nearly never there. A dashmap locks each of its parts
/// to say whether it is empty.
pub(super) struct Seldom<K, V> {
    map: DashMap<K, V, RandomState>,
    /// At least as many as there are: raised before an entry comes, lowered after it has gone.
    count: AtomicUsize,
}

impl<K: Eq + Hash, V: Copy> Seldom<K, V> {
    pub(super) fn insert(&self, key: K, value: V) {
        self.count.fetch_add(1, Ordering::AcqRel);
        if self.map.insert(key, value).is_some() {
            self.count.fetch_sub(1, Ordering::AcqRel);
        }
    }

    pub(super) fn remove<Q: Eq + Hash + ?Sized>(&self, key: &Q)
    where
        K: Borrow<Q>,
    {
        if !self.is_empty() && self.map.remove(key).is_some() {
            self.count.fetch_sub(1, Ordering::AcqRel);
        }
    }

    pub(super) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        if self.is_empty() {
            return None;
        }
        self.map.get(key).map(|value| *value)
    }

    /// Changes the value of `key`, if it is there.
    pub(super) fn update<Q: Eq + Hash + ?Sized, R>(
        &self,
        key: &Q,
        change: impl FnOnce(&mut V) -> R,
    ) -> Option<R>
    where
        K: Borrow<Q>,
    {
        if self.is_empty() {
            return None;
        }
        self.map.get_mut(key).map(|mut value| change(&mut value))
    }

    /// The keys whose value is wanted.
    pub(super) fn those(&self, is_wanted: impl Fn(&V) -> bool) -> Vec<K>
    where
        K: Clone,
    {
        let wanted = self.map.iter().filter(|entry| is_wanted(entry.value()));
        wanted.map(|entry| entry.key().clone()).collect()
    }

    pub(super) fn contains<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// Keeps the entries whose key is wanted.
    pub(super) fn retain(&self, wanted: impl Fn(&K) -> bool) {
        self.map.retain(|key, _| {
            let keeps = wanted(key);
            if !keeps {
                self.count.fetch_sub(1, Ordering::AcqRel);
            }
            keeps
        });
    }

    fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }
}

impl<K: Eq + Hash, V> Default for Seldom<K, V> {
    fn default() -> Self {
        Self { map: DashMap::default(), count: AtomicUsize::new(0) }
    }
}

impl<K, V> fmt::Debug for Seldom<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seldom({})", self.count.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_empty_exactly_when_nothing_is_left() {
        let map = Seldom::default();
        map.insert(1, 'a');
        map.insert(1, 'b');
        map.insert(2, 'c');
        assert_eq!((map.get(&1), map.get(&3)), (Some('b'), None));
        map.remove(&3);
        map.remove(&1);
        assert!(!map.is_empty() && map.contains(&2));
        map.retain(|key| *key != 2);
        assert!(map.is_empty() && !map.contains(&2));
    }

    #[test]
    fn what_was_inserted_is_seen_whatever_others_do() {
        let map = Seldom::default();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let map = &map;
                scope.spawn(move || {
                    for turn in 0..10_000 {
                        let key = (thread, turn % 3);
                        map.insert(key, turn);
                        assert_eq!(map.get(&key), Some(turn));
                        map.remove(&key);
                        assert!(!map.contains(&key));
                    }
                });
            }
        });
        assert!(map.is_empty());
    }
}
