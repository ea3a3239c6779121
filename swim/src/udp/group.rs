//! The handle of a running node.

#![expect(clippy::disallowed_methods, reason = "the task is spawned here, and owned by the handle")]

use super::task::{Command, Task};
use crate::{Counters, Event, Member, Metadata, Swim};
use std::net::SocketAddr;
use std::sync::Arc;
use swarm_base::NodeId;
use tokio::net::UdpSocket;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// A node of a group, which runs in a task of its own. Dropping it ends the task without a
/// goodbye: the others notice a failure.
#[derive(Debug)]
pub struct Group {
    me: NodeId,
    address: SocketAddr,
    commands: mpsc::Sender<Command>,
    view: watch::Receiver<View>,
    events: broadcast::WeakSender<Event>,
    /// Subscribed before the task started, for whoever asks first.
    first: std::sync::Mutex<Option<broadcast::Receiver<Event>>>,
    task: JoinHandle<()>,
}

/// What the task shows.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) members: Arc<[Member]>,
    pub(super) counters: Counters,
}

impl Group {
    pub(super) fn start(me: NodeId, address: SocketAddr, machine: Swim, socket: UdpSocket) -> Self {
        let (commands, commands_in) = mpsc::channel(COMMANDS_MAX);
        let (events, first) = broadcast::channel(EVENTS_MAX);
        let members = super::task::sorted(&machine);
        let (view_out, view) = watch::channel(View { members, counters: machine.counters() });
        let weak = events.downgrade();
        let task = Task::new(machine, socket, commands_in, events, view_out);
        Self {
            me,
            address,
            commands,
            view,
            events: weak,
            first: std::sync::Mutex::new(Some(first)),
            task: tokio::spawn(task.run()),
        }
    }

    /// This life of this node.
    #[must_use]
    pub const fn id(&self) -> &NodeId {
        &self.me
    }

    /// Where others send to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Enters the group of whoever is at one of `seeds`, which are tried for ever. Returns at
    /// once: [`Event::Merged`] tells when the member list is here. Does nothing after the end.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it was asked or it was not; asking again does no harm.
    pub async fn join(&self, seeds: impl IntoIterator<Item = SocketAddr>) {
        let seeds = seeds.into_iter().collect();
        // An error means that the task has ended: there is nothing to join any more.
        let _ = self.commands.send(Command::Join(seeds)).await;
    }

    /// Changes what this node tells about itself.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it changes or it does not.
    pub async fn set_metadata(&self, metadata: Metadata) {
        let _ = self.commands.send(Command::SetMetadata(metadata)).await;
    }

    /// Says goodbye and ends. Returns when some members have heard it, and after
    /// [`leave_timeout`](crate::Config::leave_timeout) in any case.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, the task ends at once, and the goodbye may not have been heard.
    pub async fn leave(mut self) {
        let (done, left) = oneshot::channel();
        if self.commands.send(Command::Leave(done)).await.is_ok() {
            let _ = left.await;
        }
        // The task ends by itself after that; an error is its panic, which it has reported.
        let _ = (&mut self.task).await;
    }

    /// Everybody known, this node included, in the order of their ids. A local read that never
    /// waits.
    #[must_use]
    pub fn members(&self) -> Arc<[Member]> {
        Arc::clone(&self.view.borrow().members)
    }

    /// What happened how often.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.view.borrow().counters
    }

    /// What happens from now on; the first call gets what happened before, too.
    #[must_use]
    pub fn events(&self) -> Events {
        let first = self.first.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        let events = first.or_else(|| self.events.upgrade().map(|events| events.subscribe()));
        Events { events, n_missed: 0 }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The events of a group, for one reader.
#[derive(Debug)]
pub struct Events {
    events: Option<broadcast::Receiver<Event>>,
    n_missed: u64,
}

impl Events {
    /// The next event, or `None` after the end of the node. A reader that falls 1,024 events
    /// behind misses the oldest; [`missed`](Self::missed) counts them.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, no event is lost.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            match self.events.as_mut()?.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(n)) => self.n_missed += n,
                Err(broadcast::error::RecvError::Closed) => self.events = None,
            }
        }
    }

    /// How many events this reader missed by being slow. Then [`Group::members`] tells the
    /// present state.
    #[must_use]
    pub const fn missed(&self) -> u64 {
        self.n_missed
    }
}

/// The most commands that wait for the task; more callers wait for them.
const COMMANDS_MAX: usize = 16;

/// How far a reader of events may fall behind.
const EVENTS_MAX: usize = 1024;
