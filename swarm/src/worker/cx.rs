//! What a worker knows of itself, and what it can ask for.

use super::message::payload;
use super::system::System;
use super::{Has, Message, Worker};
use crate::scope::InScope;
use crate::{Swarm, ToName};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;
use swarm_base::{Name, NodeId, Pid, Token};
use swarm_process::{Context, Rival};

/// A worker's side of the swarm. Nothing here waits or fails.
pub struct Cx<W> {
    context: Context,
    system: Arc<dyn System>,
    rival: Rival,
    worker: PhantomData<fn() -> W>,
}

impl<W: Worker> Cx<W> {
    pub(super) fn new(context: Context, system: Arc<dyn System>) -> Self {
        Self { context, system, rival: Rival::Other, worker: PhantomData }
    }

    /// The most bytes of a state that it takes along, or takes in.
    pub(super) fn state_bytes_max(&self) -> usize {
        self.system.state_bytes_max()
    }

    /// What the worker is called: displays as its name, or as its pid where it has no name.
    #[must_use]
    pub fn name(&self) -> Label<'_> {
        self.context.name().map_or_else(|| Label::of_pid(self.pid()), Label::of_name)
    }

    /// The node that it runs on. Displays as the node's name.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        self.system.node()
    }

    /// Its pid: another one after every restart and move.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.context.pid()
    }

    /// Its fencing token: ordered, and higher after every restart and move. It can also rise while
    /// the worker runs, after a partition has healed: ask anew for each use.
    #[must_use]
    pub fn token(&self) -> Token {
        self.context.token()
    }

    /// The swarm, with all that it offers, in the worker's scope. It does not keep the node running.
    #[must_use]
    pub fn swarm(&self) -> Swarm {
        self.system.swarm()
    }

    /// Joins a group, where it stays through restarts and moves. Twice is once. In `start` it
    /// counts once the start has succeeded. Others see it when the node has told them.
    ///
    /// # Panics
    ///
    /// When the group's name is longer than 1 KiB.
    pub fn join(&mut self, group: impl ToName) {
        self.context.join(group_name(self.system.scope(), &group));
    }

    /// Leaves a group. Not being in it is no error.
    ///
    /// # Panics
    ///
    /// When the group's name is longer than 1 KiB.
    pub fn leave(&mut self, group: impl ToName) {
        self.context.leave(group_name(self.system.scope(), &group));
    }

    /// Sends itself a message after `delay` and up to 10 ms more, unless it has ended or moved by
    /// then: set timers again in `end_handoff`. A delay of years is as good as never.
    ///
    /// With more than 65,536 such messages pending it ends as `Overloaded`.
    pub fn send_after<M: Message, I>(&self, delay: Duration, message: M)
    where
        W::Accepts: Has<M, I>,
    {
        self.context.send_after(delay, payload(message));
    }

    /// Sends itself a message, behind those that wait. It cannot wait for room that only it can
    /// make: above four times the mailbox's limit it ends as `Overloaded`.
    pub fn cast_self<M: Message, I>(&self, message: M)
    where
        W::Accepts: Has<M, I>,
    {
        self.context.cast_self(payload(message));
    }

    /// Has [`Worker::down`] called when a process ends: once for each call of this, also for a pid
    /// that never was, and whatever becomes of the session with its node in between. Above 65,536 monitors it ends as `Overloaded`.
    pub fn monitor(&mut self, pid: Pid) {
        self.context.monitor(pid);
    }

    /// Links with a process of any node: when one of the two ends abnormally, or its node is held
    /// dead, the other ends too, after its `die`. Twice is once.
    pub fn link(&mut self, pid: Pid) {
        self.context.link(pid);
    }

    /// Whether, within [`resolve_conflict`](Worker::resolve_conflict), the other worker is the one
    /// that this one was started in place of, because its node was held dead by mistake, and this
    /// one has handled nothing since: then the other's state is the name's. Elsewhere false.
    #[must_use]
    pub const fn is_unused_copy(&self) -> bool {
        matches!(self.rival, Rival::Former)
    }

    /// Ends the worker, with its `die`, when the method that runs returns.
    pub fn stop(&mut self) {
        self.context.stop();
    }

    pub(super) fn count_unhandled(&self) {
        self.system.count_unhandled();
    }

    pub(super) const fn set_rival(&mut self, rival: Rival) {
        self.rival = rival;
    }

    pub(super) const fn context(&mut self) -> &mut Context {
        &mut self.context
    }
}

impl<W> fmt::Debug for Cx<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cx({} on {:?})", self.context.pid(), self.system.node())
    }
}

/// What a process is called: displays as its name, or as its pid where it has no name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Label<'a>(Called<'a>);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Called<'a> {
    Name(&'a Name),
    Pid(Pid),
}

impl<'a> Label<'a> {
    pub(crate) const fn of_name(name: &'a Name) -> Self {
        Self(Called::Name(name))
    }

    pub(crate) const fn of_pid(pid: Pid) -> Self {
        Self(Called::Pid(pid))
    }

    /// The name, where there is one.
    #[must_use]
    pub const fn name(self) -> Option<&'a Name> {
        match self.0 {
            Called::Name(name) => Some(name),
            Called::Pid(_) => None,
        }
    }
}

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Called::Name(name) => fmt::Display::fmt(name, f),
            Called::Pid(pid) => fmt::Display::fmt(&pid, f),
        }
    }
}

impl fmt::Debug for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn group_name(scope: &InScope, group: &impl ToName) -> Name {
    match scope.name(group) {
        Ok(name) => name,
        Err(error) => panic!("not the name of a group: {error}"),
    }
}
