//! Monitors and links between processes of different nodes: exactly one `Down` for each.

use super::routes::Route;
use super::watch_books::{Books, Note, Owed, Serve};
use crate::core::Core;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use swarm_base::{Boot, Pid};
use swarm_link::quic::Push;
use swarm_process::{Down, DownSink, ExitReason, Lookup};

pub(crate) use super::watch_books::Watcher;

/// The monitors that reach over the border of this node.
#[derive(Debug, Default)]
pub(crate) struct Watches(Mutex<Books>);

impl Watches {
    /// Watches `pid` of another node. Its end, or its node's, is told to `watcher` once. Gives a
    /// number to take it back with.
    pub(crate) fn watch(&self, core: &Core, pid: Pid, watcher: Watcher) -> u64 {
        let watch = self.books().watch(pid, watcher);
        match core.routes.to(pid.boot) {
            Some(route) => {
                self.post(&route, Owed { boot: pid.boot, note: Note::Monitor, watch });
            }
            // Without a connection it is asked for when one comes up; a node that is no member
            // has no process.
            None if core.members().iter().any(|member| member.id.boot == pid.boot) => (),
            None => self.ended(core, watch, ExitReason::NoProcess),
        }
        watch
    }

    /// Links `linked` of this node with `pid` of another, which is told so. Twice is once. Gives the
    /// number of the watch that it takes.
    pub(crate) fn link(&self, core: &Core, pid: Pid, linked: Pid) -> Option<u64> {
        let is_linked = self.books().is_linked(pid, linked);
        (!is_linked).then(|| self.watch(core, pid, Watcher::Link(linked)))
    }

    /// The same where the other one has asked for it. It watches `linked` itself, and hears of its end
    /// by that: nothing is entered for one that has ended, since nothing would take it out.
    pub(super) fn link_back(&self, core: &Core, pid: Pid, linked: Pid) {
        let lives = || matches!(core.processes.find(linked), Lookup::Here(_));
        if lives()
            && let Some(watch) = self.link(core, pid, linked)
            && !lives()
        {
            self.unwatch(core, watch);
        }
    }

    /// Nobody wants to know any more.
    pub(crate) fn unwatch(&self, core: &Core, watch: u64) {
        let watched = self.books().end(watch);
        if let Some((pid, _)) = watched
            && let Some(route) = core.routes.to(pid.boot)
        {
            self.post(&route, Owed { boot: pid.boot, note: Note::Demonitor, watch });
        }
    }

    /// A process of this node has ended: it watches nobody any more. A link that it had is told
    /// by its other end.
    pub(crate) fn watcher_ended(&self, core: &Core, pid: Pid, reason: &ExitReason) {
        let (watches, unexplained) = self.books().watcher_ended(pid, reason);
        for number in unexplained {
            self.served_ended(core, number, &Down { pid, reason: reason.clone() });
        }
        for watch in watches {
            let watched = self.books().watched(watch);
            self.unwatch(core, watch);
            if let Some(pid) = watched
                && let Some(route) = core.routes.back_to(pid.boot)
            {
                self.post(&route, Owed { boot: pid.boot, note: Note::Broken, watch });
            }
        }
    }

    /// A connection to `boot` is up: whatever was asked or told before may have been lost.
    pub(crate) fn connected(&self, core: &Core, boot: Boot) {
        let (monitors, downs) = self.books().owed_to(boot);
        if let Some(route) = core.routes.to(boot) {
            for owed in monitors {
                self.post(&route, owed);
            }
        }
        if let Some(route) = core.routes.back_to(boot) {
            for owed in downs {
                self.post(&route, owed);
            }
        }
    }

    /// Sends what had found no room. To be called now and then, until there is none of it.
    pub(crate) fn retry(&self, core: &Core) {
        let unsent = {
            let mut books = self.books();
            if !books.has_unsent() {
                return;
            }
            books.take_unsent()
        };
        let mut full = BTreeSet::new();
        for owed in unsent {
            if full.contains(&owed.boot) {
                self.books().keep_unsent(owed);
                continue;
            }
            // On the next connection all is told again.
            let Some(route) = core.routes.back_to(owed.boot) else { continue };
            if self.try_post(&route, owed) == Push::Full {
                full.insert(owed.boot);
            }
        }
    }

