//! Monitors and links between processes of different nodes: exactly one `Down` for each.

use super::Frame;
use crate::core::Core;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use swarm_base::codec;
use swarm_base::{Boot, Pid};
use swarm_process::{Down, DownSink, ExitReason, MonitorId};
use tokio::sync::oneshot;

/// The monitors that reach over the border of this node.
#[derive(Debug, Default)]
pub(crate) struct Watches(Mutex<Books>);

#[derive(Debug, Default)]
struct Books {
    next: u64,
    /// Processes of other nodes that are watched from here.
    watching: BTreeMap<u64, (Pid, Watcher)>,
    /// Processes of this node that are watched from elsewhere, by a number of this node's.
    serving: BTreeMap<u64, (Boot, u64, Option<MonitorId>)>,
    served: BTreeMap<(Boot, u64), u64>,
}

/// Who watches from here.
#[derive(Debug)]
pub(crate) enum Watcher {
    Future(oneshot::Sender<Down>),
    Process(Pid),
    Link(Pid),
}

impl Watcher {
    const fn linked(&self) -> Option<Pid> {
        match self {
            Self::Link(linked) => Some(*linked),
            _ => None,
        }
    }
}

impl Watches {
    /// Watches `pid` of another node. Its end, or its node's, is told to `watcher` once. Gives a number to take it back with.
    pub(crate) fn watch(&self, core: &Core, pid: Pid, watcher: Watcher) -> u64 {
        let watch = {
            let mut books = self.books();
            books.next += 1;
            let watch = books.next;
            books.watching.insert(watch, (pid, watcher));
            watch
        };
        match core.routes.to(pid.boot) {
            Some(route) => drop(route.send_now(&Frame::Monitor { watch, pid })),
            // Without a connection it is asked for when one comes up; a node that is no member
            // has no process.
            None if core.members().iter().any(|member| member.id.boot == pid.boot) => (),
            None => self.ended(core, watch, ExitReason::NoProcess),
        }
        watch
    }

    /// Links `linked` of this node with `pid` of another, which has asked for it, or is told so.
    /// Twice is once.
    pub(crate) fn link(&self, core: &Core, pid: Pid, linked: Pid) {
        let is_linked = self.books().watching.values().any(|(of, watcher)| {
            *of == pid && matches!(watcher, Watcher::Link(held) if *held == linked)
        });
        if !is_linked {
            self.watch(core, pid, Watcher::Link(linked));
            self.tell_link(core, pid, linked);
        }
    }

    fn tell_link(&self, core: &Core, pid: Pid, linked: Pid) {
        if let Some(route) = core.routes.to(pid.boot) {
            let _ = route.send_now(&Frame::Link { pid: linked, to: pid });
        }
    }

    /// Nobody wants to know any more.
    pub(crate) fn unwatch(&self, core: &Core, watch: u64) {
        let watched = self.books().watching.remove(&watch);
        if let Some((pid, _)) = watched
            && let Some(route) = core.routes.to(pid.boot)
        {
            let _ = route.send_now(&Frame::Demonitor { watch });
        }
    }

    /// A process of this node has ended: it watches nobody any more. A link that it had is told
    /// by its other end.
    pub(crate) fn watcher_ended(&self, core: &Core, pid: Pid) {
        let watches: Vec<_> = {
            let books = self.books();
            if books.watching.is_empty() {
                return;
            }
            let of = |watcher: &Watcher| matches!(watcher, Watcher::Process(of) | Watcher::Link(of) if *of == pid);
            let watching = books.watching.iter().filter(|(_, (_, watcher))| of(watcher));
            watching.map(|(watch, _)| *watch).collect()
        };
        for watch in watches {
            self.unwatch(core, watch);
        }
    }

    /// A connection to `boot` is up: whatever was asked before may have been lost.
    pub(crate) fn connected(&self, core: &Core, boot: Boot) {
        let again: Vec<_> = self
            .books()
            .watching
            .iter()
            .filter(|(_, (pid, _))| pid.boot == boot)
            .map(|(watch, (pid, watcher))| (*watch, *pid, watcher.linked()))
            .collect();
        if let Some(route) = core.routes.to(boot) {
            for (watch, pid, linked) in again {
                let _ = route.send_now(&Frame::Monitor { watch, pid });
                if let Some(linked) = linked {
                    self.tell_link(core, pid, linked);
                }
            }
        }
    }

