//! Being asked: what such a process does with its stdin.

use super::{Answered, Asked};
use crate::Failure;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Stdin, Stdout, stdin, stdout};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// What answers requests.
pub(crate) trait Serve: Send + Sync + 'static {
    type Request: DeserializeOwned + Send;

    /// Does what is asked, and replies with what the request says for it, or why not.
    fn serve(&self, request: Self::Request) -> impl Future<Output = Result<Value, String>> + Send;

    /// What comes after the reply to a request.
    fn then(_: &Self::Request) -> Then {
        Then::GoOn
    }
}

/// What such a process does after a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    GoOn,
    End,
}

/// Starts what answers, and has it answer until stdin ends.
///
/// # Errors
///
/// It did not start, or a line is not a request.
pub(crate) fn run<S: Serve>(
    start: impl Future<Output = Result<S, Failure>>,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // Several node processes share the machine, however many processors it has.
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("no runtime: {error}")))?;
    let done = runtime.block_on(async { serve(start.await?).await });
    // A read of stdin cannot be interrupted, and nobody waits for it.
    runtime.shutdown_background();
    done
}

async fn serve<S: Serve>(server: S) -> Result<(), Failure> {
    let (server, out) = (Arc::new(server), Arc::new(Mutex::new(stdout())));
    let mut lines: tokio::io::Lines<BufReader<Stdin>> = BufReader::new(stdin()).lines();
    let mut replies = JoinSet::new();
    loop {
        tokio::select! {
            line = lines.next_line() => match line {
                Ok(Some(line)) => {
                    let (server, out) = (Arc::clone(&server), Arc::clone(&out));
                    replies.spawn(async move { reply(&line, &*server, &out).await });
                }
                Ok(None) => return Ok(()),
                Err(error) => return Err(Failure::new(format!("stdin: {error}"))),
            },
            Some(next) = replies.join_next() => {
                match next.map_err(|error| Failure::new(format!("a reply: {error}")))?? {
                    Then::GoOn => (),
                    Then::End => return Ok(()),
                }
            }
        }
    }
}

async fn reply<S: Serve>(line: &str, server: &S, out: &Mutex<Stdout>) -> Result<Then, Failure> {
    let Asked { id, request } = serde_json::from_str(line)
        .map_err(|error| Failure::new(format!("not a request: {error}: {line}")))?;
    let then = S::then(&request);
    let answered = match server.serve(request).await {
        Ok(value) => Answered::<Value> { id, done: Some(value), failed: None },
        Err(error) => Answered { id, done: None, failed: Some(error) },
    };
    let mut line = serde_json::to_vec(&answered)
        .map_err(|error| Failure::new(format!("not a reply: {error}")))?;
    line.push(b'\n');
    let mut out = out.lock().await;
    let written = match out.write_all(&line).await {
        Ok(()) => out.flush().await,
        failed => failed,
    };
    written.map_err(|error| Failure::new(format!("stdout: {error}")))?;
    Ok(then)
}

/// A reply.
pub(crate) fn json(value: impl Serialize) -> Result<Value, String> {
    serde_json::to_value(value).map_err(|error| error.to_string())
}
