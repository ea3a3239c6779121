//! All processes of one node.

use crate::lanes::Limits;
use crate::life::{Body, End, live, run};
use crate::panics::drop_caught;
use crate::relations::Watcher;
use crate::signal::{News, Signal};
use crate::table::{Post, Table};
use crate::timers::{Due, Set, Timers};
use crate::{
    Behaviour, Call, CallFailure, Calls, Checked, Clock, Down, DownSink, ExitReason, Handle,
    Lookup, Mail, Mode, Monitor, MonitorId, Notice, Waiter,
};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use swarm_base::{Boot, Instant, Name, Pid, Token};
use tokio::runtime;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::AbortHandle;

/// The processes of one node in one of its lives: spawns them, finds them, tells who watches them.
/// A cheap clone.
///
/// What happens to them goes to the node as [`Notice`]s; processes wait while it has no room for
/// more, so the node must take them and must not wait for a process while it does not.
#[derive(Clone)]
pub struct Processes(Arc<Inner>);

/// What is to be spawned.
#[derive(Clone, Debug)]
pub struct Spawn {
    /// Comes back with the notices of its start and end.
    pub ticket: u64,
    /// Its name, under which it is found on this node.
    pub name: Option<Name>,
    /// Its fencing token.
    pub token: Token,
    /// Whether it runs or waits.
    pub mode: Mode,
}

struct Inner {
    boot: Boot,
    config: Checked,
    runtime: runtime::Handle,
    notices: mpsc::Sender<Notice>,
    table: Arc<Table>,
    timers: Arc<Timers>,
    ticking: AbortHandle,
    calls: Calls,
    serials: AtomicU64,
    monitors: AtomicU64,
    living: AtomicUsize,
    emptied: Notify,
}

impl Processes {
    /// No processes yet. They run on `runtime` and tell `notices`, whose receiver the node keeps.
    #[must_use]
    pub fn new(
        boot: Boot,
        config: Checked,
        clock: Clock,
        runtime: runtime::Handle,
        notices: mpsc::Sender<Notice>,
    ) -> Self {
        let table = Arc::new(Table::new());
        let timers = Arc::new(Timers::new(clock));
        let ticking = runtime.spawn(Arc::clone(&timers).run(Arc::clone(&table))).abort_handle();
        Self(Arc::new(Inner {
            boot,
            config,
            runtime,
            notices,
            table,
            timers,
            ticking,
            calls: Calls::new(),
            serials: AtomicU64::new(0),
            monitors: AtomicU64::new(0),
            living: AtomicUsize::new(0),
            emptied: Notify::new(),
        }))
    }

    /// Spawns a process. It is found at once; mail to it waits until it has started. A start that
    /// does not return is ended by [`Handle::kill`].
    pub fn spawn<B: Behaviour>(&self, spawn: Spawn, seed: B::Seed) -> Handle {
        let Spawn { ticket, name, token, mode } = spawn;
        let serial = self.0.serials.fetch_add(1, Ordering::Relaxed) + 1;
        let limits =
            Limits { messages: self.config().mailbox_messages, bytes: self.config().mailbox_bytes };
        let handle = Handle::new(Pid::new(self.0.boot, serial), ticket, name, token, limits);
        self.0.living.fetch_add(1, Ordering::AcqRel);
        let post = match mode {
            Mode::Run => Post::Running,
            Mode::Standby => Post::Standby,
        };
        self.0.table.insert(&handle, post);
        let body: Body = Box::pin(live::<B>(self.clone(), handle.clone(), mode, seed));
        // Its owner is the table: every process ends by its handle, and `shutdown` ends them all.
        drop(self.0.runtime.spawn(run(self.clone(), handle.clone(), body)));
        handle
    }

    /// Finds a process of this life of the node. Local, never waits.
    #[must_use]
    pub fn find(&self, pid: Pid) -> Lookup {
        if !self.is_local(pid) {
            return Lookup::Nowhere;
        }
        self.0.table.find(pid)
    }

    /// The process that runs here under `name`.
    #[must_use]
    pub fn named(&self, name: &Name) -> Option<Handle> {
        self.0.table.named(name, Post::Running)
    }

    /// The process that stands by here for `name`.
    #[must_use]
    pub fn standby(&self, name: &Name) -> Option<Handle> {
        self.0.table.named(name, Post::Standby)
    }

    /// All processes, in no order.
    #[must_use]
    pub fn handles(&self) -> Vec<Handle> {
        self.0.table.handles()
    }

    /// How many there are, those that start or end included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.living.load(Ordering::Acquire)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether `pid` is of this life of this node, whether it still runs or not.
    #[must_use]
    pub fn is_local(&self, pid: Pid) -> bool {
        pid.boot == self.0.boot
    }

