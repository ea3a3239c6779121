//! A process of this program that is driven over its stdin: a node of the demo, of the networks,
//! of the bench.
//!
//! One JSON object is one line. A request goes to the process's stdin, and its reply comes back on
//! its stdout with the same number. Requests are served at once, so replies come in any order. The
//! process ends when its stdin does, so that it does not outlive who drives it, whatever that dies
//! of.

mod client;
mod serve;
pub(crate) use client::{Asking, Client};
pub(crate) use serve::{Serve, Then, json, run};

use crate::Failure;
use crate::process::{Process, Signal};
use serde::{Deserialize, Serialize};
use std::process::ExitStatus;
use std::time::Duration;
use tokio::process::Command;

/// A line on the process's stdin.
#[derive(Debug, Serialize, Deserialize)]
struct Asked<R> {
    id: u64,
    request: R,
}

/// A line on its stdout: one of the two is there.
#[derive(Debug, Serialize, Deserialize)]
struct Answered<T> {
    id: u64,
    done: Option<T>,
    failed: Option<String>,
}

/// A process that is driven by requests `R`. Dropped, it is killed.
pub(crate) struct Driven<R> {
    client: Client<R>,
    process: Process,
}

impl<R> Driven<R> {
    /// Starts `command`. No reply may take longer than `reply_timeout`.
    pub(crate) fn start(
        name: &str,
        command: Command,
        reply_timeout: Duration,
    ) -> Result<Self, Failure> {
        let client = Client::new(name, reply_timeout);
        let mut process = Process::start(name, command, client.sink())?;
        client.attach(process.take_stdin());
        Ok(Self { client, process })
    }

    pub(crate) const fn client(&self) -> &Client<R> {
        &self.client
    }

    /// Its process id, while it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Stops it, or lets it go on.
    pub(crate) async fn signal(&self, signal: Signal) -> Result<(), Failure> {
        self.process.signal(signal).await
    }

    /// Kills it, without any warning, and waits until the system says that it is gone.
    pub(crate) async fn kill(mut self) -> Result<(), Failure> {
        self.process.kill().await
    }

    /// Waits for it to end by itself, and keeps it where it does not.
    pub(crate) async fn has_ended(&mut self) -> Result<ExitStatus, Failure> {
        self.process.ended().await
    }

    /// Waits for it to end by itself.
    pub(crate) async fn ended(mut self) -> Result<ExitStatus, Failure> {
        self.process.ended().await
    }

    /// Closes its stdin, which ends it; where that does not, it is killed.
    pub(crate) async fn stop(mut self) {
        self.client.detach().await;
        if self.process.ended().await.is_err() {
            // An error says that it has ended meanwhile.
            let _ = self.process.kill().await;
        }
    }
}

/// A command of this very program, by way of this process: the file may have been built anew
/// since.
pub(crate) fn this_program() -> Result<String, Failure> {
    if cfg!(target_os = "linux") {
        return Ok(format!("/proc/{}/exe", std::process::id()));
    }
    let path = std::env::current_exe();
    let path = path.map_err(|error| Failure::new(format!("this program has no place: {error}")))?;
    Ok(path.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_over_the_pipe_comes_out_again() {
        let line = serde_json::to_string(&Answered { id: 1, done: Some([7, 8]), failed: None })
            .expect("numbers");
        assert!(!line.contains('\n'));
        let back: Answered<[u32; 2]> = serde_json::from_str(&line).expect("the same");
        assert_eq!((back.id, back.done, back.failed), (1, Some([7, 8]), None));
        let line = serde_json::to_string(&Asked { id: 2, request: "rest" }).expect("numbers");
        assert_eq!(line, r#"{"id":2,"request":"rest"}"#);
    }
}
