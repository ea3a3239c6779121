//! Which of two copies of a name stays, where the user says so.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use swarm_base::{Name, NodeId, Pid};
use swarm_process::contain;

/// A copy of a name that another copy was found of; see
/// [`Builder::resolver`](crate::Builder::resolver).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Contender {
    /// Where it runs.
    pub node: NodeId,
    /// The process.
    pub pid: Pid,
}

/// Which of two copies of a name stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Keep {
    /// The first one. The other one ends, and the first gets its state.
    First,
    /// The second one. The other one ends, and the second gets its state.
    Second,
    /// None: both end, and the name is free.
    Neither,
}

/// What decides about the copies of a kind.
type Resolver = Arc<dyn Fn(&Name, &Contender, &Contender) -> Keep + Send + Sync>;

/// The resolvers of a node, by kinds with their scopes.
#[derive(Clone, Default)]
pub(crate) struct Resolvers(BTreeMap<String, Resolver>);

impl Resolvers {
    pub(crate) fn add(
        &mut self,
        kind: String,
        resolver: impl Fn(&Name, &Contender, &Contender) -> Keep + Send + Sync + 'static,
    ) {
        self.0.insert(kind, Arc::new(resolver));
    }

    /// The kinds that have one.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Which of two copies stays; `None` where the kind has no resolver.
    pub(crate) fn ask(
        &self,
        kind: &str,
        name: &Name,
        one: Contender,
        other: Contender,
    ) -> Option<Result<Kept, String>> {
        let resolver = self.0.get(kind)?;
        // The same order on every node, whatever becomes of the claims.
        let (first, second) = if one.pid < other.pid { (one, other) } else { (other, one) };
        Some(contain(|| resolver(name, &first, &second)).map(|keep| match keep {
            Keep::First => Kept::Process(first.pid),
            Keep::Second => Kept::Process(second.pid),
            Keep::Neither => Kept::Nobody,
        }))
    }
}

impl fmt::Debug for Resolvers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What a resolver has decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Process(Pid),
    Nobody,
}
