//! A call that waits for its answer.

use crate::timers::Set;
use crate::{
    Answer, CallFailure, Handle, Mail, Payload, Processes, ReplyTo, SendError, Slot, Stage, Waiter,
};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use swarm_base::{Boot, Instant};

/// The caller's end of a call: a future of its outcome, ready by its deadline at the latest (and
/// up to 10 ms later).
///
/// # Cancel safety
///
/// Dropped, the call is forgotten. A message that was sent is handled nevertheless.
///
/// # Panics
///
/// When polled again after it was ready.
#[derive(Debug)]
pub struct Call<R> {
    slot: Arc<Slot<R>>,
    processes: Processes,
    deadline: Instant,
    timer: Set,
    correlation: Option<u64>,
}

impl<R: Send + 'static> Call<R> {
    pub(crate) fn new(processes: Processes, deadline: Instant) -> Self {
        let slot = Arc::new(Slot::new(Stage::Resolve));
        let timer = processes.expire(deadline, Arc::clone(&slot) as _);
        Self { slot, processes, deadline, timer, correlation: None }
    }

    /// When it fails with a timeout.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The way back, for the mail. Give it to one mail only.
    #[must_use]
    pub fn reply_to(&self) -> ReplyTo {
        ReplyTo::local(Arc::clone(&self.slot) as _)
    }

    /// Notes how far it has come: a timeout says so.
    pub fn advance(&self, stage: Stage) {
        self.slot.advance(stage);
    }

    /// Whether it has its outcome.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.slot.is_done()
    }

    /// Sends the message to a process on this node. Waits for room in its mailbox, at most until
    /// the call has its outcome.
    ///
    /// # Errors
    ///
    /// The mail, where the process has ended. The call still waits: send the mail elsewhere. Where
    /// it is dropped, or its `reply`, the call fails.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, the message was not sent and the call fails.
    pub async fn send_to(&self, process: &Handle, payload: Payload) -> Result<(), Mail> {
        self.send_mail_to(process, Mail::call(payload, self.reply_to(), self.deadline)).await
    }

    /// Sends a mail of this call that came back, with its way back in it. Waits as
    /// [`send_to`](Self::send_to) does.
    ///
    /// # Errors
    ///
    /// The mail, where the process has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, the message was not sent and the call fails.
    pub async fn send_mail_to(&self, process: &Handle, mail: Mail) -> Result<(), Mail> {
        self.slot.advance(Stage::Queued);
        let mail = match process.try_send(mail) {
            Ok(()) => return Ok(()),
            Err(SendError::Closed(mail)) => return Err(mail),
            Err(SendError::Full(mail)) => mail,
        };
        let mut send = pin!(process.send(mail));
        poll_fn(|cx| match send.as_mut().poll(cx) {
            Poll::Ready(sent) => Poll::Ready(sent),
            // The slot wakes this task too, when the deadline passes.
            Poll::Pending => self.slot.poll_done(cx).map(Ok),
        })
        .await
    }

    /// Enters the call among those to the node `to`: the number travels with the message, and the
    /// answer comes back by it. A number that it had before is void.
    pub fn number(&mut self, to: Boot) -> u64 {
        let calls = self.processes.calls();
        if let Some(old) = self.correlation.take() {
            calls.cancel(old);
        }
        let number = calls.open(to, Arc::clone(&self.slot) as _);
        self.correlation = Some(number);
        number
    }
}

impl<R: Send + 'static> Future for Call<R> {
    type Output = Result<Answer<R>, CallFailure>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.slot.poll_outcome(cx)
    }
}

impl<R> Drop for Call<R> {
    fn drop(&mut self) {
        self.processes.cancel(self.timer);
        if let Some(correlation) = self.correlation {
            self.processes.calls().cancel(correlation);
        }
    }
}
