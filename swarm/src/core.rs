//! What all handles of a node share: its views, its processes, its routes to other nodes, and the
//! way to its driver.

use crate::changes::Changes;
use crate::driver::{Input, SPAWNED};
use crate::ending::Ending;
use crate::event::{EVENTS_MAX, Event};
use crate::hub::Hub;
use crate::member::Member;
use crate::node::{Outcome, What};
use crate::scope::InScope;
use crate::traffic::{Remembered, Routes, Sink, Trails, Watches};
use crate::worker::{self, Kinds, System, Worker};
use crate::{SpawnError, Stop, Swarm, UnregisterError};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use swarm_base::{Instant, Name, NodeId, Pid, Scope};
use swarm_process::{Clock, ExitReason, Lookup, Processes, Stage};
use swarm_registry::Bytes;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc, oneshot};

/// What all handles of a node share.
pub(crate) struct Core {
    pub me: NodeId,
    pub clock: Clock,
    /// Where this node gossips.
    pub local_addr: SocketAddr,
    pub processes: Processes,
    pub kinds: Kinds,
    /// Names and groups as the facts that have arrived say.
    pub names: swarm_registry::View,
    pub groups: swarm_groups::View,
    pub routes: Routes,
    pub watches: Watches,
    /// Processes of other nodes whose end was told here before the facts of their nodes say so: a
    /// monitor's `Down` comes straight from the process. Until its facts are here, the views still
    /// show what a caller knows to have ended.
    pub gone: Remembered<()>,
    pub trails: Trails,
    pub sink: Arc<Sink>,
    pub events: Hub<Event>,
    pub changes: Changes,
    /// Names, groups or routes changed: whoever did not find one looks again.
    pub changed: Notify,
    members: Mutex<Arc<[Member]>>,
    inputs: mpsc::Sender<Input>,
    /// Who waits for a process that it has spawned, by ticket.
    spawning: Mutex<BTreeMap<u64, oneshot::Sender<Result<Pid, ExitReason>>>>,
    /// Frames of the message streams that could not be read.
    pub malformed: AtomicU64,
    /// Messages without a caller that found no process.
    pub lost: AtomicU64,
    /// Messages without a caller that their worker does not list or could not read.
    pub unhandled: AtomicU64,
    /// Control frames to other nodes that were too long to go out.
    pub unsent: AtomicU64,
    /// The cluster that the node came to has other settings, and is to say which.
    pub meets_others: AtomicBool,
    /// The last handle is gone.
    pub abandoned: Notify,
    /// The most bytes of a state that a worker takes along.
    pub state_bytes_max: usize,
    /// Who ends the node, and how far that is.
    pub ending: Ending,
    /// Set once nothing new may start here.
    is_closing: AtomicBool,
    /// Numbers for questions and for spawned processes.
    next: AtomicU64,
}

/// How long the end of a process is remembered. Its facts come within a round trip; a connection
/// over which nothing comes for so long is closed.
const GONE: Duration = Duration::from_secs(60);

/// The node's driver has stopped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeStopped;

impl Core {
    pub(crate) fn new(
        me: NodeId,
        clock: Clock,
        local_addr: SocketAddr,
        processes: Processes,
        kinds: Kinds,
        inputs: mpsc::Sender<Input>,
        weak: &Weak<Self>,
    ) -> Self {
        let trails = Trails::new(me.boot);
        Self {
            me,
            clock,
            local_addr,
            processes,
            kinds,
            names: swarm_registry::View::new(),
            groups: swarm_groups::View::new(),
            routes: Routes::default(),
            watches: Watches::default(),
            gone: Remembered::new(GONE),
            trails,
            sink: Arc::new(Sink(weak.clone())),
            events: Hub::new(EVENTS_MAX),
            changes: Changes::new(),
            changed: Notify::new(),
            members: Mutex::new(Arc::new([])),
            inputs,
            spawning: Mutex::default(),
            malformed: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            unhandled: AtomicU64::new(0),
            unsent: AtomicU64::new(0),
            meets_others: AtomicBool::new(false),
            abandoned: Notify::new(),
            state_bytes_max: 0,
            ending: Ending::default(),
            is_closing: AtomicBool::new(false),
            next: AtomicU64::new(1),
        }
    }

