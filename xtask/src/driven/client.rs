//! Asking a process.

use super::{Answered, Asked};
use crate::Failure;
use crate::process::Written;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// How to ask a process for something: a cheap clone.
pub(crate) struct Client<R> {
    pipe: Arc<Pipe>,
    requests: PhantomData<fn(R)>,
}

struct Pipe {
    name: String,
    /// `None` once the process is to end.
    stdin: tokio::sync::Mutex<Option<ChildStdin>>,
    said: Mutex<Said>,
    /// How long any reply may take. Who asks has tighter bounds of its own.
    reply_timeout: Duration,
}

#[derive(Default)]
struct Said {
    last_id: u64,
    /// Bounded by the requests that are under way: a few for each process.
    replies: BTreeMap<u64, oneshot::Sender<String>>,
    /// What it said besides, up to [`LAST_MAX`] lines.
    last: VecDeque<String>,
    is_closed: bool,
}

impl<R> Clone for Client<R> {
    fn clone(&self) -> Self {
        Self { pipe: Arc::clone(&self.pipe), requests: PhantomData }
    }
}

impl<R> Client<R> {
    pub(super) fn new(name: &str, reply_timeout: Duration) -> Self {
        let (name, stdin) = (name.to_owned(), tokio::sync::Mutex::new(None));
        let pipe = Pipe { name, stdin, said: Mutex::default(), reply_timeout };
        Self { pipe: Arc::new(pipe), requests: PhantomData }
    }

    /// Takes what the process writes.
    pub(super) fn sink(&self) -> impl Fn(Instant, Written) + Clone + Send + use<R> + 'static {
        let pipe = Arc::clone(&self.pipe);
        move |_, written| pipe.said().take(written)
    }

    /// Requests go there from now on. Nobody has asked for anything before.
    pub(super) fn attach(&self, stdin: Option<ChildStdin>) {
        let mut held = self.pipe.stdin.try_lock().expect("nobody asks before the start");
        *held = stdin;
    }

    /// Closes the process's stdin.
    pub(super) async fn detach(&self) {
        drop(self.pipe.stdin.lock().await.take());
    }

    pub(crate) fn name(&self) -> &str {
        &self.pipe.name
    }

    /// The last lines that it wrote and that are no replies.
    pub(crate) fn last(&self) -> Vec<String> {
        self.pipe.said().last.iter().cloned().collect()
    }
}

impl<R: Serialize + Debug + Send + 'static> Client<R> {
    /// Asks it, and waits for the reply.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, request: R) -> Result<T, Failure> {
        self.tell(request).await?.reply().await
    }

    /// Asks it, and does not wait: the reply can be waited for.
    pub(crate) async fn tell(&self, request: R) -> Result<Asking, Failure> {
        let what = format!("{request:?}");
        let what = what.split([' ', '{', '(']).next().unwrap_or_default().to_owned();
        let name = self.name();
        let (id, reply) = self.pipe.said().expect().ok_or_else(|| {
            Failure::new(format!("{name} has ended, and cannot be asked: {what}"))
        })?;
        let mut line = serde_json::to_vec(&Asked { id, request })
            .map_err(|error| Failure::new(format!("not a request: {error}")))?;
        line.push(b'\n');
        if let Some(stdin) = self.pipe.stdin.lock().await.as_mut() {
            // Where this fails the process has ended, and the reply does not come.
            let _ = stdin.write_all(&line).await;
        }
        Ok(Asking { pipe: Arc::clone(&self.pipe), what, reply })
    }

    /// Asks several at once; the replies by the keys that they are asked under.
    pub(crate) async fn ask_each<K, T>(
        asked: impl IntoIterator<Item = (K, Self, R)>,
    ) -> Result<BTreeMap<K, T>, Failure>
    where
        K: Ord + Send + 'static,
        T: DeserializeOwned + Send + 'static,
    {
        let ask = async |(key, client, request): (K, Self, R)| (key, client.ask(request).await);
        let replies = asked.into_iter().map(ask).collect::<JoinSet<_>>().join_all().await;
        replies.into_iter().map(|(key, reply)| Ok((key, reply?))).collect()
    }
}

/// A request that was made.
pub(crate) struct Asking {
    pipe: Arc<Pipe>,
    what: String,
    reply: oneshot::Receiver<String>,
}

impl Asking {
    /// Waits for the reply.
    pub(crate) async fn reply<T: DeserializeOwned>(self) -> Result<T, Failure> {
        let Self { pipe, what, reply } = self;
        let (name, timeout) = (&pipe.name, pipe.reply_timeout);
        let line = match tokio::time::timeout(timeout, reply).await {
            Ok(Ok(line)) => line,
            Ok(Err(_)) => return Err(Failure::new(format!("{name} ended during: {what}"))),
            Err(_) => {
                return Err(Failure::new(format!("{name} took over {timeout:?}: {what}")));
            }
        };
        parse(&line).map_err(|reason| Failure::new(format!("{name}, {what}: {reason}")))
    }
}

impl Pipe {
    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Said {
    /// The number of the next request, and where its reply comes; `None` once the process has
    /// ended.
    fn expect(&mut self) -> Option<(u64, oneshot::Receiver<String>)> {
        if self.is_closed {
            return None;
        }
        let (sender, reply) = oneshot::channel();
        self.last_id += 1;
        self.replies.insert(self.last_id, sender);
        Some((self.last_id, reply))
    }

    /// Hands a reply to who waits for it.
    fn take(&mut self, written: Written) {
        match written {
            Written::Out(line) => match serde_json::from_str(&line) {
                Ok(Head { id }) => {
                    if let Some(sender) = self.replies.remove(&id) {
                        // Who does not wait any more has given up on all of it.
                        let _ = sender.send(line);
                    }
                }
                Err(_) => self.keep(format!("no reply: {line}")),
            },
            Written::Err(line) => self.keep(line),
            Written::End => {
                self.is_closed = true;
                self.replies.clear();
            }
        }
    }

    fn keep(&mut self, line: String) {
        if self.last.len() == LAST_MAX {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }
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

/// How many lines of a process a failure shows.
const LAST_MAX: usize = 12;

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

    #[test]
    fn a_reply_goes_to_who_asked_and_the_rest_is_kept() {
        let mut said = Said::default();
        let (first, mut reply) = said.expect().expect("it runs");
        let (second, mut other) = said.expect().expect("it runs");
        assert_ne!(first, second);
        said.take(Written::Out(format!(r#"{{"id":{first},"done":7}}"#)));
        assert!(reply.try_recv().expect("it was replied").contains('7'));
        said.take(Written::Err("warning".to_owned()));
        said.take(Written::Out("thread panicked".to_owned()));
        assert_eq!(said.last, ["warning", "no reply: thread panicked"]);
        said.take(Written::End);
        assert!(other.try_recv().is_err());
        assert!(said.expect().is_none());
    }
}
