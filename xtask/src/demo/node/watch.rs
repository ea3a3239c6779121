//! What a node saw happen to others, with the time of each.

#![expect(clippy::disallowed_methods, reason = "a task of the node process, owned by its watch")]

use crate::demo::protocol::{Peer, Seen, What, wall_us};
use std::sync::{Arc, Mutex, PoisonError};
use swarm::{Event, NodeId, Swarm};
use tokio::task::AbortHandle;

/// Follows the node's events until it is dropped. What concerns nodes is kept, and written to
/// stderr with what went wrong: that is the node's log.
pub(super) struct Watch {
    seen: Arc<Mutex<Vec<Seen>>>,
    task: AbortHandle,
}

impl Watch {
    pub(super) fn begin(swarm: &Swarm) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (mut events, me) = (swarm.events(), swarm.node().clone());
        let kept = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Some(event) = events.next().await {
                let at_us = wall_us();
                if let Some((what, node)) = of_a_node(&event, &me) {
                    let fact = Seen { at_us, what, peer: peer(node) };
                    kept.lock().unwrap_or_else(PoisonError::into_inner).push(fact);
                }
                if is_worth_a_line(&event) {
                    eprintln!("{}.{:06} {event:?}", at_us / 1_000_000, at_us % 1_000_000);
                }
            }
        });
        Self { seen, task: task.abort_handle() }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) fn peer(node: &NodeId) -> Peer {
    Peer { name: node.name.to_string(), boot: node.boot.to_string() }
}

const fn of_a_node<'a>(event: &'a Event, me: &'a NodeId) -> Option<(What, &'a NodeId)> {
    Some(match event {
        Event::NodeUp { node } => (What::Up, node),
        Event::NodeSuspected { node, .. } => (What::Suspected, node),
        Event::NodeRefuted { node } => (What::Refuted, node),
        Event::NodeDown { node } => (What::Dead, node),
        Event::NodeLeft { node } => (What::Left, node),
        Event::Lagged { .. } => (What::Missed, me),
        _ => return None,
    })
}

/// What comes once for each device would fill the log.
const fn is_worth_a_line(event: &Event) -> bool {
    !matches!(
        event,
        Event::NameRegistered { .. }
            | Event::NameRestarted { .. }
            | Event::NameMoved { .. }
            | Event::MoveBegun { .. }
            | Event::GroupJoined { .. }
            | Event::GroupLeft { .. }
    )
}
