//! Questions under way: what this node's callers asked, and what other nodes ask of it.
//!
//! A question stays here from its arrival to its answer, in one [`Place`], with one deadline. It
//! is looked at again whenever what it waits for may have come: so it needs no retry of its own,
//! and a request id makes a second look harmless.

use super::wire::{Ask, Outcome, What};
use crate::reference::Target;
use std::collections::BTreeSet;
use std::sync::Arc;
use swarm_base::{Boot, Index, Instant, Name, NodeId};
use swarm_process::Stage;

/// Which question: the life of the node that asked first, and its number there.
pub(super) type AskKey = (Boot, u64);

/// Where a question is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Place {
    /// It waits for something to change: the ring, an agreement, a session, a name.
    Parked(Stage),
    /// Another node has it: the last of these, each of which but the first was named by the one
    /// before it.
    Sent(Vec<NodeId>),
    /// Its worker is starting here.
    Starting,
    /// Its process is ending here.
    Stopping,
    /// It is answered, but this node has not yet read the facts behind the answer.
    Held { log: NodeId, position: u64, outcome: Outcome },
}

impl Place {
    /// The other node that has the question.
    pub(super) fn asked(&self) -> Option<&NodeId> {
        match self {
            Self::Sent(path) => path.last(),
            _ => None,
        }
    }
}

/// One question.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub ask: Arc<Ask>,
    pub deadline: Instant,
    pub place: Place,
}

/// All questions under way.
#[derive(Debug, Default)]
pub(super) struct Asks {
    open: Index<AskKey, Open>,
    by_deadline: BTreeSet<(Instant, AskKey)>,
    /// The questions about a name, so that a change of it finds them.
    by_name: BTreeSet<(Name, AskKey)>,
    /// The answers that wait for facts: of which log, up to where.
    held: BTreeSet<(NodeId, u64, AskKey)>,
}

impl Asks {
    /// The most questions of other nodes that wait here; more are not taken.
    pub(super) const OPEN_MAX: usize = 262_144;

    /// Takes in a question, unless there are too many.
    pub(super) fn insert(&mut self, now: Instant, ask: Arc<Ask>) -> Option<AskKey> {
        let key = ask.key();
        if self.open.len() >= Self::OPEN_MAX {
            return None;
        }
        let before = self.remove(&key);
        // It may come back to where it was before: what it spent on the way is not given again.
        let left = now + ask.left();
        let deadline = before.map_or(left, |open| open.deadline.min(left));
        if let Some(name) = name_of(&ask) {
            self.by_name.insert((name.clone(), key));
        }
        self.by_deadline.insert((deadline, key));
        self.open.insert(key, Open { ask, deadline, place: Place::Parked(Stage::Resolve) });
        Some(key)
    }

    /// Ends a question.
    pub(super) fn remove(&mut self, key: &AskKey) -> Option<Open> {
        let open = self.open.swap_remove(key)?;
        self.by_deadline.remove(&(open.deadline, *key));
        if let Place::Held { log, position, .. } = &open.place {
            self.held.remove(&(log.clone(), *position, *key));
        }
        if let Some(name) = name_of(&open.ask) {
            self.by_name.remove(&(name.clone(), *key));
        }
        Some(open)
    }

    /// Says where a question is now.
    pub(super) fn put(&mut self, key: &AskKey, place: Place) {
        if let Some(open) = self.open.get_mut(key) {
            if let Place::Held { log, position, .. } = &place {
                self.held.insert((log.clone(), *position, *key));
            }
            open.place = place;
        }
    }

    pub(super) fn get(&self, key: &AskKey) -> Option<&Open> {
        self.open.get(key)
    }

    /// From now on this question has been let through to its name.
    pub(super) fn set_reserved(&mut self, key: &AskKey) {
        if let Some(open) = self.open.get_mut(key) {
            Arc::make_mut(&mut open.ask).is_reserved = true;
        }
    }

    /// The parked questions about `name`: those of one node in the order in which they were asked.
    pub(super) fn parked_on(&self, name: &Name) -> Vec<AskKey> {
        self.about(name)
            .filter(|key| self.is(key, |place| matches!(place, Place::Parked(_))))
            .collect()
    }

    /// The questions about `name` that wait for its process to end.
    pub(super) fn stopping(&self, name: &Name) -> Vec<AskKey> {
        self.about(name).filter(|key| self.is(key, |place| *place == Place::Stopping)).collect()
    }

    /// All questions that are parked here, or that another node has.
    pub(super) fn waiting(&self) -> Vec<AskKey> {
        self.select(|place| matches!(place, Place::Parked(_) | Place::Sent(_)))
    }

    /// The questions that `node` has.
    pub(super) fn sent_to(&self, node: &NodeId) -> Vec<AskKey> {
        self.select(|place| place.asked() == Some(node))
    }

    /// The questions of `node` that are parked here.
    pub(super) fn parked_of(&self, node: &NodeId) -> Vec<AskKey> {
        let mut parked = self.select(|place| matches!(place, Place::Parked(_)));
        parked.retain(|(origin, _)| *origin == node.boot);
        parked
    }

    /// The answers that wait for `log`, and for nothing beyond `position` in it.
    pub(super) fn held_for(&self, log: &NodeId, position: u64) -> Vec<AskKey> {
        let first = (log.clone(), 0, (Boot::default(), 0));
        self.held
            .range(first..)
            .take_while(|(of, at, _)| of == log && *at <= position)
            .map(|(_, _, key)| *key)
            .collect()
    }

    /// A question whose time is over.
    pub(super) fn expired(&self, now: Instant) -> Option<AskKey> {
        self.by_deadline.first().filter(|(deadline, _)| *deadline <= now).map(|(_, key)| *key)
    }

    /// When the next question's time is over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.by_deadline.first().map(|(deadline, _)| *deadline)
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    fn about(&self, name: &Name) -> impl Iterator<Item = AskKey> {
        let first = (name.clone(), (Boot::default(), 0));
        self.by_name.range(first..).take_while(move |(of, _)| of == name).map(|(_, key)| *key)
    }

    fn is(&self, key: &AskKey, what: impl Fn(&Place) -> bool) -> bool {
        self.open.get(key).is_some_and(|open| what(&open.place))
    }

    fn select(&self, what: impl Fn(&Place) -> bool) -> Vec<AskKey> {
        self.open.iter().filter(|(_, open)| what(&open.place)).map(|(key, _)| *key).collect()
    }
}

/// The name that a question is about.
fn name_of(ask: &Ask) -> Option<&Name> {
    match &ask.what {
        What::Register { name, .. }
        | What::RegisterPid { name, .. }
        | What::Unregister { name }
        | What::Stop { name, .. }
        | What::Whereis { name }
        | What::Explain { name }
        | What::Join { member: Target::Name(name), .. }
        | What::Swap { member: Target::Name(name), .. }
        | What::Leave { member: Target::Name(name), .. } => Some(name),
        What::StopPid { .. } | What::Join { .. } | What::Swap { .. } | What::Leave { .. } => None,
    }
}
