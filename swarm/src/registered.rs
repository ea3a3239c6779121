//! Listing names.

use crate::core::Core;
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
    names: Names,
    is_whole: bool,
}

impl Registered {
    pub(crate) fn new(core: &Arc<Core>) -> Self {
        Self { core: Arc::clone(core), names: core.names.names(), is_whole: true }
    }

    /// Only names that begin with `prefix`.
    #[must_use]
    pub fn prefix(self, prefix: &str) -> Self {
        Self { names: self.core.names.prefix(prefix), is_whole: false, ..self }
    }
}

impl Iterator for Registered {
    type Item = (Name, Pid);

    fn next(&mut self) -> Option<(Name, Pid)> {
        self.is_whole = false;
        let core = &self.core;
        let (name, found) = self.names.find(|(_, found)| !core.has_ended(found.pid))?;
        Some((name, found.pid))
    }

    /// How many names there are: at once where nothing was read and no prefix was set.
    fn count(self) -> usize {
        if self.is_whole { self.core.names.count() } else { self.fold(0, |count, _| count + 1) }
    }
}
