//! Messages: to one, to a group.

use super::{Pending, TIMEOUT};
use crate::reference::Target;
use crate::scope::InScope;
use crate::traffic::Whom;
use crate::{CallError, CastError, Message, Pid, Swarm, ToName};
use std::time::Duration;
use swarm_base::{Name, NameError, Short};

/// Whom a message goes to.
#[derive(Debug)]
pub(crate) enum Addressee<'a> {
    /// Whoever has the name of these bytes.
    Name(Short),
    /// Whoever a handle is for.
    Target(&'a Target),
    /// A process.
    Pid(Pid),
}

impl Addressee<'_> {
    pub(crate) fn name(scope: &InScope, name: &impl ToName) -> Self {
        Self::Name(Short::new(&scope.bytes(name)))
    }

    fn whom(&self) -> Whom<'_> {
        match self {
            Self::Name(name) => Whom::Name(name),
            Self::Target(target) => target.whom(),
            Self::Pid(pid) => Whom::Pid(*pid),
        }
    }
}

/// A call; made by [`Swarm::call`] and [`Ref::call`](crate::Ref::call).
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Call<'a, M> {
    swarm: &'a Swarm,
    target: Addressee<'a>,
    message: M,
    timeout: Duration,
}

impl<'a, M> Call<'a, M> {
    pub(crate) const fn new(swarm: &'a Swarm, target: Addressee<'a>, message: M) -> Self {
        Self { swarm, target, message, timeout: TIMEOUT }
    }

    /// How long to wait for the reply in all. 5 s by default. The receiver learns it too, and does
    /// not handle what nobody waits for any more.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<'a, M: Message> IntoFuture for Call<'a, M> {
    type Output = Result<M::Reply, CallError>;
    type IntoFuture = Pending<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { swarm, target, message, timeout } = self;
            swarm.core().call(target.whom(), message, timeout).await
        })
    }
}

/// A message without a reply; made by [`Swarm::cast`], [`Swarm::send`] and
/// [`Ref::cast`](crate::Ref::cast).
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Cast<'a, M> {
    swarm: &'a Swarm,
    target: Addressee<'a>,
    message: M,
    timeout: Duration,
}

impl<'a, M> Cast<'a, M> {
    pub(crate) const fn new(swarm: &'a Swarm, target: Addressee<'a>, message: M) -> Self {
        Self { swarm, target, message, timeout: TIMEOUT }
    }

    /// How long to wait for room. 5 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<'a, M: Message> IntoFuture for Cast<'a, M> {
    type Output = Result<(), CastError>;
    type IntoFuture = Pending<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { swarm, target, message, timeout } = self;
            swarm.core().cast(target.whom(), message, timeout).await
        })
    }
}

/// A message to all members of a group; made by [`Swarm::publish`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Publish<'a, M> {
    swarm: &'a Swarm,
    pids: Vec<Pid>,
    message: M,
    timeout: Duration,
}

impl<'a, M> Publish<'a, M> {
    pub(crate) const fn new(swarm: &'a Swarm, pids: Vec<Pid>, message: M) -> Self {
        Self { swarm, pids, message, timeout: TIMEOUT }
    }

    /// How long to wait for room in each queue. 5 s by default. Members without room by then do
    /// not get it, and are not counted.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<'a, M: Message + Clone> IntoFuture for Publish<'a, M> {
    type Output = usize;
    type IntoFuture = Pending<'a, usize>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { swarm, pids, message, timeout } = self;
            swarm.core().cast_many(pids, message, timeout).await
        })
    }
}

/// Which member of a group gets a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pick {
    /// Any.
    Any,
    /// One of this node, if there is one; else any.
    LocalFirst,
    /// The same one for the same key, while the group does not change.
    ByKey(Vec<u8>),
    /// Each in turn, as this node counts.
    RoundRobin,
}

/// A message to one member of a group; made by [`Swarm::send_one`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct SendOne<'a, M> {
    swarm: &'a Swarm,
    group: Result<Name, NameError>,
    message: M,
    pick: Pick,
    timeout: Duration,
}

impl<'a, M> SendOne<'a, M> {
    pub(crate) const fn new(
        swarm: &'a Swarm,
        group: Result<Name, NameError>,
        message: M,
        pick: Pick,
    ) -> Self {
        Self { swarm, group, message, pick, timeout: TIMEOUT }
    }

    /// How long to wait for room. 5 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<'a, M: Message> IntoFuture for SendOne<'a, M> {
    type Output = Result<(), CastError>;
    type IntoFuture = Pending<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { swarm, group, message, pick, timeout } = self;
            let group = group?;
            let not_found =
                || CastError::NotFound { target: group.to_string().into(), message: M::NAME };
            let here = match pick {
                Pick::LocalFirst => swarm.local_members(&group),
                _ => Vec::new(),
            };
            let members = if here.is_empty() { swarm.members(&group) } else { here };
            if members.is_empty() {
                return Err(not_found());
            }
            let turn = match &pick {
                Pick::ByKey(key) => xxhash_rust::xxh3::xxh3_64(key),
                Pick::Any | Pick::LocalFirst | Pick::RoundRobin => swarm.core().number(),
            };
            let pid = members[(turn % members.len() as u64) as usize];
            swarm.core().cast(Whom::Pid(pid), message, timeout).await
        })
    }
}
