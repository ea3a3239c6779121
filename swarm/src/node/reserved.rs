//! Names that are being given to processes: one node for each name lets one of several through.

use super::asks::AskKey;
use super::{Node, Owner};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use swarm_base::{Instant, Name, NodeId};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Whom this node has let through, until it sees their claims.
#[derive(Debug, Default)]
pub(super) struct Reserved {
    by_name: BTreeMap<Name, AskKey>,
    /// In the order in which they run out: all are as long.
    ends: VecDeque<(Instant, Name, AskKey)>,
}

/// How long a name is kept for who was let through. Its claim comes within a round trip, or does
/// not come at all because the process has ended.
const RESERVED_FOR: Duration = Duration::from_secs(1);

impl Reserved {
    /// Whether the name is kept for another question than `key`.
    pub(super) fn is_for_other(&self, name: &Name, key: &AskKey) -> bool {
        self.by_name.get(name).is_some_and(|of| of != key)
    }

    fn insert(&mut self, now: Instant, name: Name, key: AskKey) {
        self.ends.push_back((now + RESERVED_FOR, name.clone(), key));
        self.by_name.insert(name, key);
    }

    /// The claim is here: from now on it speaks for itself.
    pub(super) fn remove(&mut self, name: &Name) {
        self.by_name.remove(name);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.ends.front().map(|(end, ..)| *end)
    }

    fn expired(&mut self, now: Instant) -> Option<(Name, AskKey)> {
        let (_, name, key) = self.ends.pop_front_if(|(end, ..)| *end <= now)?;
        Some((name, key))
    }
}

impl Node {
    /// The node that lets one process through to `name`: where workers of the name would run, so
    /// that it sees their starts, too. Where none would, any one that all agree on.
    pub(super) fn gate_of(&self, name: &Name) -> NodeId {
        if let Some(Owner::Node(node)) = self.placing.owner_of_first_kind(name) {
            return node;
        }
        let weigh = |node: &&NodeId| {
            let seed = xxh3_64_with_seed(node.name.as_str().as_bytes(), 0);
            xxh3_64_with_seed(name.as_bytes(), seed)
        };
        let members = self.placing.members().map(|(node, _)| node);
        members.max_by_key(weigh).unwrap_or(&self.me).clone()
    }

    /// Keeps `name`, which is free, for this question.
    pub(super) fn reserve(&mut self, now: Instant, name: &Name, key: AskKey) {
        if !self.reserved.is_for_other(name, &key) {
            self.reserved.insert(now, name.clone(), key);
        }
    }

    /// Whoever was let through and has not claimed its name has ended.
    pub(super) fn expire_reserved(&mut self, now: Instant) {
        while let Some((name, key)) = self.reserved.expired(now) {
            if !self.reserved.is_for_other(&name, &key) {
                self.reserved.remove(&name);
                self.reconsider(now, &name);
            }
        }
    }
}
