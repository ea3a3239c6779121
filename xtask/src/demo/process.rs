//! A node process, as the demo drives it.

#![expect(clippy::disallowed_methods, reason = "a task of the demo, owned by the process it reads")]

use super::protocol::{Answered, Asked, Request};
use crate::Failure;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// A node process. Dropped, it is killed.
pub(crate) struct NodeProcess {
    client: Client,
    child: Child,
    reader: AbortHandle,
}

/// How to ask a node process for something: a cheap clone.
#[derive(Clone)]
pub(crate) struct Client(Arc<Pipe>);

struct Pipe {
    name: String,
    /// `None` once the process is to end.
    stdin: tokio::sync::Mutex<Option<ChildStdin>>,
    waiting: Mutex<Waiting>,
    /// How long any reply may take. Each step has tighter bounds of its own.
    reply_timeout: Duration,
}

#[derive(Default)]
struct Waiting {
    last_id: u64,
    /// Bounded by the requests that the demo has under way: a few for each node.
    replies: BTreeMap<u64, oneshot::Sender<String>>,
    is_closed: bool,
}

/// How long a process may take to end by itself.
const END_TIMEOUT: Duration = Duration::from_secs(5);

impl NodeProcess {
    /// Starts this very program as a node.
    pub(crate) fn start(
        name: &str,
        secret: &Path,
        seeds: &[String],
        log: &Path,
        reply_timeout: Duration,
    ) -> Result<Self, Failure> {
        let failure =
            |error: std::io::Error| Failure::new(format!("{name} cannot be started: {error}"));
        let log = OpenOptions::new().create(true).append(true).open(log).map_err(failure)?;
        let mut command = Command::new(std::env::current_exe().map_err(failure)?);
        command.args(["node", "--name", name, "--secret"]).arg(secret);
        for seed in seeds {
            command.args(["--seed", seed]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        // Out of reach of the terminal's Ctrl-C: this process ends them, in order.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(failure)?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Failure::new(format!("{name} has no pipes")));
        };
        let client = Client(Arc::new(Pipe {
            name: name.to_owned(),
            stdin: tokio::sync::Mutex::new(Some(stdin)),
            waiting: Mutex::default(),
            reply_timeout,
        }));
        let reader = tokio::spawn(read(stdout, client.clone())).abort_handle();
        Ok(Self { client, child, reader })
    }

    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// Its process id, while it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Kills it, without any warning, and waits until the system says that it is gone.
    pub(crate) async fn kill(mut self) -> Result<(), Failure> {
        let killed = self.child.kill().await;
        killed.map_err(|e| Failure::new(format!("{} cannot be killed: {e}", self.client.name())))
    }

    /// Waits for it to end by itself.
    pub(crate) async fn ended(mut self) -> Result<ExitStatus, Failure> {
        let name = self.client.name().to_owned();
        match tokio::time::timeout(END_TIMEOUT, self.child.wait()).await {
            Ok(Ok(status)) => Ok(status),
            Ok(Err(error)) => Err(Failure::new(format!("{name}: {error}"))),
            Err(_) => Err(Failure::new(format!("{name} still runs after {END_TIMEOUT:?}"))),
        }
    }

    /// Closes its stdin, which ends it; where that does not, it is killed.
    pub(crate) async fn stop(mut self) {
        drop(self.client.0.stdin.lock().await.take());
        if tokio::time::timeout(END_TIMEOUT, self.child.wait()).await.is_err() {
            // An error says that it has ended meanwhile.
            let _ = self.child.kill().await;
        }
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Client {
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// Asks it, and waits for the reply.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, request: Request) -> Result<T, Failure> {
        let what = format!("{request:?}");
        let what = what.split([' ', '{']).next().unwrap_or_default();
        let name = self.name();
        let (id, reply) = self.expect().ok_or_else(|| {
            Failure::new(format!("{name} has ended, and cannot be asked: {what}"))
        })?;
        let mut line = serde_json::to_vec(&Asked { id, request })
            .map_err(|error| Failure::new(format!("not a request: {error}")))?;
        line.push(b'\n');
        if let Some(stdin) = self.0.stdin.lock().await.as_mut() {
            // Where this fails the process has ended, and the reply does not come.
            let _ = stdin.write_all(&line).await;
        }
        let timeout = self.0.reply_timeout;
        let line = match tokio::time::timeout(timeout, reply).await {
            Ok(Ok(line)) => line,
            Ok(Err(_)) => return Err(Failure::new(format!("{name} ended during: {what}"))),
            Err(_) => {
                return Err(Failure::new(format!("{name} took over {timeout:?}: {what}")));
            }
        };
        parse(&line).map_err(|reason| Failure::new(format!("{name}, {what}: {reason}")))
    }

    fn expect(&self) -> Option<(u64, oneshot::Receiver<String>)> {
        let mut waiting = self.waiting();
        if waiting.is_closed {
            return None;
        }
        let (sender, reply) = oneshot::channel();
        waiting.last_id += 1;
        let id = waiting.last_id;
        waiting.replies.insert(id, sender);
        Some((id, reply))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands each reply to who waits for it, until the process has ended.
async fn read(stdout: ChildStdout, client: Client) {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(Head { id }) = serde_json::from_str(&line) else { break };
        if let Some(sender) = client.waiting().replies.remove(&id) {
            // Who does not wait any more has given up on the whole demo.
            let _ = sender.send(line);
        }
    }
    let mut waiting = client.waiting();
    waiting.is_closed = true;
    waiting.replies.clear();
}

/// Whose reply a line is.
#[derive(Deserialize)]
struct Head {
    id: u64,
}

fn parse<T: DeserializeOwned>(line: &str) -> Result<T, String> {
    // What is `()` in the reply is `null` on the line, just as what is not there.
    let Answered { done, failed, .. } =
        serde_json::from_str::<Answered<serde_json::Value>>(line).map_err(|e| e.to_string())?;
    match failed {
        Some(reason) => Err(reason),
        None => serde_json::from_value(done.unwrap_or_default()).map_err(|e| e.to_string()),
    }
}

/// Where the log of a node is.
pub(crate) fn log_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.log"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_what_was_asked_for_or_says_why_not() {
        assert_eq!(parse::<u64>(r#"{"id":1,"done":7,"failed":null}"#), Ok(7));
        assert_eq!(parse::<()>(r#"{"id":1,"done":null,"failed":null}"#), Ok(()));
        let refused = parse::<u64>(r#"{"id":1,"done":null,"failed":"no room"}"#);
        assert_eq!(refused, Err("no room".to_owned()));
        assert!(parse::<u64>(r#"{"id":1,"done":"seven"}"#).is_err());
        assert!(parse::<u64>("thread panicked").is_err());
    }
}
