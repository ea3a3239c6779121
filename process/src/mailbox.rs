//! A process's only queue: a bounded lane for users, one for its node that users cannot fill.
//!
//! Both lanes stand behind one short lock and allocate on first use: an idle mailbox holds no
//! heap memory, where two channels of a runtime hold four kilobytes.

use crate::lanes::{Intake, Lanes, Limits, Next, Push};
use crate::signal::{News, Signal};
use crate::{ExitReason, Mail};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The queue of one process, shared by all who send to it.
///
/// Mails of one sender are taken in the order in which it sent them. Signals are taken before
/// mails. Nothing is dropped: what is not taken comes back to the sender or, at the end, to
/// whoever closed the mailbox.
#[derive(Debug)]
pub(crate) struct Mailbox(Mutex<Lanes>);

/// How a mailbox stands after it took a mail without waiting for room.
#[derive(Debug)]
#[must_use]
pub enum Pressure {
    /// There is room.
    Ok,
    /// Above its soft limit: the sender pauses until `Notice::Eased` or the process's end.
    High,
    /// At four times its limit: not taken. The sender pauses as well.
    Refused(Mail),
    /// The process has ended: not taken.
    Closed(Mail),
}

/// Why a mail was not taken. The mail comes back.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No room, or others wait for it.
    #[error("the mailbox is full")]
    Full(Mail),
    /// The process has ended.
    #[error("the process has ended")]
    Closed(Mail),
}

impl Mailbox {
    pub(crate) fn new(limits: Limits) -> Self {
        Self(Mutex::new(Lanes::new(limits)))
    }

    /// Takes the mail if there is room and nobody waits for it.
    pub(crate) fn try_send(&self, mail: Mail) -> Result<(), SendError> {
        let mut lanes = self.lanes();
        let (pushed, woken) = lanes.push(mail);
        drop(lanes);
        wake(woken);
        match pushed {
            Push::Taken => Ok(()),
            Push::Full(mail) => Err(SendError::Full(mail)),
            Push::Closed(mail) => Err(SendError::Closed(mail)),
        }
    }

    /// Waits for room, first come first served.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, the mail is dropped and was not taken, and the place in the line
    /// goes to the next.
    pub(crate) async fn send(&self, mail: Mail) -> Result<(), Mail> {
        let mut mail = match self.try_send(mail) {
            Ok(()) => return Ok(()),
            Err(SendError::Closed(mail)) => return Err(mail),
            Err(SendError::Full(mail)) => Some(mail),
        };
        let mut place = Place { mailbox: self, ticket: None };
        poll_fn(|cx| self.poll_send(cx, &mut place, &mut mail)).await
    }

    /// Takes a mail whose sender cannot wait, up to the hard limit.
    pub(crate) fn force(&self, mail: Mail) -> Pressure {
        let mut lanes = self.lanes();
        let (pushed, woken) = lanes.force(mail);
        let high = lanes.is_pressed();
        drop(lanes);
        wake(woken);
        pressure(pushed, high)
    }

    /// Takes a mail that was on its way before its node learned to pause.
    pub(crate) fn absorb(&self, mail: Mail) -> Pressure {
        let mut lanes = self.lanes();
        let (pushed, woken) = lanes.absorb(mail);
        let high = lanes.is_pressed();
        drop(lanes);
        wake(woken);
        pressure(pushed, high)
    }

    /// Whether somebody was told to pause, and not yet that there is room again.
    pub(crate) fn is_pressed(&self) -> bool {
        self.lanes().is_pressed()
    }

    /// Puts mails before all that wait, in order, and a signal behind the signals that wait. The
    /// mails come back where the process has ended.
    pub(crate) fn signal_with_front(
        &self,
        front: VecDeque<Mail>,
        signal: Signal,
    ) -> Result<(), VecDeque<Mail>> {
        let mut lanes = self.lanes();
        let taken = lanes.prepend(front);
        let woken = lanes.signal(signal);
        drop(lanes);
        wake(woken);
        taken
    }

    /// Whether the process was there to take it.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        self.signal_with_front(VecDeque::new(), signal).is_ok()
    }

    pub(crate) fn news(&self, news: News) {
        let woken = self.lanes().news(news);
        wake(woken);
    }

    /// Ends the process wherever it is, the next time it yields.
    pub(crate) fn kill(&self, reason: ExitReason) {
        let woken = self.lanes().kill(reason);
        wake(woken);
    }

    /// Whether the process was killed. Registers its task, which every later wake-up wakes.
    pub(crate) fn poll_killed(&self, cx: &Context<'_>) -> Poll<ExitReason> {
        self.lanes().poll_killed(cx)
    }

    /// The next thing to handle. The process's task has registered by `poll_killed`.
    pub(crate) fn poll_next(&self, intake: Intake) -> Poll<(Next, Eased)> {
        let mut lanes = self.lanes();
        let Some(next) = lanes.next(intake) else { return Poll::Pending };
        let eased = if lanes.ease() { Eased::Now } else { Eased::No };
        let woken = lanes.next_sender();
        drop(lanes);
        wake(woken);
        Poll::Ready((next, eased))
    }

    /// Takes no more mails: who sends one learns that the process has ended. What waits stays, and
    /// signals are taken until it is closed.
    pub(crate) fn refuse(&self) {
        let senders = self.lanes().refuse();
        for waker in senders {
            waker.wake();
        }
    }

    /// Takes nothing from now on, and hands out what waits.
    pub(crate) fn close(&self) -> VecDeque<Mail> {
        let mut lanes = self.lanes();
        let (mails, senders) = lanes.close();
        drop(lanes);
        for waker in senders {
            waker.wake();
        }
        mails
    }

    /// How many mails wait.
    pub(crate) fn len(&self) -> usize {
        self.lanes().len()
    }

    fn poll_send(
        &self,
        cx: &Context<'_>,
        place: &mut Place<'_>,
        mail: &mut Option<Mail>,
    ) -> Poll<Result<(), Mail>> {
        let sent = mail.take().expect("a mail until it is sent");
        let mut lanes = self.lanes();
        let (pushed, woken) = lanes.push_in_line(&mut place.ticket, cx.waker(), sent);
        drop(lanes);
        wake(woken);
        match pushed {
            Push::Taken => Poll::Ready(Ok(())),
            Push::Closed(mail) => Poll::Ready(Err(mail)),
            Push::Full(back) => {
                *mail = Some(back);
                Poll::Pending
            }
        }
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        // A panic under the lock would have to come from a waker's clone; the lanes are whole then.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a mailbox that had reported pressure has room again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Eased {
    Now,
    No,
}

/// A sender's place in the line for room.
struct Place<'a> {
    mailbox: &'a Mailbox,
    ticket: Option<u64>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let woken = self.mailbox.lanes().leave_line(ticket);
            wake(woken);
        }
    }
}

fn pressure(pushed: Push, high: bool) -> Pressure {
    match pushed {
        Push::Taken if high => Pressure::High,
        Push::Taken => Pressure::Ok,
        Push::Full(mail) => Pressure::Refused(mail),
        Push::Closed(mail) => Pressure::Closed(mail),
    }
}

/// Wakers run foreign code: never under the lock.
fn wake(woken: Option<Waker>) {
    if let Some(waker) = woken {
        waker.wake();
    }
}

#[cfg(test)]
mod tests;
