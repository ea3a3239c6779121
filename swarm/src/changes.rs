//! Names and groups that are followed: what there is, then what changes.

use crate::hub::{Hub, Next, Reader};
use crate::scope::InScope;
use futures_core::Stream;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use swarm_base::{Name, Pid};
use swarm_registry::Bytes;

/// What is told of the names that begin with a prefix.
///
/// Of one name the last that was told holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameChange {
    /// The name has this process: it had it all along, or was registered, moved or restarted.
    Held {
        /// The name.
        name: Name,
        /// The process.
        pid: Pid,
    },
    /// The name has no process: it is free, or about to be started again.
    Vacant {
        /// The name.
        name: Name,
    },
    /// All names that there were have been told; what follows are changes.
    Complete,
    /// The subscriber was too slow, and changes were dropped. All names are told once more, up to
    /// the next [`Complete`](Self::Complete): those that are not told until then are vacant.
    Lagged {
        /// How many.
        missed: u64,
    },
}

/// What is told of a group.
///
/// Of one process the last that was told holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupChange {
    /// The process is a member, with this metadata.
    Member {
        /// The process.
        pid: Pid,
        /// What it says about itself.
        meta: Vec<u8>,
    },
    /// The process is none any more: it left, or ended.
    Left {
        /// The process.
        pid: Pid,
    },
    /// All members that there were have been told; what follows are changes.
    Complete,
    /// The subscriber was too slow, and changes were dropped. All members are told once more, up to
    /// the next [`Complete`](Self::Complete): those that are not told until then are none.
    Lagged {
        /// How many.
        missed: u64,
    },
}

/// The hubs of the changes that facts make to this node's views.
#[derive(Debug)]
pub(crate) struct Changes {
    names: Hub<(Name, NameChange)>,
    groups: Hub<(Name, GroupChange)>,
}

impl Changes {
    pub(crate) const fn new() -> Self {
        Self { names: Hub::new(CHANGES_MAX), groups: Hub::new(CHANGES_MAX) }
    }

    /// `name` has another process, or none, in the view already.
    pub(crate) fn name(&self, name: &Name, pid: Option<Pid>) {
        if !self.names.is_read() {
            return;
        }
        let change = match pid {
            Some(pid) => NameChange::Held { name: name.clone(), pid },
            None => NameChange::Vacant { name: name.clone() },
        };
        self.names.publish(&(name.clone(), change));
    }

    /// `pid` says so of itself in `group`, or left it, in the view already.
    pub(crate) fn group(&self, group: &Name, pid: Pid, meta: Option<&Bytes>) {
        if !self.groups.is_read() {
            return;
        }
        let change = match meta {
            Some(meta) => GroupChange::Member { pid, meta: meta.to_vec() },
            None => GroupChange::Left { pid },
        };
        self.groups.publish(&(group.clone(), change));
    }

    pub(crate) fn close(&self) {
        self.names.close();
        self.groups.close();
    }
}

/// How many changes wait for a slow subscriber.
const CHANGES_MAX: usize = 4_096;

/// What is listed, then what changes; listed anew where changes were dropped.
struct Follow<T> {
    list: Box<dyn Fn() -> Listing<T> + Send + Sync>,
    listing: Option<Listing<T>>,
    reader: Reader<(Name, T)>,
}

type Listing<T> = Box<dyn Iterator<Item = T> + Send + Sync>;

/// What comes next.
enum Told<T> {
    Item(T),
    Complete,
    Lagged(u64),
    Closed,
}

impl<T> Follow<T> {
    /// The reader has begun already: nothing is missed in between.
    fn new(
        reader: Reader<(Name, T)>,
        list: impl Fn() -> Listing<T> + Send + Sync + 'static,
    ) -> Self {
        Self { listing: Some(list()), list: Box::new(list), reader }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Told<T>> {
        if let Some(listing) = &mut self.listing {
            return Poll::Ready(match listing.next() {
                Some(item) => Told::Item(item),
                None => {
                    self.listing = None;
                    Told::Complete
                }
            });
        }
        Poll::Ready(match ready!(self.reader.poll_next(cx)) {
            Next::Item((_, item)) => Told::Item(item),
            Next::Missed(missed) => {
                // What waits is in the view already.
                let missed = missed + self.reader.skip();
                self.listing = Some((self.list)());
                Told::Lagged(missed)
            }
            Next::Closed => Told::Closed,
        })
    }
}

impl<T> fmt::Debug for Follow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follow")
            .field("is_listing", &self.listing.is_some())
            .finish_non_exhaustive()
    }
}

/// A subscription to names; made by [`Swarm::watch_names`](crate::Swarm::watch_names). Holds at
/// most 4,096 changes that were not read yet.
#[derive(Debug)]
pub struct NameChanges(Follow<NameChange>);

impl NameChanges {
    pub(crate) fn new(
        changes: &Changes,
        view: &swarm_registry::View,
        scope: &InScope,
        prefix: &str,
    ) -> Self {
        let (view, prefix) = (view.clone(), scope.bytes(prefix).into_owned());
        let (scope, wanted) = (scope.clone(), prefix.clone());
        let is_wanted = move |name: &Name| {
            let name = name.as_bytes();
            name.starts_with(&wanted) && scope.holds(name)
        };
        let also_wanted = is_wanted.clone();
        let reader = changes.names.subscribe_to(move |(name, _)| is_wanted(name));
        Self(Follow::new(reader, move || {
            let is_wanted = also_wanted.clone();
            let names = view.prefix(&prefix).filter(move |(name, _)| is_wanted(name));
            Box::new(names.map(|(name, found)| NameChange::Held { name, pid: found.pid }))
        }))
    }

    /// What is told next; `None` once the node has stopped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<NameChange> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<NameChange>> {
        Poll::Ready(match ready!(self.0.poll(cx)) {
            Told::Item(change) => Some(change),
            Told::Complete => Some(NameChange::Complete),
            Told::Lagged(missed) => Some(NameChange::Lagged { missed }),
            Told::Closed => None,
        })
    }
}

impl Stream for NameChanges {
    type Item = NameChange;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<NameChange>> {
        self.get_mut().poll(cx)
    }
}

/// A subscription to a group; made by [`Swarm::watch_group`](crate::Swarm::watch_group). Holds at
/// most 4,096 changes that were not read yet.
#[derive(Debug)]
pub struct GroupChanges(Follow<GroupChange>);

impl GroupChanges {
    pub(crate) fn new(changes: &Changes, view: &swarm_groups::View, group: &[u8]) -> Self {
        let (view, group, wanted) = (view.clone(), group.to_vec(), group.to_vec());
        let reader = changes.groups.subscribe_to(move |(group, _)| group.as_bytes() == wanted);
        Self(Follow::new(reader, move || {
            let members = view.members_with_meta(&group).into_iter();
            Box::new(members.map(|(pid, meta)| GroupChange::Member { pid, meta: meta.to_vec() }))
        }))
    }

    /// What is told next; `None` once the node has stopped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<GroupChange> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<GroupChange>> {
        Poll::Ready(match ready!(self.0.poll(cx)) {
            Told::Item(change) => Some(change),
            Told::Complete => Some(GroupChange::Complete),
            Told::Lagged(missed) => Some(GroupChange::Lagged { missed }),
            Told::Closed => None,
        })
    }
}

impl Stream for GroupChanges {
    type Item = GroupChange;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<GroupChange>> {
        self.get_mut().poll(cx)
    }
}
