//! Parts that states have in common: most steps change one of them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// A part of a state, whose hash is known. Copies share it until one of them changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared<T> {
    part: Arc<T>,
    digest: u64,
}

impl<T: Clone + Hash> Shared<T> {
    pub(crate) fn new(part: T) -> Self {
        let digest = digest(&part);
        Self { part: Arc::new(part), digest }
    }

    /// Changes this copy.
    pub(crate) fn change<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R {
        let part = Arc::make_mut(&mut self.part);
        let result = change(part);
        self.digest = digest(part);
        result
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.part
    }
}

impl<T> Hash for Shared<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

fn digest(part: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    part.hash(&mut hasher);
    hasher.finish()
}