    /// Asks the node, or whichever node can answer. The node answers within `left`.
    pub(crate) async fn ask(&self, what: What, left: Duration) -> Result<Outcome, NodeStopped> {
        let (reply, answer) = oneshot::channel();
        let id = self.number();
        // One deadline for the wait here and for all that follows it.
        let deadline = self.clock.now() + left;
        let ask = Input::Ask { id, what, deadline, reply };
        // Only where the queue is full, a clock is needed to wait by.
        if let Err(refused) = self.inputs.try_send(ask) {
            let TrySendError::Full(ask) = refused else { return Err(NodeStopped) };
            match tokio::time::timeout_at(self.clock.at(deadline), self.inputs.send(ask)).await {
                Ok(Ok(())) => (),
                Ok(Err(_)) => return Err(NodeStopped),
                Err(_) => return Ok(Outcome::Timeout(Stage::Queued)),
            }
        }
        // A caller that goes away takes its question with it.
        let guard = Forget { core: self, id };
        let outcome = answer.await.map_err(|_| NodeStopped);
        std::mem::forget(guard);
        outcome
    }

    /// What is said of a name here.
    pub(crate) async fn name_meta(&self, name: Name) -> Result<Option<Bytes>, NodeStopped> {
        let (reply, answer) = oneshot::channel();
        self.tell(Input::Meta { name, reply }).await?;
        answer.await.map_err(|_| NodeStopped)
    }

    /// Hands something to the driver.
    pub(crate) async fn tell(&self, input: Input) -> Result<(), NodeStopped> {
        self.inputs.send(input).await.map_err(|_| NodeStopped)
    }

    /// Hands something to the driver without waiting. `false` where its queue is full or it has
    /// stopped.
    pub(crate) fn try_tell(&self, input: Input) -> bool {
        self.inputs.try_send(input).is_ok()
    }

    /// Starts a process without a name.
    pub(crate) async fn spawn<W: Worker>(
        self: &Arc<Self>,
        scope: &Scope,
        args: W::Args,
        timeout: Duration,
    ) -> Result<Pid, SpawnError> {
        let kind = W::KIND;
        if !self.kinds.serves::<W>(scope) {
            return Err(SpawnError::UnknownKind { kind });
        }
        let (sender, started) = oneshot::channel();
        let ticket = SPAWNED | self.number();
        locked(&self.spawning).insert(ticket, sender);
        let process = worker::spawn::<W>(&self.processes, self.system(scope), ticket, args);
        // After it is in the table: whoever closes looks there after it has said so.
        if self.has_stopped() || self.is_closing.load(Ordering::SeqCst) {
            process.kill();
            locked(&self.spawning).remove(&ticket);
            return Err(SpawnError::NodeStopped);
        }
        let deadline = self.clock.at(self.clock.now() + timeout);
        let outcome = tokio::time::timeout_at(deadline, started).await;
        locked(&self.spawning).remove(&ticket);
        match outcome {
            Ok(Ok(Ok(pid))) => Ok(pid),
            Ok(Ok(Err(ExitReason::StartFailed { message }))) => {
                Err(SpawnError::StartFailed { kind, reason: message })
            }
            Ok(Ok(Err(reason))) => {
                Err(SpawnError::StartFailed { kind, reason: reason.to_string() })
            }
            Ok(Err(_)) => Err(SpawnError::NodeStopped),
            Err(_) => {
                process.kill();
                Err(SpawnError::Timeout { kind, after: timeout })
            }
        }
    }

    /// Ends a process of this node, and waits until it has ended.
    pub(crate) async fn stop(
        &self,
        pid: Pid,
        how: Stop,
        timeout: Duration,
    ) -> Result<(), UnregisterError> {
        let not_found =
            || Name::new(pid.to_string()).map(|name| UnregisterError::NotFound { name });
        let Lookup::Here(process) = self.processes.find(pid) else { return Err(not_found()?) };
        let down = self.processes.monitor(pid);
        match how {
            Stop::Graceful(grace) => self.processes.stop(&process, grace),
            Stop::Kill => process.kill(),
        }
        let deadline = self.clock.at(self.clock.now() + timeout);
        match tokio::time::timeout_at(deadline, down).await {
            Ok(_) => Ok(()),
            Err(_) => {
                let name = Name::new(pid.to_string())?;
                Err(UnregisterError::Timeout { name, stage: Stage::Running, after: timeout })
            }
        }
    }

