//! Whom a node holds alive, and whether all of them hold the same alive (ownership, R2).

use crate::news::Ring;
use std::collections::BTreeMap;
use std::sync::Arc;
use swarm_base::{Name, NodeId};

/// A node decides about names only while everybody in its ring has agreed to the present round.
pub(crate) struct Agreement {
    me: NodeId,
    ring: Arc<Ring>,
    round: u64,
    /// Who agreed to this round, and how far its log was then.
    agreed: BTreeMap<NodeId, u64>,
    /// What others asked last.
    asked: BTreeMap<NodeId, (Arc<Ring>, u64)>,
}

impl Agreement {
    pub(crate) fn new(me: NodeId) -> Self {
        let ring = Arc::new(Ring::from([me.clone()]));
        Self { me, ring, round: 1, agreed: BTreeMap::new(), asked: BTreeMap::new() }
    }

    pub(crate) const fn ring(&self) -> &Arc<Ring> {
        &self.ring
    }

    pub(crate) const fn round(&self) -> u64 {
        self.round
    }

    /// Another ring, another round. Returns the rounds of others that it agrees to.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Ring)) -> Vec<(NodeId, u64)> {
        change(Arc::make_mut(&mut self.ring));
        self.round += 1;
        self.agreed.clear();
        let same = self.asked.iter().filter(|(_, (ring, _))| *ring == self.ring);
        same.map(|(node, (_, round))| (node.clone(), *round)).collect()
    }

    /// Somebody asks; whether this node agrees now.
    pub(crate) fn asks(&mut self, from: NodeId, ring: Arc<Ring>, round: u64) -> bool {
        let is_same = ring == self.ring;
        self.asked.insert(from, (ring, round));
        is_same
    }

    pub(crate) fn agrees(&mut self, from: NodeId, round: u64, position: u64) {
        if round == self.round {
            self.agreed.insert(from, position);
        }
    }

    /// Whether all have agreed, and what each had written by then is here.
    pub(crate) fn is_complete(&self, position: impl Fn(&NodeId) -> u64) -> bool {
        let mut others = self.ring.iter().filter(|node| **node != self.me);
        others.all(|node| self.agreed.get(node).is_some_and(|written| position(node) >= *written))
    }

    /// Whose the name is.
    pub(crate) fn owner(&self, name: &Name) -> &NodeId {
        let sum: usize = name.as_bytes().iter().map(|byte| usize::from(*byte)).sum();
        self.ring.iter().nth(sum % self.ring.len()).unwrap_or(&self.me)
    }
}
