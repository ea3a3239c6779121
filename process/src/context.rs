//! A process's side of its node.

use crate::{Ask, Clock, ExitReason, Handle, Mail, Notice, Payload, Pressure, Processes};
use std::time::Duration;
use swarm_base::{Name, Pid, Token};

/// What a process knows of itself and can ask for. Nothing here waits or fails.
#[derive(Debug)]
pub struct Context {
    handle: Handle,
    processes: Processes,
    /// What it asked for before it was up, or while its node had no room for more notices.
    asks: Vec<Ask>,
    standing: Standing,
}

/// Whether the node knows the process to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Not yet: what it asks for waits.
    Starting,
    Up,
    /// It ends after this handler.
    Stopping,
}

impl Context {
    pub(crate) const fn new(handle: Handle, processes: Processes) -> Self {
        Self { handle, processes, asks: Vec::new(), standing: Standing::Starting }
    }

    /// The process.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.handle.pid()
    }

    /// Its name, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&Name> {
        self.handle.name()
    }

    /// Its fencing token, which can rise.
    #[must_use]
    pub fn token(&self) -> Token {
        self.handle.token()
    }

    /// What others hold of it.
    #[must_use]
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// All processes of its node.
    #[must_use]
    pub const fn processes(&self) -> &Processes {
        &self.processes
    }

    /// Its node's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.processes.clock()
    }

    /// Ends it after the handler that runs, with its cleaning up. In `start`: as soon as it is up.
    /// From now on it takes no more messages.
    pub fn stop(&mut self) {
        self.standing = Standing::Stopping;
        // Now: who is answered by this handler and sends again must not wait for one that is over.
        self.handle.mailbox().refuse();
    }

    /// Joins a group, once it is up.
    pub fn join(&mut self, group: Name) {
        self.ask(Ask::Join(group));
    }

    /// Leaves a group.
    pub fn leave(&mut self, group: Name) {
        self.ask(Ask::Leave(group));
    }

    /// Monitors a process: exactly one `down` for each call, also for a pid that never was.
    pub fn monitor(&mut self, target: Pid) {
        if self.processes.is_local(target) {
            self.processes.monitor_for(&self.handle, target);
        } else {
            self.ask(Ask::Monitor(target));
        }
    }

    /// Links with a process: when one of the two ends abnormally, the other ends too. Twice is
    /// once.
    pub fn link(&mut self, target: Pid) {
        if self.processes.is_local(target) {
            self.processes.link(&self.handle, target);
        } else {
            self.ask(Ask::Link(target));
        }
    }

    /// Sends it a message, behind those that wait. Above four times the mailbox's limit the process
    /// ends as `Overloaded`: it could not wait for room that only it can make.
    pub fn cast_self(&self, payload: Payload) {
        match self.handle.force(Mail::cast(payload)) {
            Pressure::Ok | Pressure::High | Pressure::Closed(_) => (),
            Pressure::Refused(_) => self.handle.end(ExitReason::Overloaded),
        }
    }

    /// Sends it a message after `delay` (and up to 10 ms later), unless it has ended or moved by
    /// then. Above 65,536 such messages the process ends as `Overloaded`.
    pub fn send_after(&self, delay: Duration, payload: Payload) {
        if !self.handle.add_timer() {
            return self.handle.end(ExitReason::Overloaded);
        }
        self.processes.send_after(delay, self.handle.clone(), Mail::cast(payload));
    }

    /// It runs: what it asks for goes to its node from now on. Returns what it asked for so far.
    pub(crate) fn set_up(&mut self) -> Vec<Ask> {
        if self.standing == Standing::Starting {
            self.standing = Standing::Up;
        }
        std::mem::take(&mut self.asks)
    }

    pub(crate) const fn is_stopping(&self) -> bool {
        matches!(self.standing, Standing::Stopping)
    }

    /// Tells the node what could not be told at once.
    pub(crate) async fn flush(&mut self) {
        for ask in std::mem::take(&mut self.asks) {
            self.processes.notify(Notice::Asked { pid: self.handle.pid(), ask }).await;
        }
    }

    pub(crate) const fn has_asks(&self) -> bool {
        !self.asks.is_empty()
    }

    fn ask(&mut self, ask: Ask) {
        // In order: nothing overtakes what waits.
        let now = self.standing == Standing::Up && self.asks.is_empty();
        let notice = Notice::Asked { pid: self.handle.pid(), ask };
        let left = if now { self.processes.try_notify(notice) } else { Some(notice) };
        if let Some(Notice::Asked { ask, .. }) = left {
            self.asks.push(ask);
        }
        if self.asks.len() > ASKS_MAX {
            self.handle.end(ExitReason::Overloaded);
        }
    }
}

/// What one handler can ask for while its node is busy.
const ASKS_MAX: usize = 65_536;
