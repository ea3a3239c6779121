//! A process of the bench, as the bench holds it.

use super::protocol::{Reply, Request};
use crate::Failure;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child as Process, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// A process that answers requests. Dropped, it is killed.
pub(super) struct Child {
    name: String,
    process: Process,
    requests: ChildStdin,
    replies: Receiver<String>,
}

/// No request takes longer unless something is wrong.
const TIMEOUT: Duration = Duration::from_secs(60);

impl Child {
    /// Starts one.
    pub(super) fn start(name: &str) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(format!("process {name} does not start: {error}"))
        };
        let program = std::env::current_exe().map_err(|error| failed(&error))?;
        let mut process = Command::new(program)
            .args(["bench", "node"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(&error))?;
        let requests = process.stdin.take().ok_or_else(|| failed(&"no standard input"))?;
        let output = process.stdout.take().ok_or_else(|| failed(&"no standard output"))?;
        let (sender, replies) = sync_channel(1);
        // Ends with the process, whose output then ends.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { name: name.to_owned(), process, requests, replies })
    }

    /// Asks, and waits for the answer.
    pub(super) fn ask(&mut self, request: &Request) -> Result<Reply, Failure> {
        self.tell(request)?;
        self.answer()
    }

    /// Asks, and does not wait: [`answer`](Self::answer) does.
    pub(super) fn tell(&mut self, request: &Request) -> Result<(), Failure> {
        let mut line = serde_json::to_string(request)
            .map_err(|error| Failure::new(format!("a request does not encode: {error}")))?;
        line.push('\n');
        self.requests
            .write_all(line.as_bytes())
            .and_then(|()| self.requests.flush())
            .map_err(|error| Failure::new(format!("process {} is gone: {error}", self.name)))
    }

    /// The answer to what was told.
    pub(super) fn answer(&mut self) -> Result<Reply, Failure> {
        let failed = |what: &str| Failure::new(format!("process {}: {what}", self.name));
        let line = self.replies.recv_timeout(TIMEOUT).map_err(|error| match error {
            RecvTimeoutError::Timeout => failed("it did not answer within a minute"),
            RecvTimeoutError::Disconnected => failed("it ended, see above"),
        })?;
        match serde_json::from_str(&line) {
            Ok(Reply::Failed(why)) => Err(failed(&why)),
            Ok(reply) => Ok(reply),
            Err(error) => Err(failed(&format!("it answered `{line}`: {error}"))),
        }
    }

    /// `kill -9`, as far as the system knows that.
    pub(super) fn kill(&mut self) -> Result<(), Failure> {
        let killed = self.process.kill().and_then(|()| self.process.wait());
        killed.map_err(|error| Failure::new(format!("kill {}: {error}", self.name)))?;
        Ok(())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.kill();
    }
}
