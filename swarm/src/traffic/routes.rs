//! Where the messages for each node go, and which processes of others want none just now.

use super::Frame;
use super::seldom::Seldom;
use dashmap::DashMap;
use rapidhash::fast::RandomState;
use std::collections::BTreeSet;
use swarm_base::{Boot, Name, NodeId, Pid, Session};
use swarm_link::quic::{Outbox, Push};
use tokio::sync::Notify;

/// The connection to one node.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub node: NodeId,
    pub session: Session,
    pub outbox: Outbox,
}

impl Route {
    /// Queues a frame that nobody can wait for: a reply, a sign. It may use what is reserved
    /// beyond the queue's limit, up to eight times that.
    pub(crate) fn send_now(&self, frame: &Frame) -> Push {
        self.outbox.push_reserved(|out| frame.encode(out))
    }
}

/// All connections that are up. What comes out is owned: no guard leaves here.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    by_boot: DashMap<Boot, Route, RandomState>,
    by_session: DashMap<Session, Boot, RandomState>,
    /// Processes of other nodes whose mailbox is full.
    paused: Seldom<Pid, ()>,
    resumed: Notify,
    /// Processes of this node with a full mailbox, and the sessions that were told to pause.
    pressed: DashMap<Pid, BTreeSet<Session>, RandomState>,
    /// Where the names that are leaving this node go: until their new claims arrive, their
    /// messages are passed on by this.
    moving: Seldom<Name, Boot>,
    /// Names that are taken, but have no process just now.
    unsettled: Seldom<Name, ()>,
    /// The nodes that leave: nothing new goes to them.
    retired: Seldom<Boot, ()>,
    /// The nodes that will send nothing more, since they know that this one leaves.
    finished: DashMap<Boot, (), RandomState>,
    fin: Notify,
}

impl Routes {
    /// Messages for `route.node` can go.
    pub(crate) fn insert(&self, route: Route) {
        self.by_session.insert(route.session, route.node.boot);
        self.by_boot.insert(route.node.boot, route);
    }

    /// `session` is no more.
    pub(crate) fn remove(&self, session: Session) {
        if let Some((_, boot)) = self.by_session.remove(&session) {
            self.by_boot.remove_if(&boot, |_, route| route.session == session);
            self.finished.remove(&boot);
            self.fin.notify_waiters();
            self.paused.retain(|pid| pid.boot != boot);
            self.resumed.notify_waiters();
        }
    }

    /// The way for messages to `boot`.
    pub(crate) fn to(&self, boot: Boot) -> Option<Route> {
        if self.retired.contains(&boot) {
            return None;
        }
        self.back_to(boot)
    }

    /// The way for replies to `boot`, also while it leaves.
    pub(crate) fn back_to(&self, boot: Boot) -> Option<Route> {
        self.by_boot.get(&boot).map(|route| route.clone())
    }

    /// `boot` leaves: nothing new goes to it. Gives the connection, to say so.
    pub(crate) fn retire(&self, boot: Boot) -> Option<Route> {
        self.retired.insert(boot, ());
        self.back_to(boot)
    }

    pub(crate) fn boot(&self, session: Session) -> Option<Boot> {
        self.by_session.get(&session).map(|boot| *boot)
    }

    pub(crate) fn all(&self) -> Vec<Route> {
        self.by_boot.iter().map(|route| route.clone()).collect()
    }

    /// A node is gone for good.
    pub(crate) fn forget(&self, boot: Boot) {
        self.retired.remove(&boot);
    }

    /// `boot` sends nothing more.
    pub(crate) fn fin(&self, boot: Boot) {
        self.finished.insert(boot, ());
        self.fin.notify_waiters();
    }

    /// Waits until every connected node has said that it sends nothing more.
    pub(crate) async fn all_finished(&self) {
        loop {
            let fin = self.fin.notified();
            if self.by_boot.iter().all(|route| self.finished.contains_key(route.key())) {
                return;
            }
            fin.await;
        }
    }

    /// `pid` of another node wants nothing more for now.
    pub(crate) fn pause(&self, pid: Pid) {
        self.paused.insert(pid, ());
    }

    pub(crate) fn resume(&self, pid: Pid) {
        self.paused.remove(&pid);
        self.resumed.notify_waiters();
    }

    /// Whether `pid` wants nothing just now. Costs nothing while no process does.
    pub(crate) fn is_paused(&self, pid: Pid) -> bool {
        self.paused.contains(&pid)
    }

    /// Waits until `pid` may be sent to.
    pub(crate) async fn resumed(&self, pid: Pid) {
        loop {
            let resumed = self.resumed.notified();
            if !self.is_paused(pid) {
                return;
            }
            resumed.await;
        }
    }

    /// The mailbox of `pid` is full. Tells whether `from` has to be told.
    pub(crate) fn press(&self, pid: Pid, from: Session) -> bool {
        self.pressed.entry(pid).or_default().insert(from)
    }

    /// The mailbox of `pid` has room again: these have been told to pause.
    pub(crate) fn ease(&self, pid: Pid) -> BTreeSet<Session> {
        self.pressed.remove(&pid).map(|(_, told)| told).unwrap_or_default()
    }

    /// From now on messages for `name` go to `boot`.
    pub(crate) fn set_moving(&self, name: Name, boot: Boot) {
        self.moving.insert(name, boot);
    }

    /// `name` is taken, but has no process just now.
    pub(crate) fn set_unsettled(&self, name: &Name) {
        self.unsettled.insert(name.clone(), ());
    }

    /// It has one, or is free.
    pub(crate) fn set_settled(&self, name: &Name) {
        self.unsettled.remove(name);
    }

    pub(crate) fn is_unsettled(&self, name: &[u8]) -> bool {
        self.unsettled.contains(name)
    }

    /// Where `name` went is known from its claim.
    pub(crate) fn moved(&self, name: &Name) {
        self.moving.remove(name);
    }

    pub(crate) fn moving(&self, name: &[u8]) -> Option<Boot> {
        self.moving.get(name)
    }
}