    /// The node's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.0.timers.clock()
    }

    /// The calls to other nodes.
    #[must_use]
    pub fn calls(&self) -> &Calls {
        &self.0.calls
    }

    /// Opens a call that fails at `deadline`, if it has no outcome before.
    #[must_use]
    pub fn call<R: Send + 'static>(&self, deadline: Instant) -> Call<R> {
        Call::new(self.clone(), deadline)
    }

    /// Stops a process: from now on it takes no messages, handles those that wait, for at most half
    /// of `grace`, and cleans up. After `grace` it is killed.
    pub fn stop(&self, process: &Handle, grace: Duration) {
        let now = self.now();
        // The other half is for its `die`.
        let until = now + grace / 2;
        if process.signal(Signal::Stop { until, grace }) {
            self.0.timers.set(now + grace, Due::Kill(process.clone()));
        }
    }

    /// Stops all processes, kills those that overrun `grace`, and returns when all have ended.
    /// Nobody may spawn meanwhile, and notices must be taken, or their receiver dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the processes still end.
    pub async fn shutdown(&self, grace: Duration) {
        for process in self.handles() {
            self.stop(&process, grace);
        }
        self.wait_for_none().await;
    }

    /// Kills all processes and returns at once; they end when they next yield.
    pub fn kill_all(&self) {
        for process in self.handles() {
            process.kill();
        }
    }

    /// A future of the one [`Down`] of `pid`, ready at once where the process is no more.
    pub fn monitor(&self, pid: Pid) -> Monitor {
        let (sender, receiver) = oneshot::channel();
        let id = self.watch(pid, Watcher::Future(sender));
        Monitor::new(self.clone(), id, receiver)
    }

    /// Tells `sink` of the end of `pid`, once, at once where the process is no more.
    pub fn monitor_from(&self, pid: Pid, sink: Arc<dyn DownSink>, reference: u64) -> MonitorId {
        self.watch(pid, Watcher::Remote(sink, reference))
    }

    /// Takes a monitor back: no `Down` after this returns, unless one is on its way.
    pub fn demonitor(&self, monitor: MonitorId) {
        if let Lookup::Here(process) = self.find(monitor.pid) {
            process.relations().unwatch(monitor.id);
        }
    }

    /// Tells the process `watcher` of the end of one on another node.
    pub fn tell_down(&self, watcher: Pid, down: Down) {
        if let Lookup::Here(watcher) = self.find(watcher) {
            watcher.news(News::Down(Box::new(down)));
        }
    }

    /// Ends the process `linked` if the one on another node, to which it is linked, ended
    /// abnormally.
    pub fn tell_linked(&self, linked: Pid, down: Down) {
        if let Lookup::Here(linked) = self.find(linked)
            && down.reason.is_abnormal()
        {
            linked.news(News::Linked(Box::new(down)));
        }
    }

    /// Monitors `target` for the process `watcher`.
    pub(crate) fn monitor_for(&self, watcher: &Handle, target: Pid) {
        let id = self.next_monitor();
        // Before the other can end: else it could take back what is not noted yet.
        if !watcher.relations().note_watched(target, id) {
            return watcher.end(ExitReason::Overloaded);
        }
        self.enter(target, id, Watcher::Process(watcher.clone()));
    }

    pub(crate) fn link(&self, process: &Handle, target: Pid) {
        if process.pid() == target {
            return;
        }
        let refused = match self.find(target) {
            Lookup::Here(other) => {
                // The other first: if this one ends in between, it finds the other's entry.
                let refused = other.relations().link(process.clone()).err();
                if refused.is_none() && process.relations().link(other.clone()).is_err() {
                    other.relations().unlink(process.pid());
                }
                refused
            }
            Lookup::Moved(_) => Some(ExitReason::Moved),
            Lookup::Nowhere => Some(ExitReason::NoProcess),
        };
        if let Some(reason) = refused {
            self.tell_linked(process.pid(), Down { pid: target, reason });
        }
    }

    pub(crate) fn expire(&self, deadline: Instant, waiter: Arc<dyn Waiter>) -> Set {
        self.0.timers.set(deadline, Due::Expire(waiter))
    }

    pub(crate) fn cancel(&self, set: Set) {
        self.0.timers.cancel(set);
    }

    pub(crate) fn send_after(&self, delay: Duration, process: Handle, mail: Mail) {
        self.0.timers.set(self.now() + delay, Due::Send(Box::new((process, mail))));
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock().now()
    }

    pub(crate) fn config(&self) -> &Checked {
        &self.0.config
    }

    pub(crate) fn set_post(&self, process: &Handle, post: Post) {
        self.0.table.set_post(process, post);
    }

    /// Tells the node: at once, or when it has room. A node that is gone needs no notices.
    ///
    /// Only a future that has to wait is as large as a notice: every process has room for this one.
    pub(crate) fn notify(&self, notice: Notice) -> impl Future<Output = ()> + Send + use<> {
        let waiting = self.try_notify(notice).map(|notice| {
            let notices = self.0.notices.clone();
            Box::pin(async move { drop(notices.send(notice).await) })
        });
        async move {
            if let Some(waiting) = waiting {
                waiting.await;
            }
        }
    }

    /// Tells the node if it has room, else gives the notice back.
    pub(crate) fn try_notify(&self, notice: Notice) -> Option<Notice> {
        match self.0.notices.try_send(notice) {
            Err(mpsc::error::TrySendError::Full(notice)) => Some(notice),
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => None,
        }
    }

    /// Tells everybody that a process ended: first it cannot be found any more, then its mail is
    /// answered or handed out, then its watchers learn it, and last its node.
    pub(crate) async fn bury(&self, process: &Handle, end: End) {
        let (ticket, pid) = (process.ticket(), process.pid());
        let reason = match end {
            End::Exited(reason) => {
                self.close(process, &reason);
                reason
            }
            End::Taken { ticket, forward } => {
                if let Some(forward) = &forward {
                    self.0.timers.set(forward.until, Due::Forget(pid.serial));
                }
                // Before the mailbox closes: a sender that comes back with its mail finds the way.
                self.0.table.remove(process, forward);
                let mails = process.mailbox().close();
                self.tell_watchers(process, &ExitReason::Moved);
                self.notify(Notice::Taken { ticket, pid, mails }).await;
                ExitReason::Moved
            }
        };
        if process.announce() {
            let result = Err(reason.clone());
            self.notify(Notice::Started { ticket, pid, result, asks: Vec::new() }).await;
        }
        let name = process.name().cloned();
        self.notify(Notice::Exited { ticket, pid, name, reason }).await;
        self.leave();
    }

    /// The same where nothing can be awaited any more: its task is being dropped.
    pub(crate) fn bury_at_once(&self, process: &Handle) {
        let (ticket, pid) = (process.ticket(), process.pid());
        let reason = ExitReason::Killed;
        self.close(process, &reason);
        if process.announce() {
            let result = Err(reason.clone());
            drop(self.try_notify(Notice::Started { ticket, pid, result, asks: Vec::new() }));
        }
        let name = process.name().cloned();
        drop(self.try_notify(Notice::Exited { ticket, pid, name, reason }));
        self.leave();
    }

    fn close(&self, process: &Handle, reason: &ExitReason) {
        self.0.table.remove(process, None);
        for mail in process.mailbox().close() {
            if let Some(reply) = mail.reply {
                reply.fail(CallFailure::Stopped { reason: reason.clone() });
            }
            // A message is user code too, and what it does when dropped must not end this.
            let _ = drop_caught(mail.payload);
        }
        self.tell_watchers(process, reason);
    }

    fn tell_watchers(&self, process: &Handle, reason: &ExitReason) {
        let book = process.relations().end(reason);
        if let Some(book) = book {
            book.close(process.pid(), reason, |pid| match self.find(pid) {
                Lookup::Here(handle) => Some(handle),
                Lookup::Moved(_) | Lookup::Nowhere => None,
            });
        }
    }

    fn watch(&self, pid: Pid, watcher: Watcher) -> MonitorId {
        let id = self.next_monitor();
        self.enter(pid, id, watcher);
        MonitorId { pid, id }
    }

    fn enter(&self, pid: Pid, id: u64, watcher: Watcher) {
        let refused = match self.find(pid) {
            Lookup::Here(process) => process.relations().watch(id, watcher).err(),
            Lookup::Moved(_) => Some((watcher, ExitReason::Moved)),
            Lookup::Nowhere => Some((watcher, ExitReason::NoProcess)),
        };
        if let Some((watcher, reason)) = refused {
            watcher.tell(Down { pid, reason }, id);
        }
    }

    fn next_monitor(&self) -> u64 {
        self.0.monitors.fetch_add(1, Ordering::Relaxed)
    }

    fn leave(&self) {
        if self.0.living.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.emptied.notify_waiters();
        }
    }

    async fn wait_for_none(&self) {
        loop {
            let mut emptied = std::pin::pin!(self.0.emptied.notified());
            emptied.as_mut().enable();
            if self.is_empty() {
                return;
            }
            emptied.await;
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.ticking.abort();
    }
}

impl fmt::Debug for Processes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Processes").field("boot", &self.0.boot).field("len", &self.len()).finish()
    }
}
