//! Where a handler's answer goes.

use crate::{CallFailure, ExitReason, Slot, Stage, Waiter};
use bytes::Bytes;
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use swarm_base::Boot;
use swarm_base::codec::EncodeError;

/// The way back to a caller. It answers exactly once: where it is dropped without an answer, the
/// caller learns that the process was killed.
pub struct ReplyTo(Option<Way>);

/// What carries answers to callers on other nodes.
pub trait ReplySink: Send + Sync {
    /// Sends the outcome of the call `correlation` to `origin`. Must neither block nor panic; what
    /// cannot be sent is dropped, and the caller's deadline ends its wait.
    fn reply(&self, origin: Boot, correlation: u64, outcome: Result<Bytes, CallFailure>);
}

impl ReplyTo {
    /// To a caller on this node.
    #[must_use]
    pub fn local(waiter: Arc<dyn Waiter>) -> Self {
        Self(Some(Way::Local(waiter)))
    }

    /// To the call `correlation` of a caller on the node `origin`, through `sink`.
    #[must_use]
    pub fn remote(sink: Arc<dyn ReplySink>, origin: Boot, correlation: u64) -> Self {
        Self(Some(Way::Remote(Box::new(Remote { sink, origin, correlation }))))
    }

    /// Answers with `reply`: as it is where the caller waits for this very type on this node,
    /// encoded otherwise.
    pub fn answer<R, E>(mut self, reply: R, encode: E)
    where
        R: Send + 'static,
        E: FnOnce(&R) -> Result<Bytes, EncodeError>,
    {
        if let Some(Way::Local(waiter)) = &self.0
            && let Some(slot) = (&**waiter as &dyn Any).downcast_ref::<Slot<R>>()
        {
            slot.fill_typed(reply);
            self.0 = None;
            return;
        }
        // The way is still here: where the encoding panics, the caller is answered by `drop`.
        let outcome = encode(&reply);
        self.finish(outcome.map_err(|e| CallFailure::Unencodable { reason: e.to_string() }));
    }

    /// Answers with an outcome that is encoded already.
    pub fn finish(mut self, outcome: Result<Bytes, CallFailure>) {
        if let Some(way) = self.0.take() {
            way.finish(outcome);
        }
    }

    /// Answers that there will be no reply.
    pub fn fail(self, failure: CallFailure) {
        self.finish(Err(failure));
    }

    /// Takes the way apart, to send the mail to another node with it. The caller now waits for
    /// whoever holds the parts.
    #[must_use]
    pub fn into_route(mut self) -> Option<Route> {
        Some(match self.0.take()? {
            Way::Local(waiter) => Route::Local(waiter),
            Way::Remote(to) => Route::Remote { origin: to.origin, correlation: to.correlation },
        })
    }

    /// Notes how far the call has come. Only callers on this node see it.
    pub fn advance(&self, stage: Stage) {
        if let Some(Way::Local(waiter)) = &self.0 {
            waiter.advance(stage);
        }
    }

    /// Whether the caller is on another node.
    #[must_use]
    pub const fn is_remote(&self) -> bool {
        matches!(&self.0, Some(Way::Remote(_)))
    }

    /// Whether a caller on this node waits no more. Of one on another node, always `false`.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(&self.0, Some(Way::Local(waiter)) if waiter.is_done())
    }
}

impl Drop for ReplyTo {
    fn drop(&mut self) {
        // Answers are dropped where a process is ended in the middle of a handler.
        if let Some(way) = self.0.take() {
            way.finish(Err(CallFailure::Stopped { reason: ExitReason::Killed }));
        }
    }
}

impl fmt::Debug for ReplyTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(Way::Local(_)) => f.write_str("ReplyTo(local)"),
            Some(Way::Remote(to)) => write!(f, "ReplyTo({}, {})", to.origin, to.correlation),
            None => f.write_str("ReplyTo(answered)"),
        }
    }
}

/// Where an answer goes, as a forwarded mail needs it.
#[derive(Debug)]
pub enum Route {
    /// To a caller on this node.
    Local(Arc<dyn Waiter>),
    /// To a caller on another node, which the next node can answer directly.
    Remote {
        /// The caller's node.
        origin: Boot,
        /// Its number for the call.
        correlation: u64,
    },
}

enum Way {
    Local(Arc<dyn Waiter>),
    // Boxed: a mailbox holds many of these, and a call from another node costs microseconds anyway.
    Remote(Box<Remote>),
}

struct Remote {
    sink: Arc<dyn ReplySink>,
    origin: Boot,
    correlation: u64,
}

impl Way {
    fn finish(self, outcome: Result<Bytes, CallFailure>) {
        match (self, outcome) {
            (Self::Local(waiter), Ok(reply)) => waiter.fill(reply),
            (Self::Local(waiter), Err(failure)) => waiter.fail(failure),
            (Self::Remote(to), outcome) => to.sink.reply(to.origin, to.correlation, outcome),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Answer;
    use std::sync::Mutex;
    use std::task::{Context, Poll, Waker};

    #[derive(Default)]
    struct Sent(Mutex<Vec<(u64, Result<Bytes, CallFailure>)>>);

    impl ReplySink for Sent {
        fn reply(&self, _: Boot, correlation: u64, outcome: Result<Bytes, CallFailure>) {
            self.0.lock().expect("no panic").push((correlation, outcome));
        }
    }

    fn encode(value: &u8) -> Result<Bytes, EncodeError> {
        Ok(Bytes::from(vec![*value]))
    }

    #[test]
    fn a_caller_here_gets_the_value_and_one_elsewhere_its_bytes() {
        let slot = Arc::new(Slot::<u8>::new(Stage::Queued));
        ReplyTo::local(Arc::clone(&slot) as _).answer(7u8, encode);
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(slot.poll_outcome(&mut cx), Poll::Ready(Ok(Answer::Typed(7))));

        let other = Arc::new(Slot::<String>::new(Stage::Queued));
        ReplyTo::local(Arc::clone(&other) as _).answer(7u8, encode);
        let wire = Answer::Wire(Bytes::from_static(&[7]));
        assert_eq!(other.poll_outcome(&mut cx), Poll::Ready(Ok(wire)));

        let sent = Arc::new(Sent::default());
        ReplyTo::remote(Arc::clone(&sent) as _, Boot::default(), 3).answer(7u8, encode);
        assert_eq!(*sent.0.lock().expect("no panic"), [(3, Ok(Bytes::from_static(&[7])))]);
    }

    #[test]
    fn an_encoding_that_panics_leaves_no_caller_waiting() {
        let sent = Arc::new(Sent::default());
        let reply = ReplyTo::remote(Arc::clone(&sent) as _, Boot::default(), 1);
        let answering = std::panic::AssertUnwindSafe(|| {
            reply.answer(7u8, |_| panic!("in the user's Serialize"));
        });
        std::panic::catch_unwind(answering).expect_err("it panics");
        assert_eq!(sent.0.lock().expect("no panic").len(), 1);
    }

    #[test]
    fn dropping_it_answers_once_and_answering_does_not_answer_again() {
        let sent = Arc::new(Sent::default());
        drop(ReplyTo::remote(Arc::clone(&sent) as _, Boot::default(), 1));
        ReplyTo::remote(Arc::clone(&sent) as _, Boot::default(), 2).fail(CallFailure::NoProcess);
        let killed = CallFailure::Stopped { reason: ExitReason::Killed };
        let want = [(1, Err(killed)), (2, Err(CallFailure::NoProcess))];
        assert_eq!(*sent.0.lock().expect("no panic"), want);
    }
}
