//! A membership agent on a host: its process, what it has said, and what it believes of others.

mod log;
mod says;
mod view;
pub(super) use log::Log;
pub(super) use says::{Event, Kind, Life};
pub(super) use view::State;

use super::net::{self, Host};
use crate::Failure;
use crate::process::{Process, Signal};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// A running agent, or what is left of it.
pub(super) struct Agent {
    name: String,
    host: Host,
    process: Process,
    log: Arc<Mutex<Log>>,
    end: End,
}

/// Whether the process may end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Unwanted,
    Asked,
}

/// How an agent is started.
pub(super) struct Order<'a> {
    pub(super) name: &'a str,
    pub(super) host: Host,
    pub(super) namespace: &'a str,
    /// The program and its arguments.
    pub(super) command: &'a [String],
}

impl Agent {
    /// Starts an agent. `changed` is told of every line that it writes.
    pub(super) fn start(order: &Order<'_>, changed: Arc<Notify>) -> Result<Self, Failure> {
        let log = Arc::new(Mutex::new(Log::default()));
        let sink = {
            let log = Arc::clone(&log);
            move |at, written| {
                lock(&log).take(at, written);
                changed.notify_waiters();
            }
        };
        let command = net::command_in(order.namespace, order.command);
        let process = Process::start(order.name, command, sink)?;
        Ok(Self { name: order.name.to_owned(), host: order.host, process, log, end: End::Unwanted })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) const fn host(&self) -> Host {
        self.host
    }

    /// What it has said until now.
    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        lock(&self.log)
    }

    /// This life of it, once it has said so.
    pub(super) fn life(&self) -> Option<Life> {
        Some(self.log().started()?.0.clone())
    }

    /// Where it says that it is reached.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        Some(self.log().started()?.1)
    }

    /// Whether it ended though nobody asked it to.
    pub(super) fn has_died(&self) -> bool {
        self.end == End::Unwanted && self.log().has_ended()
    }

    /// From now on it may end by itself.
    pub(super) const fn may_end(&mut self) {
        self.end = End::Asked;
    }

    /// Writes a command to its stdin.
    pub(super) async fn tell(&mut self, command: &str) -> Result<(), Failure> {
        self.process.tell(command).await
    }

    /// Freezes it, lets it go on, or asks it to end: the time just before that.
    pub(super) async fn signal(&mut self, signal: Signal) -> Result<Instant, Failure> {
        if matches!(signal, Signal::Terminate) {
            self.may_end();
        }
        let now = super::now();
        self.process.signal(signal).await.map(|()| now)
    }

    /// Kills it without any warning: the time just before that.
    pub(super) async fn kill(&mut self) -> Result<Instant, Failure> {
        self.may_end();
        let now = super::now();
        self.process.kill().await.map(|()| now)
    }

    /// For how long it has had a processor since it started.
    pub(super) fn cpu_time(&self) -> Result<Duration, Failure> {
        self.process.cpu_time()
    }

    /// Waits for it to end by itself: whether with success.
    pub(super) async fn ended(&mut self) -> Result<bool, Failure> {
        self.process.ended().await.map(|status| status.success())
    }
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}