    /// The node of a watched process tells that it has ended.
    pub(super) fn told(&self, core: &Core, watch: u64, reason: ExitReason) {
        let pid = self.books().watching.get(&watch).map(|(pid, _)| *pid);
        // One that has moved is found by its old pid until the new one is known.
        if let Some(pid) = pid
            && !matches!(reason, ExitReason::Moved | ExitReason::NodeDown)
        {
            // Before the watcher learns it: it may look the name up at once.
            core.gone.insert(core.clock.now(), pid);
        }
        self.ended(core, watch, reason);
    }

    /// A watched process has ended.
    pub(crate) fn ended(&self, core: &Core, watch: u64, reason: ExitReason) {
        let Some((pid, watcher)) = self.books().watching.remove(&watch) else { return };
        let down = Down { pid, reason };
        match watcher {
            Watcher::Future(future) => drop(future.send(down)),
            Watcher::Process(watcher) => core.processes.tell_down(watcher, down),
            Watcher::Link(linked) => core.processes.tell_linked(linked, down),
        }
    }

    /// A node is gone, and all that is watched there; and nobody there watches any more.
    pub(crate) fn node_down(&self, core: &Core, boot: Boot) {
        let (lost, unserved) = {
            let mut books = self.books();
            let lost: Vec<_> = books
                .watching
                .iter()
                .filter(|(_, (pid, _))| pid.boot == boot)
                .map(|(watch, _)| *watch)
                .collect();
            let first = (boot, 0);
            let gone: Vec<_> =
                books.served.range(first..=(boot, u64::MAX)).map(|(k, n)| (*k, *n)).collect();
            let mut unserved = Vec::new();
            for (key, number) in gone {
                books.served.remove(&key);
                unserved.extend(books.serving.remove(&number));
            }
            (lost, unserved)
        };
        for watch in lost {
            self.ended(core, watch, ExitReason::NodeDown);
        }
        for monitor in unserved.into_iter().filter_map(|(_, _, monitor)| monitor) {
            core.processes.demonitor(monitor);
        }
    }

    /// The node `boot` watches `pid` of this node. Twice is once.
    pub(super) fn serve(&self, core: &Arc<Core>, boot: Boot, watch: u64, pid: Pid) {
        let number = {
            let mut books = self.books();
            if books.served.contains_key(&(boot, watch)) {
                return;
            }
            books.next += 1;
            let number = books.next;
            books.served.insert((boot, watch), number);
            // Entered before the process can end, so that its end finds the way back.
            books.serving.insert(number, (boot, watch, None));
            number
        };
        let sink = Arc::clone(&core.sink) as Arc<dyn DownSink>;
        let monitor = core.processes.monitor_from(pid, sink, number);
        if let Some(served) = self.books().serving.get_mut(&number) {
            served.2 = Some(monitor);
        }
    }

    pub(super) fn unserve(&self, core: &Core, boot: Boot, watch: u64) {
        let served = {
            let mut books = self.books();
            books.served.remove(&(boot, watch)).and_then(|number| books.serving.remove(&number))
        };
        if let Some((_, _, Some(monitor))) = served {
            core.processes.demonitor(monitor);
        }
    }

    /// A process of this node that is watched from elsewhere has ended.
    pub(super) fn served_ended(&self, core: &Core, number: u64, down: &Down) {
        let served = {
            let mut books = self.books();
            let served = books.serving.remove(&number);
            if let Some((boot, watch, _)) = &served {
                books.served.remove(&(*boot, *watch));
            }
            served
        };
        let Some((boot, watch, _)) = served else { return };
        let reason = codec::encode(&down.reason).map(Bytes::from).unwrap_or_default();
        if let Some(route) = core.routes.back_to(boot) {
            let _ = route.send_now(&Frame::Down { watch, reason });
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
