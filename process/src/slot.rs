//! Where a caller waits for its answer.

use crate::ExitReason;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// A place for one answer of type `R`, filled once: the first of answer, failure and expiry wins.
#[derive(Debug)]
pub struct Slot<R> {
    state: Mutex<State<R>>,
    stage: AtomicU8,
}

/// What a call was answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<R> {
    /// The value itself, from a process on this node.
    Typed(R),
    /// The encoded value, from another node.
    Wire(Bytes),
}

/// A [`Slot`] without its type: what the layers between caller and process see of it.
pub trait Waiter: Any + Send + Sync {
    /// Answers with an encoded value.
    fn fill(&self, reply: Bytes);

    /// Answers that there will be no value.
    fn fail(&self, failure: CallFailure);

    /// Notes how far the call has come.
    fn advance(&self, stage: Stage);

    /// The deadline has passed: fails with the stage that the call had reached.
    fn expire(&self);

    /// Whether the call has its answer or failure.
    fn is_done(&self) -> bool;
}

/// How far a call has come: where it waited when its time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Stage {
    /// Finding out where the process is.
    Resolve,
    /// For a connection to its node.
    Connect,
    /// For its turn in a queue.
    Queued,
    /// For the handler to finish.
    Running,
}

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum CallFailure {
    /// The process ended before it answered. Whether it handled the message is unknown.
    #[error("the process ended before it answered: {reason}")]
    Stopped {
        /// Why it ended.
        reason: ExitReason,
    },
    /// The process does not list this message. It was not handled.
    #[error("the process does not handle `{message}`")]
    NotHandled {
        /// The message's name.
        message: String,
    },
    /// The message does not decode as what the process expects. It was not handled.
    #[error("the message does not decode: {reason}")]
    Undecodable {
        /// What is wrong with it.
        reason: String,
    },
    /// The message was handled, but its reply cannot be encoded.
    #[error("the reply {reason}")]
    Unencodable {
        /// What serde said.
        reason: String,
    },
    /// The deadline passed. Past `Queued` the message may have been handled.
    #[error("no answer in time: {stage}")]
    Timeout {
        /// Where it waited.
        stage: Stage,
    },
    /// The mailbox, or the queue to its node, has no room. The message was not handled.
    #[error("no room in the mailbox")]
    Full,
    /// There is no such process. The message was not handled.
    #[error("no such process")]
    NoProcess,
    /// The node became unreachable. Whether the message was handled is unknown.
    #[error("its node became unreachable")]
    NodeDown,
}

impl<R: Send + 'static> Slot<R> {
    /// An empty slot.
    #[must_use]
    pub fn new(stage: Stage) -> Self {
        Self { state: Mutex::new(State::Waiting(None)), stage: AtomicU8::new(stage as u8) }
    }

    /// Answers with the value itself.
    pub fn fill_typed(&self, reply: R) {
        self.finish(Ok(Answer::Typed(reply)));
    }

    /// Takes the outcome, once.
    ///
    /// # Panics
    ///
    /// When polled again after it was ready.
    pub fn poll_outcome(&self, cx: &mut Context<'_>) -> Poll<Result<Answer<R>, CallFailure>> {
        let mut state = self.state();
        match &mut *state {
            State::Waiting(waker) => {
                register(waker, cx);
                Poll::Pending
            }
            State::Done(_) | State::Taken => match std::mem::replace(&mut *state, State::Taken) {
                State::Done(outcome) => Poll::Ready(outcome),
                _ => panic!("a slot was polled after it gave its outcome"),
            },
        }
    }

    /// Ready when there is an outcome, which it leaves there.
    pub(crate) fn poll_done(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.state();
        let State::Waiting(waker) = &mut *state else { return Poll::Ready(()) };
        register(waker, cx);
        Poll::Pending
    }

    fn finish(&self, outcome: Result<Answer<R>, CallFailure>) {
        let mut state = self.state();
        let woken = match &mut *state {
            State::Waiting(waker) => {
                let waker = waker.take();
                *state = State::Done(outcome);
                waker
            }
            // Whoever came first has answered; a late answer has nowhere to go.
            State::Done(_) | State::Taken => None,
        };
        drop(state);
        if let Some(waker) = woken {
            waker.wake();
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Send + 'static> Waiter for Slot<R> {
    fn fill(&self, reply: Bytes) {
        self.finish(Ok(Answer::Wire(reply)));
    }

    fn fail(&self, failure: CallFailure) {
        self.finish(Err(failure));
    }

    fn advance(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
    }

    fn expire(&self) {
        let stage = Stage::from_u8(self.stage.load(Ordering::Relaxed));
        self.finish(Err(CallFailure::Timeout { stage }));
    }

    fn is_done(&self) -> bool {
        !matches!(*self.state(), State::Waiting(_))
    }
}

impl fmt::Debug for dyn Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter").field("done", &self.is_done()).finish()
    }
}

impl Stage {
    const fn from_u8(stage: u8) -> Self {
        match stage {
            0 => Self::Resolve,
            1 => Self::Connect,
            2 => Self::Queued,
            _ => Self::Running,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "it was being looked up",
            Self::Connect => "its node was being connected to",
            Self::Queued => "it waited in a queue",
            Self::Running => "it was being handled",
        })
    }
}

fn register(waker: &mut Option<Waker>, cx: &Context<'_>) {
    match waker {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *waker = Some(cx.waker().clone()),
    }
}

#[derive(Debug)]
enum State<R> {
    Waiting(Option<Waker>),
    Done(Result<Answer<R>, CallFailure>),
    Taken,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome<R: Send + 'static>(slot: &Slot<R>) -> Poll<Result<Answer<R>, CallFailure>> {
        slot.poll_outcome(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn the_first_outcome_wins() {
        let slot = Slot::new(Stage::Queued);
        assert_eq!(outcome(&slot), Poll::Pending);
        slot.fill_typed(1);
        slot.fill_typed(2);
        slot.fail(CallFailure::NoProcess);
        assert_eq!(outcome(&slot), Poll::Ready(Ok(Answer::Typed(1))));
        slot.fill_typed(3);
        assert!(slot.is_done());
    }

    #[test]
    fn expiry_says_where_it_waited() {
        for stage in [Stage::Resolve, Stage::Connect, Stage::Queued, Stage::Running] {
            let slot = Slot::<()>::new(Stage::Resolve);
            slot.advance(stage);
            slot.expire();
            assert_eq!(outcome(&slot), Poll::Ready(Err(CallFailure::Timeout { stage })));
        }
    }
}
