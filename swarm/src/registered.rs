//! Listing names.

use crate::core::Core;
use crate::scope::InScope;
use std::sync::Arc;
use swarm_base::{Name, Pid};
use swarm_registry::Names;

/// All names and their processes, in no order; made by
/// [`Swarm::registered`](crate::Swarm::registered).
///
/// Names that have a process all the while are seen exactly once; those that come or go meanwhile
/// once or not at all.
#[derive(Debug)]
pub struct Registered {
    core: Arc<Core>,
    scope: InScope,
    names: Names,
    is_whole: bool,
}

impl Registered {
    pub(crate) fn new(core: &Arc<Core>, scope: &InScope) -> Self {
        let names = core.names.prefix(scope.bytes(""));
        Self { core: Arc::clone(core), scope: scope.clone(), names, is_whole: true }
    }

    /// Only names that begin with `prefix`.
    #[must_use]
    pub fn prefix(self, prefix: &str) -> Self {
        Self { names: self.core.names.prefix(self.scope.bytes(prefix)), is_whole: false, ..self }
    }
}

impl Iterator for Registered {
    type Item = (Name, Pid);

    fn next(&mut self) -> Option<(Name, Pid)> {
        self.is_whole = false;
        let (core, scope) = (&self.core, &self.scope);
        let (name, found) = self
            .names
            .find(|(name, found)| scope.holds(name.as_bytes()) && !core.has_ended(found.pid))?;
        Some((name, found.pid))
    }

    /// How many names there are: at once where nothing was read and no prefix was set, outside all
    /// scopes.
    fn count(self) -> usize {
        if self.is_whole && self.scope.is(None) {
            self.core.names.count_unscoped()
        } else {
            self.fold(0, |count, _| count + 1)
        }
    }
}
