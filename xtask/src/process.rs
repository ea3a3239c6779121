//! A process of a command, whose lines are taken as they come, and which can be frozen and killed.

#![expect(
    clippy::disallowed_methods,
    reason = "lines are timed as they arrive; the tasks that read them are owned by the process"
)]

use crate::{Failure, cpu_time};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::{AbortHandle, JoinHandle};

/// A process. Dropped, it is killed.
pub(crate) struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    readers: Vec<AbortHandle>,
}

/// A line that a process has written, or the end of them.
pub(crate) enum Written {
    Out(String),
    Err(String),
    /// Of stdout.
    End,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    Stop,
    Continue,
    Terminate,
}

impl Process {
    /// Starts `command`. `sink` is told each line and when it came: of its stdout, and of its
    /// stderr where that is a pipe.
    pub(crate) fn start(
        name: &str,
        mut command: Command,
        sink: impl Fn(Instant, Written) + Clone + Send + 'static,
    ) -> Result<Self, Failure> {
        let failed = |why: String| Failure::new(format!("{name} does not start: {why}"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        // Out of reach of the terminal's Ctrl-C: this process ends them, in order.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        let out = child.stdout.take().ok_or_else(|| failed("it has no pipes".to_owned()))?;
        let (out_sink, end) = (sink.clone(), sink.clone());
        let mut readers = vec![tokio::spawn(async move {
            pass(out, move |line| out_sink(Instant::now(), Written::Out(line))).await;
            end(Instant::now(), Written::End);
        })];
        if let Some(err) = child.stderr.take() {
            let passed = pass(err, move |line| sink(Instant::now(), Written::Err(line)));
            readers.push(tokio::spawn(passed));
        }
        let readers = readers.iter().map(JoinHandle::abort_handle).collect();
        Ok(Self { name: name.to_owned(), stdin: child.stdin.take(), child, readers })
    }

    /// Its process id, while it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Its stdin, for who writes to it alone. What is dropped ends it.
    pub(crate) const fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.stdin.take()
    }

    /// Writes a line to its stdin.
    pub(crate) async fn tell(&mut self, line: &str) -> Result<(), Failure> {
        let Some(stdin) = &mut self.stdin else {
            return Err(Failure::new(format!("{} is told `{line}` after its end", self.name)));
        };
        let written = stdin.write_all(format!("{line}\n").as_bytes()).await;
        written.map_err(|error| Failure::new(format!("{}, `{line}`: {error}", self.name)))
    }

    pub(crate) async fn signal(&self, signal: Signal) -> Result<(), Failure> {
        let failed = |why: String| Failure::new(format!("{} gets no {signal:?}: {why}", self.name));
        let Some(id) = self.child.id() else { return Err(failed("it has ended".to_owned())) };
        let option = match signal {
            Signal::Stop => "-STOP",
            Signal::Continue => "-CONT",
            Signal::Terminate => "-TERM",
        };
        let status = Command::new("kill").args([option, &id.to_string()]).status().await;
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(failed(format!("`kill` ended with {status}"))),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// For how long it has had a processor since it started.
    pub(crate) fn cpu_time(&self) -> Result<Duration, Failure> {
        let failed = |why: &str| Failure::new(format!("{}'s time: {why}", self.name));
        let id = self.child.id().ok_or_else(|| failed("it has ended"))?;
        cpu_time::of(id).map_err(|error| failed(&error.to_string()))
    }

    /// `kill -9`: returns when the system says that it is gone.
    pub(crate) async fn kill(&mut self) -> Result<(), Failure> {
        let killed = self.child.kill().await;
        // Not before: the end of its stdin would be a word of warning.
        self.stdin = None;
        killed.map_err(|error| Failure::new(format!("{} cannot be killed: {error}", self.name)))
    }

    /// Waits for it to end by itself: how it did.
    pub(crate) async fn ended(&mut self) -> Result<ExitStatus, Failure> {
        match tokio::time::timeout(END_TIMEOUT, self.child.wait()).await {
            Ok(Ok(status)) => Ok(status),
            Ok(Err(error)) => Err(Failure::new(format!("{}: {error}", self.name))),
            Err(_) => Err(Failure::new(format!("{} still runs after {END_TIMEOUT:?}", self.name))),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.readers.iter().for_each(AbortHandle::abort);
    }
}

async fn pass(from: impl AsyncRead + Unpin, sink: impl Fn(String)) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        sink(line);
    }
}

/// How long a process may take to end by itself.
const END_TIMEOUT: Duration = Duration::from_secs(10);
