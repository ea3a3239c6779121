//! Typed handles to workers.

use crate::ops::{Addressee, Call, Cast, Change, Membership, StopNamed};
use crate::traffic::Whom;
use crate::worker::Label;
use crate::{CastError, Has, Message, Monitor, Name, Pid, Stop, Swarm, ToName, Worker};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::marker::PhantomData;

/// Who is addressed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Target {
    /// Whoever has the name.
    #[serde(rename = "n")]
    Name(Name),
    /// This process.
    #[serde(rename = "p")]
    Pid(Pid),
}

impl Target {
    pub(crate) fn whom(&self) -> Whom<'_> {
        match self {
            Self::Name(name) => Whom::Name(name.as_bytes()),
            Self::Pid(pid) => Whom::Pid(*pid),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => fmt::Display::fmt(name, f),
            Self::Pid(pid) => fmt::Display::fmt(pid, f),
        }
    }
}

/// A handle to a worker of type `W`: to its name, so that it stays good through restarts and
/// moves; or, after [`Swarm::spawn`], to its pid.
pub struct Ref<W> {
    swarm: Swarm,
    target: Target,
    worker: PhantomData<fn() -> W>,
}

impl<W: Worker> Ref<W> {
    pub(crate) fn new(swarm: &Swarm, target: Target) -> Self {
        Self { swarm: swarm.clone(), target, worker: PhantomData }
    }

    pub(crate) fn named(swarm: &Swarm, name: Name) -> Self {
        Self::new(swarm, Target::Name(name))
    }

    pub(crate) fn process(swarm: &Swarm, pid: Pid) -> Self {
        Self::new(swarm, Target::Pid(pid))
    }

    pub(crate) const fn target(&self) -> &Target {
        &self.target
    }

    /// What it is called: displays as its name, or as its pid where it has none.
    #[must_use]
    pub fn name(&self) -> Label<'_> {
        match &self.target {
            Target::Name(name) => Label::of_name(name),
            Target::Pid(pid) => Label::of_pid(*pid),
        }
    }

    /// Its process, as this node sees it now. Never waits.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.swarm.pid_of(&self.target)
    }

    /// Sends a message and waits for the reply. What `W` does not handle does not compile.
    ///
    /// # Errors
    ///
    /// [`CallError`](crate::CallError), by default within 5 s.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the call is forgotten; a message that was sent is handled nevertheless.
    pub fn call<M: Message, I>(&self, message: M) -> Call<'_, M>
    where
        W::Accepts: Has<M, I>,
    {
        Call::new(&self.swarm, Addressee::Target(&self.target), message)
    }

    /// Sends a message and does not wait for it to be handled; waits for room where there is none.
    ///
    /// # Errors
    ///
    /// [`CastError`]: it was not sent.
    pub fn cast<M: Message, I>(&self, message: M) -> Cast<'_, M>
    where
        W::Accepts: Has<M, I>,
    {
        Cast::new(&self.swarm, Addressee::Target(&self.target), message)
    }

    /// Sends a message if there is room for it now.
    ///
    /// # Errors
    ///
    /// `Full` where there is none; `NotFound` where it has no process, or where that is just
    /// changing its node.
    pub fn try_cast<M: Message, I>(&self, message: M) -> Result<(), CastError>
    where
        W::Accepts: Has<M, I>,
    {
        self.swarm.core().try_cast(self.target.whom(), message)
    }

    /// Joins a group. See [`Swarm::join`].
    pub fn join(&self, group: impl ToName) -> Membership<'_> {
        self.swarm.membership(group, &self.target, Change::Join { meta: Vec::new() })
    }

    /// Leaves a group. See [`Swarm::leave_group`].
    pub fn leave(&self, group: impl ToName) -> Membership<'_> {
        self.swarm.membership(group, &self.target, Change::Leave)
    }

    /// Ends it. See [`Swarm::stop`].
    pub fn stop(&self, how: Stop) -> StopNamed<'_> {
        match &self.target {
            Target::Name(name) => self.swarm.stop(name, how),
            Target::Pid(pid) => StopNamed::process(&self.swarm, *pid, how),
        }
    }

    /// A future of exactly one [`Down`](crate::Down) of the process that it is now; at once where
    /// it has none.
    pub fn monitor(&self) -> Monitor {
        match self.pid() {
            Some(pid) => self.swarm.monitor(pid),
            None => Monitor::nobody(),
        }
    }

    /// What can travel in messages: [`Swarm::at`] makes it a handle again.
    #[must_use]
    pub fn address(&self) -> Address<W> {
        Address { target: self.target.clone(), worker: PhantomData }
    }
}

impl<W> Clone for Ref<W> {
    fn clone(&self) -> Self {
        Self { swarm: self.swarm.clone(), target: self.target.clone(), worker: PhantomData }
    }
}

impl<W> fmt::Debug for Ref<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ref({})", self.target)
    }
}

/// A worker's address: what travels in messages, and means the same on every node.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct Address<W> {
    target: Target,
    #[serde(skip)]
    worker: PhantomData<fn() -> W>,
}

impl<W> Address<W> {
    pub(crate) fn into_target(self) -> Target {
        self.target
    }
}

impl<W> Clone for Address<W> {
    fn clone(&self) -> Self {
        Self { target: self.target.clone(), worker: PhantomData }
    }
}

impl<W> PartialEq for Address<W> {
    fn eq(&self, other: &Self) -> bool {
        self.target == other.target
    }
}

impl<W> Eq for Address<W> {}

impl<W> fmt::Debug for Address<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.target)
    }
}

impl<W> fmt::Display for Address<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.target, f)
    }
}
