//! An ideal registry: every node sees every fact at once. What replication adds to that has tests
//! of its own.

use std::collections::BTreeMap;
use swarm_base::{Name, NodeId, Token};
use swarm_handoff::MoveId;

/// The last entry about a name in one node's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) token: Token,
    pub(crate) at: At,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Running,
    Moving { to: NodeId, id: MoveId },
    Gone,
}

#[derive(Debug, Default)]
pub(crate) struct Facts {
    logs: BTreeMap<Name, BTreeMap<NodeId, Entry>>,
    position: u64,
}

impl Facts {
    pub(crate) fn append(&mut self, log: &NodeId, name: &Name, token: Token, at: At) -> u64 {
        let entries = self.logs.entry(name.clone()).or_default();
        entries.insert(log.clone(), Entry { token, at });
        self.position += 1;
        self.position
    }

    pub(crate) fn entry(&self, log: &NodeId, name: &Name) -> Option<&Entry> {
        self.logs.get(name)?.get(log)
    }

    /// The highest claim that has not gone elsewhere, on whatever node.
    pub(crate) fn claim(&self, name: &Name) -> Option<(&NodeId, &Entry)> {
        let claims = self.logs.get(name)?.iter().filter(|(_, entry)| entry.at != At::Gone);
        claims.max_by_key(|(_, entry)| entry.token)
    }

    pub(crate) fn epoch(&self, name: &Name) -> u64 {
        let entries = self.logs.get(name).into_iter().flat_map(BTreeMap::values);
        entries.map(|entry| entry.token.epoch).max().unwrap_or(0)
    }

    pub(crate) fn names(&self) -> Vec<Name> {
        self.logs.keys().cloned().collect()
    }
}
