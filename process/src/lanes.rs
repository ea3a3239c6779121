//! What stands behind a mailbox's lock: two lanes, their bounds, and who waits.

use crate::signal::{News, Signal};
use crate::{ExitReason, Mail};
use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

/// The queues of one process. Methods return the task to wake, so that no lock is held then.
#[derive(Debug)]
pub(crate) struct Lanes {
    limits: Limits,
    /// Bytes of `mails`.
    bytes: usize,
    mails: VecDeque<Mail>,
    /// What only the node sends, at most one of each kind and ticket in flight: a handful.
    signals: VecDeque<Signal>,
    /// At most one for each monitor and link of this process.
    news: VecDeque<News>,
    /// The process's task.
    task: Option<Waker>,
    /// What the task sleeps for.
    asleep: Option<Intake>,
    /// Senders that wait for room. Boxed: most mailboxes are never full.
    line: Option<Box<Line>>,
    /// Told somebody to pause.
    pressed: bool,
    killed: Option<Box<ExitReason>>,
    /// It is about to end: no more mails are taken.
    refusing: bool,
    closed: bool,
}

/// How much waits before senders wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

impl Limits {
    /// How many times the limits are taken from senders that cannot wait.
    pub(crate) const HARD: usize = 4;

    /// How many bytes are taken from other nodes, which send on until they learn to pause: what
    /// the windows of some twenty connections hold.
    pub(crate) const ABSORBED: usize = 64 << 20;

    /// What a mail counts for that, beside its bytes.
    pub(crate) const MAIL_LEN: usize = 128;
}

/// What a process is ready to handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intake {
    /// Signals, news, mails.
    All,
    /// Signals only: frozen, or a standby.
    Signals,
}

/// The next thing to handle.
#[derive(Debug)]
pub(crate) enum Next {
    Signal(Signal),
    News(News),
    Mail(Mail),
}

/// What became of a mail.
#[derive(Debug)]
pub(crate) enum Push {
    Taken,
    Full(Mail),
    Closed(Mail),
}

#[derive(Debug, Default)]
struct Line {
    issued: u64,
    senders: VecDeque<(u64, Waker)>,
}

