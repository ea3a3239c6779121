//! The handle of a running node.

#![expect(clippy::disallowed_methods, reason = "the task is spawned here, and owned by the handle")]

use super::port::Port;
use super::subscription::{Subscription, Told};
use super::task::{Command, Life, Task};
use crate::{
    Checked, Counters, Filter, Health, KeyChange, KeyChangeError, KeyId, KeyReport, Member,
    Metadata,
};
use std::net::SocketAddr;
use std::sync::Arc;
use swarm_base::NodeId;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// A node of a group, which runs in a task of its own. Dropping it ends the task without a
/// goodbye: the others notice a failure.
#[derive(Debug)]
pub struct Group {
    address: SocketAddr,
    commands: mpsc::Sender<Command>,
    view: watch::Receiver<View>,
    events: broadcast::WeakSender<Told>,
    task: JoinHandle<()>,
}

/// What the task shows.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) me: NodeId,
    pub(super) members: Arc<[Member]>,
    pub(super) counters: Counters,
    pub(super) health: Health,
    pub(super) keys: Vec<KeyId>,
    pub(super) n_streams: usize,
    /// The number of the last event that the members show.
    pub(super) last_event: u64,
}

impl Group {
    pub(super) fn start(life: Life, port: Port) -> Self {
        let (commands, commands_in) = mpsc::channel(COMMANDS_MAX);
        let (events, _) = broadcast::channel(EVENTS_MAX);
        let address = life.address;
        let weak = events.downgrade();
        let (task, view) = Task::new(life, port, commands_in, events);
        Self { address, commands, view, events: weak, task: tokio::spawn(task.run()) }
    }

    /// This life of this node. Another one begins where the group remembers a later one, because
    /// the wall clock was set back.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.view.borrow().me.clone()
    }

    /// Where others send to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Enters the group of whoever is at one of `seeds`, which are tried for ever. Returns at
    /// once: [`Event::Merged`](crate::Event::Merged) tells when the member list is here. Does
    /// nothing after the end.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it was asked or it was not; asking again does no harm.
    pub async fn join(&self, seeds: impl IntoIterator<Item = SocketAddr>) {
        self.command(Command::Join(seeds.into_iter().collect())).await;
    }

    /// Changes what this node tells about itself.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it changes or it does not.
    pub async fn set_metadata(&self, metadata: Metadata) {
        self.command(Command::SetMetadata(metadata)).await;
    }

    /// Changes the settings of this node. Suspicions and probes that are under way keep theirs.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, they change or they do not.
    pub async fn set_config(&self, config: Checked) {
        self.command(Command::SetConfig(config)).await;
    }

    /// What this node's keys are called, the one that seals first.
    #[must_use]
    pub fn keys(&self) -> Vec<KeyId> {
        self.view.borrow().keys.clone()
    }

    /// Takes a step of changing the cluster's secret, as [`Swim::change_keys`](crate::Swim::change_keys), and waits for its
    /// end: ten probe intervals at most. A report that is not
    /// [complete](KeyReport::is_complete) says who is missing; the same step can be taken again.
    /// `None` after the end of this node.
    ///
    /// # Errors
    ///
    /// [`KeyChangeError`] where it was not begun. Nothing changed.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, the step goes on, if it was begun.
    pub async fn change_keys(
        &self,
        change: KeyChange,
    ) -> Option<Result<KeyReport, KeyChangeError>> {
        let (done, report) = oneshot::channel();
        self.command(Command::ChangeKeys(change, done)).await;
        report.await.ok()
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

    /// How well this node itself does, as its probes tell.
    #[must_use]
    pub fn health(&self) -> Health {
        self.view.borrow().health
    }

    /// How many streams to others are open: the end of so many processes shows at once.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.view.borrow().n_streams
    }

    /// Everybody that `filter` lets through, then what happens to them. After the end of the
    /// node, a last snapshot.
    #[must_use]
    pub fn subscribe(&self, filter: Filter) -> Subscription {
        // In this order: what happens in between is in both, and told once.
        let events = self.events.upgrade().map(|events| events.subscribe());
        Subscription::new(events, self.view.clone(), filter)
    }

    async fn command(&self, command: Command) {
        // An error means that the task has ended: there is nothing to change any more.
        let _ = self.commands.send(command).await;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The most commands that wait for the task; more callers wait for them.
const COMMANDS_MAX: usize = 16;

/// How far a reader of events may fall behind.
const EVENTS_MAX: usize = 1024;
