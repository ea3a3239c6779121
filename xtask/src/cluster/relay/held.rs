//! The relay as the harness holds it.

use super::Route;
use super::plan::Disorder;
use crate::Failure;
use crate::cluster::process::{Process, Written};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::sync::mpsc;

/// What a relay has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Counts {
    /// Packets that came from a node of the network.
    pub(in super::super) taken: u64,
    /// Packets that came from elsewhere, and went nowhere.
    pub(in super::super) strange: u64,
    /// Packets, the second ones included, that went on.
    pub(in super::super) passed: u64,
    pub(in super::super) held_back: u64,
    pub(in super::super) doubled: u64,
    /// Packets that went on after one that came later.
    pub(in super::super) overtaken: u64,
    /// Packets that were lost for want of room.
    pub(in super::super) overflow: u64,
}

/// A running relay. Dropped, it ends.
pub(in super::super) struct Relay {
    process: Process,
    lines: mpsc::Receiver<String>,
}

impl Relay {
    /// Starts this very program as a relay in a namespace, and waits until its ports are open.
    pub(in super::super) async fn start(
        namespace: &str,
        routes: &[Route],
        disorder: &Disorder,
    ) -> Result<Self, Failure> {
        // By way of this process: the file may have been built anew since.
        let this = format!("/proc/{}/exe", std::process::id());
        let mut command = vec![this, "relay".to_owned()];
        command.extend(routes.iter().map(|route| format!("--route={route}")));
        command.extend(disorder.options());
        let (sender, lines) = mpsc::channel(LINES_MAX);
        let sink = move |_, written| {
            let line = match written {
                Written::Out(line) => line,
                Written::Err(line) => format!("stderr: {line}"),
                Written::End => return,
            };
            // It writes one line for each question, so that there is room.
            let _ = sender.try_send(line);
        };
        let process = Process::start("the relay", namespace, &command, sink)?;
        let mut relay = Self { process, lines };
        relay.line().await?;
        Ok(relay)
    }

    /// What it has done until now.
    pub(in super::super) async fn counts(&mut self) -> Result<Counts, Failure> {
        self.process.tell("counts").await?;
        self.line().await
    }

    async fn line(&mut self) -> Result<Counts, Failure> {
        let line = match tokio::time::timeout(TIMEOUT, self.lines.recv()).await {
            Ok(Some(line)) => line,
            Ok(None) => return Err(Failure::new("the relay has ended")),
            Err(_) => return Err(Failure::new(format!("the relay is silent for {TIMEOUT:?}"))),
        };
        serde_json::from_str(&line).map_err(|_| Failure::new(format!("the relay says: {line}")))
    }
}

/// More than it writes without being asked.
const LINES_MAX: usize = 16;

/// How long it may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
