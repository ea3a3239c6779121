//! What others hold of a process on this node.

use crate::lanes::Limits;
use crate::mailbox::Mailbox;
use crate::relations::Relations;
use crate::signal::{News, Signal};
use crate::{ExitReason, Mail, Pressure, SendError};
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use swarm_base::{Name, Pid, Token};

/// A process on this node. A cheap clone; it does not keep the process alive.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

struct Shared {
    pid: Pid,
    ticket: u64,
    name: Option<Name>,
    token: Mutex<Token>,
    mailbox: Mailbox,
    relations: Mutex<Relations>,
    /// How many of its timers run.
    timers: AtomicU32,
    /// Whether the outcome of its start was told.
    announced: AtomicBool,
}

impl Handle {
    pub(crate) fn new(
        pid: Pid,
        ticket: u64,
        name: Option<Name>,
        token: Token,
        limits: Limits,
    ) -> Self {
        Self(Arc::new(Shared {
            pid,
            ticket,
            name,
            token: Mutex::new(token),
            mailbox: Mailbox::new(limits),
            relations: Mutex::new(Relations::new()),
            timers: AtomicU32::new(0),
            announced: AtomicBool::new(false),
        }))
    }

    /// The process.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.0.pid
    }

    /// The ticket that it was spawned with.
    #[must_use]
    pub fn ticket(&self) -> u64 {
        self.0.ticket
    }

    /// The name that it was spawned with.
    #[must_use]
    pub fn name(&self) -> Option<&Name> {
        self.0.name.as_ref()
    }

    /// Its fencing token.
    #[must_use]
    pub fn token(&self) -> Token {
        *locked(&self.0.token)
    }

    /// Gives it a higher token. The process sees it with its next look; a lower one is ignored.
    pub fn raise_token(&self, token: Token) {
        let mut held = locked(&self.0.token);
        *held = token.max(*held);
    }

    /// Sends without waiting.
    ///
    /// # Errors
    ///
    /// [`SendError`] gives the mail back: no room, or the process has ended.
    pub fn try_send(&self, mail: Mail) -> Result<(), SendError> {
        self.0.mailbox.try_send(mail)
    }

    /// Sends, and waits for room where there is none: first come, first served.
    ///
    /// # Errors
    ///
    /// The mail, where the process has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, the mail was not sent and is dropped.
    pub async fn send(&self, mail: Mail) -> Result<(), Mail> {
        self.0.mailbox.send(mail).await
    }

    /// Sends for a node that cannot wait: takes up to four times the mailbox's limits, and says
    /// when that node should pause.
    pub fn force(&self, mail: Mail) -> Pressure {
        self.0.mailbox.force(mail)
    }

    /// Takes a mail from another node, which sends on until it learns to pause: whatever it has
    /// under way until then is taken, up to 64 MiB. Above that the mail comes back as refused.
    pub fn absorb(&self, mail: Mail) -> Pressure {
        self.0.mailbox.absorb(mail)
    }

    /// Whether a sender was told to pause, and no [`Notice::Eased`](crate::Notice::Eased) has
    /// followed yet. `false` once the process has ended.
    #[must_use]
    pub fn is_pressed(&self) -> bool {
        self.0.mailbox.is_pressed()
    }

    /// Signals the process. `false` where it has ended: then no notice answers.
    pub fn signal(&self, signal: Signal) -> bool {
        self.0.mailbox.signal(signal)
    }

    /// Makes a standby the process: `front` comes before every mail that waits.
    ///
    /// # Errors
    ///
    /// `front`, where the standby has ended.
    pub fn promote(
        &self,
        ticket: u64,
        token: Token,
        front: VecDeque<Mail>,
    ) -> Result<(), VecDeque<Mail>> {
        self.0.mailbox.signal_with_front(front, Signal::Promote { ticket, token })
    }

    /// Ends the process the next time it yields, without cleaning up.
    pub fn kill(&self) {
        self.0.mailbox.kill(ExitReason::Killed);
    }

    /// How many mails wait.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.0.mailbox.len()
    }

    pub(crate) fn end(&self, reason: ExitReason) {
        self.0.mailbox.kill(reason);
    }

    pub(crate) fn news(&self, news: News) {
        self.0.mailbox.news(news);
    }

    pub(crate) fn mailbox(&self) -> &Mailbox {
        &self.0.mailbox
    }

    pub(crate) fn relations(&self) -> MutexGuard<'_, Relations> {
        locked(&self.0.relations)
    }

    /// Counts one more timer. `false` above what a process may have.
    pub(crate) fn add_timer(&self) -> bool {
        self.0.timers.fetch_add(1, Ordering::Relaxed) < TIMERS_MAX
    }

    pub(crate) fn drop_timer(&self) {
        self.0.timers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Notes that the outcome of the start was told, or is about to be. `true` once.
    pub(crate) fn announce(&self) -> bool {
        !self.0.announced.swap(true, Ordering::AcqRel)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({})", self.0.pid)
    }
}

/// None of these locks is held while user code runs, so none guards a half-made change.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The most timers that one process has running.
const TIMERS_MAX: u32 = 65_536;
