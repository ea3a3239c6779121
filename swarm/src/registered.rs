//! Listing names.

use swarm_base::{Name, Pid};
use swarm_registry::{Names, View};

/// All names and their processes, in no order; made by
/// [`Swarm::registered`](crate::Swarm::registered).
///
/// Names that have a process all the while are seen exactly once; those that come or go meanwhile
/// once or not at all.
#[derive(Debug)]
pub struct Registered {
    view: View,
    names: Names,
    is_whole: bool,
}

impl Registered {
    pub(crate) fn new(view: View) -> Self {
        Self { names: view.names(), view, is_whole: true }
    }

    /// Only names that begin with `prefix`.
    #[must_use]
    pub fn prefix(self, prefix: &str) -> Self {
        Self { names: self.view.prefix(prefix), view: self.view, is_whole: false }
    }
}

impl Iterator for Registered {
    type Item = (Name, Pid);

    fn next(&mut self) -> Option<(Name, Pid)> {
        self.is_whole = false;
        self.names.next().map(|(name, found)| (name, found.pid))
    }

    /// How many names there are: at once where nothing was read and no prefix was set.
    fn count(self) -> usize {
        if self.is_whole { self.view.count() } else { self.names.count() }
    }
}
