//! The flood as the harness holds it.

use crate::Failure;
use crate::cluster::process::{Process, Written};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::mpsc;

/// What a flood has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Counts {
    pub(in super::super) sent: u64,
    /// Those of them that its own system did not take.
    pub(in super::super) lost: u64,
    /// Packets that came back.
    pub(in super::super) heard: u64,
    pub(in super::super) seconds: f64,
}

/// A flood that is about to begin. Dropped, it ends.
pub(in super::super) struct Flood {
    process: Process,
    lines: mpsc::Receiver<String>,
}

impl Flood {
    /// Starts this very program as a flood in a namespace, and waits until it has been heard once.
    pub(in super::super) async fn start(
        namespace: &str,
        to: SocketAddr,
        (cluster, secret): (&str, &str),
        rate: u64,
        length: Duration,
    ) -> Result<Self, Failure> {
        // By way of this process: the file may have been built anew since.
        let this = format!("/proc/{}/exe", std::process::id());
        let mut command = vec![this, "flood".to_owned()];
        let mut pair = |option: &str, value: String| command.extend([option.into(), value]);
        pair("--to", to.to_string());
        pair("--cluster", cluster.to_owned());
        pair("--secret", secret.to_owned());
        pair("--rate", rate.to_string());
        pair("--seconds", length.as_secs().to_string());
        let (sender, lines) = mpsc::channel(LINES_MAX);
        let sink = move |_, written| {
            let line = match written {
                Written::Out(line) => line,
                Written::Err(line) => format!("stderr: {line}"),
                Written::End => return,
            };
            // It writes two lines, so that there is room.
            let _ = sender.try_send(line);
        };
        let process = Process::start("the flood", namespace, &command, sink)?;
        let mut flood = Self { process, lines };
        flood.line(TIMEOUT).await?;
        Ok(flood)
    }

    /// Begins.
    pub(in super::super) async fn begin(&mut self) -> Result<(), Failure> {
        self.process.tell("go").await
    }

    /// Waits for its end.
    pub(in super::super) async fn end(&mut self) -> Result<Counts, Failure> {
        self.line(TIMEOUT).await
    }

    async fn line(&mut self, timeout: Duration) -> Result<Counts, Failure> {
        let line = match tokio::time::timeout(timeout, self.lines.recv()).await {
            Ok(Some(line)) => line,
            Ok(None) => return Err(Failure::new("the flood has ended")),
            Err(_) => return Err(Failure::new(format!("the flood is silent for {timeout:?}"))),
        };
        serde_json::from_str(&line).map_err(|_| Failure::new(format!("the flood says: {line}")))
    }
}

/// More than it writes.
const LINES_MAX: usize = 16;

/// How long it may take to answer, and to end once its time is over.
const TIMEOUT: Duration = Duration::from_secs(20);