    /// Sends what is owed, now or when there is room.
    fn post(&self, route: &Route, owed: Owed) {
        // Where the session is closing, all is told again on the next one.
        let _ = self.try_post(route, owed);
    }

    fn try_post(&self, route: &Route, owed: Owed) -> Push {
        let frames = self.books().frames(owed);
        for frame in frames {
            match route.send_now(&frame) {
                Push::Full => {
                    self.books().keep_unsent(owed);
                    return Push::Full;
                }
                Push::Closed => return Push::Closed,
                Push::Queued | Push::TooLong => (),
            }
        }
        Push::Queued
    }

    /// The node of a watched process tells that it has ended.
    pub(super) fn told(&self, core: &Core, boot: Boot, watch: u64, reason: ExitReason) {
        let pid = self.books().watched(watch);
        // One that has moved is found by its old pid until the new one is known.
        if let Some(pid) = pid
            && !matches!(reason, ExitReason::Moved | ExitReason::NodeDown)
        {
            // Before the watcher learns it: it may look the name up at once.
            core.gone.insert(core.clock.now(), pid, ());
        }
        self.ended(core, watch, reason);
        if let Some(route) = core.routes.back_to(boot) {
            self.post(&route, Owed { boot, note: Note::Taken, watch });
        }
    }

    /// A watched process has ended.
    pub(crate) fn ended(&self, core: &Core, watch: u64, reason: ExitReason) {
        let Some((pid, watcher)) = self.books().end(watch) else { return };
        let down = Down { pid, reason };
        match watcher {
            Watcher::Future(future) => drop(future.send(down)),
            Watcher::Process(watcher) => core.processes.tell_down(watcher, down),
            Watcher::Link(linked) => core.processes.tell_linked(linked, down),
        }
    }

    /// A node is gone, and all that is watched there; and nobody there watches any more.
    pub(crate) fn node_down(&self, core: &Core, boot: Boot) {
        let (lost, unserved) = self.books().node_down(boot);
        for watch in lost {
            self.ended(core, watch, ExitReason::NodeDown);
        }
        for monitor in unserved {
            core.processes.demonitor(monitor);
        }
    }

    /// The node `boot` watches `pid` of this node. Twice is once.
    pub(super) fn serve(&self, core: &Arc<Core>, boot: Boot, watch: u64, pid: Pid) {
        // Entered before the process can end, so that its end finds the way back.
        let serve = self.books().serve(boot, watch, pid);
        let number = match serve {
            Serve::Watch(number) => number,
            Serve::Known => return,
            Serve::Ended => {
                if let Some(route) = core.routes.back_to(boot) {
                    self.post(&route, Owed { boot, note: Note::Down, watch });
                }
                return;
            }
        };
        let sink = Arc::clone(&core.sink) as Arc<dyn DownSink>;
        let monitor = core.processes.monitor_from(pid, sink, number);
        self.books().set_monitor(number, monitor);
    }

    pub(super) fn unserve(&self, core: &Core, boot: Boot, watch: u64) {
        let monitor = self.books().unserve(boot, watch);
        if let Some(monitor) = monitor {
            core.processes.demonitor(monitor);
        }
    }

    /// What was told of the end of a process has been taken.
    pub(super) fn taken(&self, boot: Boot, watch: u64) {
        self.books().taken(boot, watch);
    }

    /// A process of this node that is watched from elsewhere has ended.
    pub(super) fn served_ended(&self, core: &Core, number: u64, down: &Down) {
        let owed = self.books().served_ended(number, down);
        if let Some(owed) = owed
            && let Some(route) = core.routes.back_to(owed.boot)
        {
            self.post(&route, owed);
        }
    }

    /// How much found no room in a queue, and how many ends have not been taken.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        self.books().waiting()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