    /// A process that was spawned has started, or not.
    pub(crate) fn spawned(&self, ticket: u64, result: Result<Pid, ExitReason>) {
        if let Some(waiting) = locked(&self.spawning).remove(&ticket) {
            let _ = waiting.send(result);
        }
    }

    /// Whether the driver has stopped: nothing changes any more.
    pub(crate) fn has_stopped(&self) -> bool {
        self.inputs.is_closed()
    }

    /// From now on nothing new starts here.
    pub(crate) fn close(&self) {
        self.is_closing.store(true, Ordering::SeqCst);
    }

    /// The driver has stopped: nobody would tell of a start any more.
    pub(crate) fn fail_spawning(&self) {
        locked(&self.spawning).clear();
    }

    /// The node as its workers in a scope see it.
    pub(crate) fn system(self: &Arc<Self>, scope: &Scope) -> Arc<dyn System> {
        Arc::new(Node { core: Arc::clone(self), scope: InScope::of(scope) })
    }

    /// The process of the name of these bytes. It is not given out any more once its end could
    /// have been seen here.
    pub(crate) fn whereis(&self, name: &[u8]) -> Option<Pid> {
        self.names.whereis(name).filter(|pid| !self.has_ended(*pid))
    }

    /// Whether a process is known here to have ended. The node may yet have to hear of it.
    pub(crate) fn has_ended(&self, pid: Pid) -> bool {
        if pid.boot == self.me.boot {
            matches!(self.processes.find(pid), Lookup::Nowhere)
        } else {
            self.gone.contains(pid)
        }
    }

    /// Whether a group's list may show `pid`: not once it is known that it has ended, nor once its
    /// name has a process elsewhere, which is on the list as well.
    pub(crate) fn is_listed(&self, pid: Pid) -> bool {
        !self.has_ended(pid) && !self.trails.has_left(|| self.clock.now(), pid)
    }

    /// Waits until `name` is not `pid`'s any more, or until `deadline`.
    pub(crate) async fn until_replaced(&self, name: &Name, pid: Pid, deadline: Instant) {
        while self.names.whereis(name.as_bytes()) == Some(pid) && self.clock.now() < deadline {
            let changed = self.changed.notified();
            let _ = tokio::time::timeout(Duration::from_millis(1), changed).await;
        }
    }

    /// A number that this node uses once.
    pub(crate) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The members as of the last change.
    pub(crate) fn members(&self) -> Arc<[Member]> {
        Arc::clone(&locked(&self.members))
    }

    /// The node of a process, if it is a member.
    pub(crate) fn node_of(&self, pid: Pid) -> Option<NodeId> {
        if pid.boot == self.me.boot {
            return Some(self.me.clone());
        }
        self.members().iter().find(|member| member.id.boot == pid.boot).map(|m| m.id.clone())
    }

    pub(crate) fn set_members(&self, members: Arc<[Member]>) {
        *locked(&self.members) = members;
    }
}

/// The node as its workers see it: they do not keep it running, and it ends them when it stops.
struct Node {
    core: Arc<Core>,
    scope: InScope,
}

impl System for Node {
    fn node(&self) -> &NodeId {
        &self.core.me
    }

    fn swarm(&self) -> Swarm {
        Swarm::weak(Arc::clone(&self.core), self.scope.clone())
    }

    fn scope(&self) -> &InScope {
        &self.scope
    }

    fn state_bytes_max(&self) -> usize {
        self.core.state_bytes_max
    }

    fn count_unhandled(&self) {
        self.core.unhandled.fetch_add(1, Ordering::Relaxed);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Forget<'a> {
    core: &'a Core,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        // Where the driver's queue is full, the question ends with its deadline.
        self.core.try_tell(Input::Forget { id: self.id });
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Core({:?})", self.me)
    }
}
