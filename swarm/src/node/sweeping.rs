//! A look at all names that this node may have to do something about, in parts.

use swarm_base::Name;
use swarm_registry::Registry;

/// How far a sweep is: through the names with an entry in this node's log, and then through the
/// orphans, each from the last place to the first. A name that goes meanwhile has its place taken
/// by one behind it, which has been seen; one that comes is marked by its coming.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sweep {
    own: usize,
    orphans: usize,
}

impl Sweep {
    pub(super) fn new(registry: &Registry) -> Self {
        Self { own: registry.n_own(), orphans: registry.n_orphans() }
    }

    /// The next name; `None` once all have been seen.
    pub(super) fn next(&mut self, registry: &Registry) -> Option<Name> {
        while self.own > 0 {
            self.own -= 1;
            if let Some(name) = registry.own_at(self.own) {
                return Some(name.clone());
            }
        }
        while self.orphans > 0 {
            self.orphans -= 1;
            if let Some(name) = registry.orphan_at(self.orphans) {
                return Some(name.clone());
            }
        }
        None
    }
}
