//! Nodes that come and go: one that is back soon has to stay before anything moves to it.

use std::collections::BTreeMap;
use std::time::Duration;
use swarm_base::{Instant, NodeName};

/// The nodes that went lately, and those that are back.
#[derive(Debug, Default)]
pub(super) struct Flaps {
    /// When each ceased to take names.
    gone: BTreeMap<NodeName, Instant>,
    /// Until when nothing moves there.
    held: BTreeMap<NodeName, Instant>,
}

impl Flaps {
    /// A node takes no names any more.
    pub(super) fn left(&mut self, now: Instant, node: &NodeName, window: Duration) {
        self.gone.retain(|_, at| now.since(*at) < window);
        self.held.retain(|_, until| now < *until);
        self.gone.insert(node.clone(), now);
        self.held.remove(node);
    }

    /// A node takes names.
    pub(super) fn joined(
        &mut self,
        now: Instant,
        node: &NodeName,
        window: Duration,
        hold: Duration,
    ) {
        if self.gone.get(node).is_some_and(|at| now.since(*at) < window) {
            self.held.insert(node.clone(), now + hold);
        }
    }

    /// Until when nothing moves to a node.
    pub(super) fn held_until(&self, now: Instant, node: &NodeName) -> Option<Instant> {
        self.held.get(node).copied().filter(|until| now < *until)
    }
}
