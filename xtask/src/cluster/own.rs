//! This very program as another process of the network: the relay, and the flood. It answers in
//! lines of JSON.

use super::net;
use crate::Failure;
use crate::driven;
use crate::process::{Process, Written};
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::sync::mpsc;

/// A process of this program. Dropped, it ends.
pub(super) struct Own {
    name: &'static str,
    process: Process,
    lines: mpsc::Receiver<String>,
}

impl Own {
    /// Starts a command of this program in a namespace.
    pub(super) fn start(
        name: &'static str,
        namespace: &str,
        args: impl IntoIterator<Item = String>,
    ) -> Result<Self, Failure> {
        let command: Vec<_> = std::iter::once(driven::this_program()?).chain(args).collect();
        let (sender, lines) = mpsc::channel(LINES_MAX);
        let sink = move |_, written| {
            let line = match written {
                Written::Out(line) => line,
                Written::Err(line) => format!("stderr: {line}"),
                Written::End => return,
            };
            // It writes a line for each question and few besides, so that there is room.
            let _ = sender.try_send(line);
        };
        let process = Process::start(name, net::command_in(namespace, &command), sink)?;
        Ok(Self { name, process, lines })
    }

    pub(super) async fn tell(&mut self, command: &str) -> Result<(), Failure> {
        self.process.tell(command).await
    }

    /// What it says next.
    pub(super) async fn answer<T: DeserializeOwned>(
        &mut self,
        timeout: Duration,
    ) -> Result<T, Failure> {
        let name = self.name;
        let line = match tokio::time::timeout(timeout, self.lines.recv()).await {
            Ok(Some(line)) => line,
            Ok(None) => return Err(Failure::new(format!("{name} has ended"))),
            Err(_) => return Err(Failure::new(format!("{name} is silent for {timeout:?}"))),
        };
        serde_json::from_str(&line).map_err(|_| Failure::new(format!("{name} says: {line}")))
    }
}

/// More than it writes without being asked.
const LINES_MAX: usize = 16;