impl Lanes {
    pub(crate) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            bytes: 0,
            mails: VecDeque::new(),
            signals: VecDeque::new(),
            news: VecDeque::new(),
            task: None,
            asleep: None,
            line: None,
            pressed: false,
            killed: None,
            refusing: false,
            closed: false,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.mails.len()
    }

    /// How many mails it holds memory for.
    #[cfg(test)]
    pub(crate) fn room_kept(&self) -> usize {
        self.mails.capacity()
    }

    pub(crate) const fn is_pressed(&self) -> bool {
        self.pressed
    }

    pub(crate) fn push(&mut self, mail: Mail) -> (Push, Option<Waker>) {
        if self.refusing {
            return (Push::Closed(mail), None);
        }
        if self.line.is_some() || !self.has_room(mail.payload.len(), 1) {
            return (Push::Full(mail), None);
        }
        (Push::Taken, self.append(mail))
    }

    /// Pushes for a sender that waits in line; without a ticket it gets the last place.
    pub(crate) fn push_in_line(
        &mut self,
        ticket: &mut Option<u64>,
        waker: &Waker,
        mail: Mail,
    ) -> (Push, Option<Waker>) {
        if self.refusing {
            *ticket = None;
            return (Push::Closed(mail), None);
        }
        let is_next = match (*ticket, &self.line) {
            (None, line) => line.is_none(),
            (Some(mine), Some(line)) => line.senders.front().is_some_and(|first| first.0 == mine),
            (Some(_), None) => unreachable!("a ticket stands in the line until it is left"),
        };
        if is_next && self.has_room(mail.payload.len(), 1) {
            // One wake-up is ours to give. The process's comes first: it makes more room, and then
            // wakes the next in line itself.
            let next_sender = ticket.take().and_then(|mine| self.leave_line(mine));
            let process = self.append(mail);
            return (Push::Taken, process.or(next_sender));
        }
        let line = self.line.get_or_insert_default();
        match *ticket {
            Some(mine) => {
                let place = line.senders.iter_mut().find(|sender| sender.0 == mine);
                place.expect("a ticket stands in the line until it is left").1.clone_from(waker);
            }
            None => {
                line.issued += 1;
                line.senders.push_back((line.issued, waker.clone()));
                *ticket = Some(line.issued);
            }
        }
        (Push::Full(mail), None)
    }

    /// Gives up a place in the line; returns the next sender, who may have been passed over.
    pub(crate) fn leave_line(&mut self, ticket: u64) -> Option<Waker> {
        let line = self.line.as_mut()?;
        line.senders.retain(|sender| sender.0 != ticket);
        if line.senders.is_empty() {
            self.line = None;
        }
        self.next_sender()
    }

    /// The first sender in line, if there may be room for its mail.
    pub(crate) fn next_sender(&self) -> Option<Waker> {
        let line = self.line.as_ref()?;
        let first = line.senders.front()?;
        self.has_room(1, 1).then(|| first.1.clone())
    }

    pub(crate) fn force(&mut self, mail: Mail) -> (Push, Option<Waker>) {
        if self.refusing {
            return (Push::Closed(mail), None);
        }
        let len = mail.payload.len();
        if !self.has_room(len, Limits::HARD) {
            self.pressed = true;
            return (Push::Full(mail), None);
        }
        self.pressed |= !self.has_room(len, 1);
        (Push::Taken, self.append(mail))
    }

    /// Takes what was on its way from another node before that node learned to pause.
    pub(crate) fn absorb(&mut self, mail: Mail) -> (Push, Option<Waker>) {
        if self.refusing {
            return (Push::Closed(mail), None);
        }
        let len = mail.payload.len();
        let held = self.bytes + self.mails.len() * Limits::MAIL_LEN;
        self.pressed |= !self.has_room(len, 1);
        if held + len > Limits::ABSORBED && !self.mails.is_empty() {
            return (Push::Full(mail), None);
        }
        (Push::Taken, self.append(mail))
    }

    /// Puts mails before all others, whatever the limits: they were counted where they came from.
    pub(crate) fn prepend(&mut self, front: VecDeque<Mail>) -> Result<(), VecDeque<Mail>> {
        if self.closed {
            return Err(front);
        }
        for mail in front.into_iter().rev() {
            self.bytes += mail.payload.len();
            self.mails.push_front(mail);
        }
        Ok(())
    }

    pub(crate) fn signal(&mut self, signal: Signal) -> Option<Waker> {
        if self.closed {
            return None;
        }
        self.signals.push_back(signal);
        self.asleep.take().and_then(|_| self.task.clone())
    }

    pub(crate) fn news(&mut self, news: News) -> Option<Waker> {
        if self.closed {
            return None;
        }
        self.news.push_back(news);
        self.wake_for_all()
    }

    pub(crate) fn kill(&mut self, reason: ExitReason) -> Option<Waker> {
        if self.closed {
            return None;
        }
        self.killed.get_or_insert_with(|| Box::new(reason));
        self.asleep = None;
        self.task.clone()
    }

    pub(crate) fn poll_killed(&mut self, cx: &Context<'_>) -> Poll<ExitReason> {
        if let Some(reason) = self.killed.take() {
            return Poll::Ready(*reason);
        }
        match &mut self.task {
            Some(task) => task.clone_from(cx.waker()),
            None => self.task = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    pub(crate) fn next(&mut self, intake: Intake) -> Option<Next> {
        if let Some(signal) = self.signals.pop_front() {
            release(&mut self.signals);
            return Some(Next::Signal(signal));
        }
        if intake == Intake::All {
            if let Some(news) = self.news.pop_front() {
                release(&mut self.news);
                return Some(Next::News(news));
            }
            if let Some(mail) = self.mails.pop_front() {
                self.bytes -= mail.payload.len();
                release(&mut self.mails);
                return Some(Next::Mail(mail));
            }
        }
        self.asleep = Some(intake);
        None
    }

    /// Whether those who were told to pause can go on: both counts are at half again.
    pub(crate) fn ease(&mut self) -> bool {
        let eases = self.pressed
            && self.mails.len() <= self.limits.messages / 2
            && self.bytes <= self.limits.bytes / 2;
        self.pressed &= !eases;
        eases
    }

    /// Takes no more mails; returns the senders that wait for room.
    pub(crate) fn refuse(&mut self) -> impl Iterator<Item = Waker> + use<> {
        self.refusing = true;
        let line = self.line.take().unwrap_or_default();
        line.senders.into_iter().map(|(_, waker)| waker)
    }

    pub(crate) fn close(&mut self) -> (VecDeque<Mail>, impl Iterator<Item = Waker> + use<>) {
        let senders = self.refuse();
        self.closed = true;
        self.pressed = false;
        self.bytes = 0;
        self.signals = VecDeque::new();
        self.news = VecDeque::new();
        self.task = None;
        self.asleep = None;
        (std::mem::take(&mut self.mails), senders)
    }

    fn append(&mut self, mail: Mail) -> Option<Waker> {
        self.bytes += mail.payload.len();
        self.mails.push_back(mail);
        self.wake_for_all()
    }

    /// The task, if it sleeps and a mail or news wakes it.
    fn wake_for_all(&mut self) -> Option<Waker> {
        if self.asleep != Some(Intake::All) {
            return None;
        }
        self.asleep = None;
        self.task.clone()
    }

    /// Whether `len` more bytes fit. The first mail always does: one that is larger than the limit
    /// could never be sent otherwise.
    fn has_room(&self, len: usize, times: usize) -> bool {
        let fits = self.mails.len() < self.limits.messages * times
            && self.bytes.saturating_add(len) <= self.limits.bytes * times;
        fits || self.mails.is_empty()
    }
}

/// Gives back the memory of a queue that a burst has made large, once it is empty.
fn release<T>(queue: &mut VecDeque<T>) {
    if queue.is_empty() && queue.capacity() > KEPT {
        *queue = VecDeque::new();
    }
}

/// What an empty queue keeps, so that steady traffic does not allocate.
const KEPT: usize = 4;
