//! What happens to a group, for one reader.

use super::group::View;
use crate::{Event, Filter, Member};
use std::collections::BTreeSet;
use std::sync::Arc;
use swarm_base::NodeId;
use tokio::sync::{broadcast, watch};

/// Something that a subscriber learns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Everybody known that the filter lets through, in the order of their ids, at the moment of
    /// the subscription. Comes first, and
    /// again after [`Lagged`](Self::Lagged). What follows happened after it.
    Snapshot(Arc<[Member]>),
    /// It happened.
    Event(Event),
    /// The reader fell more than 1,024 events behind and missed so many. A snapshot follows.
    Lagged {
        /// How many.
        missed: u64,
    },
}

/// The events of a group, for one reader: a snapshot, then every change, in order.
#[derive(Debug)]
pub struct Subscription {
    events: Option<broadcast::Receiver<Told>>,
    view: watch::Receiver<View>,
    filter: Filter,
    /// What comes next.
    snapshot: Option<Notice>,
    /// Up to which event everything is in the last snapshot.
    seen: u64,
    /// Who is let through at present, where the filter is for some.
    shown: BTreeSet<NodeId>,
}

/// An event and its number.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) number: u64,
    pub(super) event: Event,
}

impl Subscription {
    pub(super) fn new(
        events: Option<broadcast::Receiver<Told>>,
        view: watch::Receiver<View>,
        filter: Filter,
    ) -> Self {
        let mut subscription =
            Self { events, view, filter, snapshot: None, seen: 0, shown: BTreeSet::new() };
        subscription.take_snapshot();
        subscription
    }

    /// What comes next, or `None` after the end of the node.
    ///
    /// Of members that the filter keeps out nothing is told. One that changes its tags so that it
    /// comes in has [`Joined`](Event::Joined); one that falls out is [`Updated`](Event::Updated)
    /// a last time.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, nothing is lost.
    pub async fn next(&mut self) -> Option<Notice> {
        loop {
            if let Some(snapshot) = self.snapshot.take() {
                return Some(snapshot);
            }
            match self.events.as_mut()?.recv().await {
                Ok(Told { number, .. }) if number <= self.seen => {}
                Ok(Told { event, .. }) => {
                    if let Some(event) = self.filtered(event) {
                        return Some(Notice::Event(event));
                    }
                }
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    self.take_snapshot();
                    return Some(Notice::Lagged { missed });
                }
                Err(broadcast::error::RecvError::Closed) => self.events = None,
            }
        }
    }

    fn take_snapshot(&mut self) {
        let View { members, last_event, .. } = self.view.borrow().clone();
        self.seen = last_event;
        if self.filter.is_all() {
            self.snapshot = Some(Notice::Snapshot(members));
            return;
        }
        let through = members.iter().filter(|member| self.filter.matches(&member.metadata));
        let through: Vec<Member> = through.cloned().collect();
        let live = through.iter().filter(|member| member.is_live());
        self.shown = live.map(|member| member.id.clone()).collect();
        self.snapshot = Some(Notice::Snapshot(through.into()));
    }

    fn filtered(&mut self, event: Event) -> Option<Event> {
        if self.filter.is_all() {
            return Some(event);
        }
        match event {
            Event::Joined(member) | Event::Updated(member) => {
                let passes = self.filter.matches(&member.metadata);
                let passed = match passes {
                    true => !self.shown.insert(member.id.clone()),
                    false => self.shown.remove(&member.id),
                };
                match (passes, passed) {
                    (false, false) => None,
                    (true, false) => Some(Event::Joined(member)),
                    (_, true) => Some(Event::Updated(member)),
                }
            }
            Event::Suspected { ref node, .. } | Event::Refuted { ref node } => {
                self.shown.contains(node).then_some(event)
            }
            Event::Failed { ref node, .. } | Event::Left { ref node } => {
                self.shown.remove(node).then_some(event)
            }
            _ => Some(event),
        }
    }
}
