//! Who is told when a process ends, and whom it watches.

use crate::signal::News;
use crate::{Down, ExitReason, Handle};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use swarm_base::Pid;
use tokio::sync::oneshot;

/// What carries the end of a process to another node.
pub trait DownSink: Send + Sync {
    /// Tells the watcher `reference` that a process ended. Called once for each monitor, from the
    /// task of the process or of whoever set the monitor. Must neither block nor panic.
    fn down(&self, reference: u64, down: Down);
}

/// The monitors and links of one process. Boxed on first use: most processes have none.
#[derive(Debug)]
pub(crate) enum Relations {
    Alive(Option<Box<Book>>),
    Ended(Box<ExitReason>),
}

#[derive(Debug, Default)]
pub(crate) struct Book {
    /// Who is told of this process's end.
    watchers: BTreeMap<u64, Watcher>,
    /// What this process is told of: the other's pid, and the monitor's number.
    watched: BTreeSet<(Pid, u64)>,
    links: BTreeMap<Pid, Handle>,
}

/// Somebody who waits for the end of a process.
pub(crate) enum Watcher {
    Future(oneshot::Sender<Down>),
    Process(Handle),
    Remote(Arc<dyn DownSink>, u64),
}

impl Relations {
    pub(crate) const fn new() -> Self {
        Self::Alive(None)
    }

    /// Enters a watcher, or hands it back with the reason where the process has ended.
    pub(crate) fn watch(&mut self, id: u64, watcher: Watcher) -> Result<(), (Watcher, ExitReason)> {
        match self {
            Self::Alive(book) => {
                book.get_or_insert_default().watchers.insert(id, watcher);
                Ok(())
            }
            Self::Ended(reason) => Err((watcher, (**reason).clone())),
        }
    }

    pub(crate) fn unwatch(&mut self, id: u64) {
        self.with_book(|book| drop(book.watchers.remove(&id)));
    }

    /// Notes that this process watches another. `false` once it watches too many.
    pub(crate) fn note_watched(&mut self, target: Pid, id: u64) -> bool {
        match self {
            Self::Alive(book) => {
                let book = book.get_or_insert_default();
                book.watched.insert((target, id));
                book.watched.len() <= WATCHED_MAX
            }
            Self::Ended(_) => true,
        }
    }

    pub(crate) fn forget_watched(&mut self, target: Pid, id: u64) {
        self.with_book(|book| {
            book.watched.remove(&(target, id));
        });
    }

    /// Links to another process, once however often. Hands back the reason where this one has
    /// ended.
    pub(crate) fn link(&mut self, other: Handle) -> Result<(), ExitReason> {
        match self {
            Self::Alive(book) => {
                book.get_or_insert_default().links.insert(other.pid(), other);
                Ok(())
            }
            Self::Ended(reason) => Err((**reason).clone()),
        }
    }

    pub(crate) fn unlink(&mut self, other: Pid) {
        self.with_book(|book| drop(book.links.remove(&other)));
    }

    /// Ends the process: from now on watchers learn `reason` at once.
    pub(crate) fn end(&mut self, reason: &ExitReason) -> Option<Box<Book>> {
        match std::mem::replace(self, Self::Ended(Box::new(reason.clone()))) {
            Self::Alive(book) => book,
            Self::Ended(_) => None,
        }
    }

    fn with_book(&mut self, change: impl FnOnce(&mut Book)) {
        let Self::Alive(slot) = self else { return };
        if let Some(book) = slot {
            change(book);
            if book.watchers.is_empty() && book.watched.is_empty() && book.links.is_empty() {
                *slot = None;
            }
        }
    }
}

impl Book {
    /// Tells everybody that `pid` ended. Takes the lock of one other process at a time.
    pub(crate) fn close(self, pid: Pid, reason: &ExitReason, find: impl Fn(Pid) -> Option<Handle>) {
        for (id, watcher) in self.watchers {
            watcher.tell(Down { pid, reason: reason.clone() }, id);
        }
        for handle in self.links.into_values() {
            handle.relations().unlink(pid);
            if reason.is_abnormal() {
                let down = Down { pid, reason: reason.clone() };
                handle.news(News::Linked(Box::new(down)));
            }
        }
        for (target, id) in self.watched {
            if let Some(target) = find(target) {
                target.relations().unwatch(id);
            }
        }
    }
}

impl Watcher {
    /// Delivers the one `Down`. `id` is the monitor's number.
    pub(crate) fn tell(self, down: Down, id: u64) {
        match self {
            // A future that was dropped wants no answer.
            Self::Future(sender) => drop(sender.send(down)),
            Self::Process(handle) => {
                handle.relations().forget_watched(down.pid, id);
                handle.news(News::Down(Box::new(down)));
            }
            Self::Remote(sink, reference) => sink.down(reference, down),
        }
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Future(_) => f.write_str("Future"),
            Self::Process(handle) => write!(f, "Process({})", handle.pid()),
            Self::Remote(_, reference) => write!(f, "Remote({reference})"),
        }
    }
}

/// The most monitors that one process holds: it bounds the news in its mailbox.
const WATCHED_MAX: usize = 65_536;
