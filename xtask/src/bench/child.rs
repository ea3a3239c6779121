//! A process of the bench, as the bench holds it: the bench does one thing after the other.

use super::protocol::{Reply, Request};
use crate::Failure;
use crate::driven::{self, Asking, Driven};
use std::time::Duration;
use tokio::process::Command;
use tokio::runtime::Runtime;

/// A process that answers requests. Dropped, it is killed.
pub(super) struct Child {
    name: String,
    /// `None` once it was killed.
    driven: Option<Driven<Request>>,
    asked: Option<Asking>,
    runtime: Runtime,
}

/// No request takes longer unless something is wrong.
const TIMEOUT: Duration = Duration::from_secs(60);

impl Child {
    /// Starts one.
    pub(super) fn start(name: &str) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(format!("no runtime: {error}")))?;
        let mut command = Command::new(driven::this_program()?);
        command.args(["bench", "node"]);
        let started = async { Driven::start(&format!("process {name}"), command, TIMEOUT) };
        let driven = Some(runtime.block_on(started)?);
        Ok(Self { name: name.to_owned(), driven, asked: None, runtime })
    }

    /// Asks, and waits for the answer.
    pub(super) fn ask(&mut self, request: &Request) -> Result<Reply, Failure> {
        self.tell(request)?;
        self.answer()
    }

    /// Asks, and does not wait: [`answer`](Self::answer) does.
    pub(super) fn tell(&mut self, request: &Request) -> Result<(), Failure> {
        let Some(driven) = &self.driven else {
            return Err(Failure::new(format!("process {} was killed", self.name)));
        };
        self.asked = Some(self.runtime.block_on(driven.client().tell(request.clone()))?);
        Ok(())
    }

    /// The answer to what was told.
    pub(super) fn answer(&mut self) -> Result<Reply, Failure> {
        let asked = self.asked.take();
        let asked = asked
            .ok_or_else(|| Failure::new(format!("process {} was asked for nothing", self.name)))?;
        self.runtime.block_on(asked.reply())
    }

    /// `kill -9`, as far as the system knows that.
    pub(super) fn kill(&mut self) -> Result<(), Failure> {
        let killed = self.driven.take().map(|driven| self.runtime.block_on(driven.kill()));
        killed.unwrap_or(Ok(()))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.kill();
    }
}
