//! The handle of a node.

use crate::builder::Builder;
use crate::core::Core;
use crate::driver::{Input, Readiness};
use crate::ending::{self, Way};
use crate::event::Events;
use crate::ops::{
    Addressee, Call, Cast, Change, Drain, Explain, Leave, Membership, MultiCall, MultiCallDetailed,
    Pick, Publish, Register, RegisterPid, SendOne, Spawn, StopNamed, TIMEOUT, Unregister,
    UpdateMeta, UpdateNameMeta, WhereisAtOwner, WhereisOrRegister,
};
use crate::reference::{Address, Ref, Target};
use crate::scope::InScope;
use crate::traffic::Watcher;
use crate::{
    Down, GroupChanges, Member, Message, MetaError, Monitor, Name, NameChanges, NodeId, Pid,
    Registered, Result, Snapshot, Stop, ToName, Worker,
};
use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A node of the swarm: a cheap clone, all of whose copies are the same node.
///
/// When the last copy is dropped, the node stops without a goodbye. The copies that workers get
/// from [`Cx::swarm`](crate::Cx::swarm) do not count.
#[derive(Clone)]
pub struct Swarm {
    core: Arc<Core>,
    scope: InScope,
    /// Keeps the node running.
    _alive: Option<Arc<Alive>>,
}

/// What the handles of a node hold together.
struct Alive(Arc<Core>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.abandoned.notify_one();
    }
}

impl Swarm {
    /// A node of this name, to be set up and started.
    pub fn builder(name: impl AsRef<str>) -> Builder {
        Builder::new(name.as_ref())
    }

    pub(crate) fn new(core: Arc<Core>, driver: JoinHandle<()>) -> Self {
        core.ending.set_driver(driver);
        let alive = Arc::new(Alive(Arc::clone(&core)));
        Self { core, scope: InScope::OUTSIDE, _alive: Some(alive) }
    }

    pub(crate) const fn weak(core: Arc<Core>, scope: InScope) -> Self {
        Self { core, scope, _alive: None }
    }

    pub(crate) const fn core(&self) -> &Arc<Core> {
        &self.core
    }

    pub(crate) const fn in_scope(&self) -> &InScope {
        &self.scope
    }

    /// The same node in the scope of this name, which has 1 to 64 bytes, none of them zero: its
    /// names and groups are others than those of other scopes, and so are its kinds. Only nodes
    /// that [declare](Builder::scope) the scope take its names; all can use it.
    ///
    /// What a handle finds, lists and tells of is its scope's; of nodes all tell alike. A [`Name`]
    /// that came from a scope stays in it wherever it is used.
    ///
    /// With what is no name of a scope every operation fails with
    /// [`NameError::Scope`](crate::NameError), and nothing is found.
    #[must_use]
    pub fn scope(&self, name: impl AsRef<str>) -> Self {
        Self { scope: InScope::new(name.as_ref()), ..self.clone() }
    }

    /// This node.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        &self.core.me
    }

    /// Where it gossips: what the seeds of other nodes name.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.core.local_addr
    }

    /// Starts a worker under a name, on the node that the name belongs to, and from then on moves
    /// and restarts it as nodes come and go.
    ///
    /// Once it has returned `Ok`, this node finds the name, and so does its owner; the other nodes
    /// after the next push, normally within a round trip. A name that is taken answers
    /// `AlreadyRegistered` with the same pid on every node.
    ///
    /// # Errors
    ///
    /// [`RegisterError`](crate::RegisterError): by default within 5 s.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, a start under way is ended, unless it has succeeded by then.
    pub fn register<W: Worker>(&self, name: impl ToName, args: W::Args) -> Register<'_, W> {
        Register::new(self, self.scope.name(&name), args)
    }

    /// Finds a worker by its name, or registers it. Of several at once, on any nodes, one
    /// registers it and all get it.
    ///
    /// # Errors
    ///
    /// `KindMismatch` where another kind holds the name; otherwise as [`register`](Self::register),
    /// but never `AlreadyRegistered`.
    pub fn whereis_or_register<W: Worker>(
        &self,
        name: impl ToName,
        args: W::Args,
    ) -> WhereisOrRegister<'_, W> {
        WhereisOrRegister(Register::new(self, self.scope.name(&name), args))
    }

    /// Gives a running process, of any node, a name. It is never moved or restarted for it, and
    /// loses it when it ends. Twice is once.
    ///
    /// # Errors
    ///
    /// `AlreadyRegistered` where another process holds it; `NoProcess`; `Timeout`.
    pub fn register_pid(&self, name: impl ToName, pid: Pid) -> RegisterPid<'_> {
        RegisterPid { swarm: self, name: self.scope.name(&name), pid, timeout: TIMEOUT }
    }

    /// Starts a process here, without a name.
    ///
    /// # Errors
    ///
    /// [`SpawnError`](crate::SpawnError).
    pub fn spawn<W: Worker>(&self, args: W::Args) -> Spawn<'_, W> {
        Spawn { swarm: self, args, timeout: TIMEOUT, worker: PhantomData }
    }

    /// Takes a name away from its process, which lives on and keeps its other names. A name that
    /// nobody has is no error.
    ///
    /// # Errors
    ///
    /// `Timeout` where the node that holds it does not answer.
    pub fn unregister(&self, name: impl ToName) -> Unregister<'_> {
        Unregister { swarm: self, name: self.scope.name(&name), timeout: TIMEOUT }
    }

    /// Ends the process of a name, wherever it runs. The name is free when this returns.
    ///
    /// # Errors
    ///
    /// `NotFound` where nobody has it.
    pub fn stop(&self, name: impl ToName, how: Stop) -> StopNamed<'_> {
        StopNamed::new(self, self.scope.name(&name), how)
    }

    /// Looks a name up in this node's replica. Never waits and allocates nothing.
    ///
    /// A name registered elsewhere appears after the next push, normally within one round trip.
    /// After a healed partition two nodes may briefly disagree.
    #[must_use]
    pub fn whereis(&self, name: impl ToName) -> Option<Pid> {
        self.core.whereis(&self.scope.bytes(&name))
    }

    /// Asks the node that holds the name.
    ///
    /// # Errors
    ///
    /// `Timeout` where it does not answer.
    pub fn whereis_at_owner(&self, name: impl ToName) -> WhereisAtOwner<'_> {
        WhereisAtOwner { swarm: self, name: self.scope.name(&name), timeout: TIMEOUT }
    }

    /// What is said of the name, as this node knows it; `None` where nobody has it. It follows the
    /// name through restarts and moves, and is gone with it. Empty until it is
    /// [changed](Self::update_name_meta).
    ///
    /// # Errors
    ///
    /// `Name` where the name is none, `NodeStopped`.
    pub async fn name_meta(&self, name: impl ToName) -> Result<Option<Vec<u8>>, MetaError> {
        let meta = self.core.name_meta(self.scope.name(&name)?).await;
        Ok(meta.map_err(|_| MetaError::NodeStopped)?.map(|meta| meta.to_vec()))
    }

    /// Changes what is said of a name: `change` gets what is said and returns what is to be, at
    /// most 64 KiB. Returns that. While the name is being moved or started again, this waits.
    ///
    /// A compare-and-swap at the node that has the name, as
    /// [`update_meta`](Self::update_meta) is for what a process says in a group.
    ///
    /// # Errors
    ///
    /// `NotFound` where nobody has the name, `TooLong` above 64 KiB, `Timeout`.
    pub fn update_name_meta<F>(&self, name: impl ToName, change: F) -> UpdateNameMeta<'_, F>
    where
        F: FnMut(&[u8]) -> Vec<u8> + Send,
    {
        UpdateNameMeta::new(self, self.scope.name(&name), change)
    }

    /// All names and their processes, in no order.
    #[must_use]
    pub fn registered(&self) -> Registered {
        Registered::new(&self.core, &self.scope)
    }

    /// A typed handle to a name. Asks nobody: whether the name is a `W` shows when it is called.
    ///
    /// # Panics
    ///
    /// When the name is longer than 1 KiB.
    #[must_use]
    pub fn worker<W: Worker>(&self, name: impl ToName) -> Ref<W> {
        match self.scope.name(&name) {
            Ok(name) => Ref::named(self, name),
            Err(error) => panic!("not a name: {error}"),
        }
    }

    /// A handle of what travelled in a message.
    #[must_use]
    pub fn at<W: Worker>(&self, address: Address<W>) -> Ref<W> {
        Ref::new(self, address.into_target())
    }

    /// Calls whoever has the name, and waits for the reply. Where its worker is being started again
    /// or moved, the call waits for that; only a worker that ends with the message in its hands, or
    /// in its mailbox, fails it with `Stopped`.
    ///
    /// # Errors
    ///
    /// [`CallError`](crate::CallError); `NotHandled` where the worker does not list the message.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the call is forgotten; a message that was sent is handled nevertheless.
    pub fn call<M: Message>(&self, name: impl ToName, message: M) -> Call<'_, M> {
        Call::new(self, Addressee::name(&self.scope, &name), message)
    }

    /// Sends a message to whoever has the name, and does not wait for it to be handled. At most
    /// once, in order from one sender to one receiver, also while that moves.
    ///
    /// # Errors
    ///
    /// [`CastError`](crate::CastError): it was not sent.
    pub fn cast<M: Message>(&self, name: impl ToName, message: M) -> Cast<'_, M> {
        Cast::new(self, Addressee::name(&self.scope, &name), message)
    }

    /// Sends a message to a process, as [`cast`](Self::cast) does to a name.
    ///
    /// # Errors
    ///
    /// [`CastError`](crate::CastError): it was not sent.
    pub fn send<M: Message>(&self, pid: Pid, message: M) -> Cast<'_, M> {
        Cast::new(self, Addressee::Pid(pid), message)
    }

    /// Lets a process join a group, where it stays through moves and restarts. Twice is once. By a
    /// name it is whoever has it: while that is being moved or started again, this waits.
    ///
    /// # Errors
    ///
    /// `NotFound` where the process does not live, or nobody has the name.
    pub fn join<W: Worker>(&self, group: impl ToName, process: &Ref<W>) -> Membership<'_> {
        self.join_with(group, process, Vec::new())
    }

    /// The same, with what the process says of itself in the group, at most 64 KiB.
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join); `MetaTooLong` above 64 KiB.
    pub fn join_with<W: Worker>(
        &self,
        group: impl ToName,
        process: &Ref<W>,
        meta: impl Into<Vec<u8>>,
    ) -> Membership<'_> {
        self.membership(group, process.target(), Change::Join { meta: meta.into() })
    }

    /// Lets a process leave a group. Not being in it is no error.
    ///
    /// # Errors
    ///
    /// `NotFound` where the process does not live.
    pub fn leave_group<W: Worker>(&self, group: impl ToName, process: &Ref<W>) -> Membership<'_> {
        self.membership(group, process.target(), Change::Leave)
    }

    /// Changes what a process says of itself in a group, which it is in: `change` gets what it
    /// says and returns what it is to say, at most 64 KiB. Returns that.
    ///
    /// The process's node makes the change only if `change` has seen what is said there (a
    /// compare-and-swap), and else `change` is asked again: of any number of callers on any nodes,
    /// each sees what the one before it said. If the process's node dies, or the process moves,
    /// before the answer is here, a change that was made can be made once more.
    ///
    /// # Errors
    ///
    /// `NotFound` where the process does not live, `NotMember` where it is not in the group;
    /// `MetaTooLong` above 64 KiB.
    pub fn update_meta<W: Worker, F>(
        &self,
        group: impl ToName,
        process: &Ref<W>,
        change: F,
    ) -> UpdateMeta<'_, F>
    where
        F: FnMut(&[u8]) -> Vec<u8> + Send,
    {
        UpdateMeta::new(self, self.scope.name(&group), process.target(), change)
    }

    pub(crate) fn membership(
        &self,
        group: impl ToName,
        target: &Target,
        change: Change,
    ) -> Membership<'_> {
        Membership {
            swarm: self,
            group: self.scope.name(&group),
            member: target.clone(),
            change,
            timeout: TIMEOUT,
        }
    }

    pub(crate) fn pid_of(&self, target: &Target) -> Option<Pid> {
        match target {
            Target::Name(name) => self.core.whereis(name.as_bytes()),
            Target::Pid(pid) => Some(*pid),
        }
    }

    /// The members of a group, of all nodes, as this node sees it.
    #[must_use]
    pub fn members(&self, group: impl ToName) -> Vec<Pid> {
        self.living(self.core.groups.members(&self.scope.bytes(&group)))
    }

    /// The same, with what each says of itself there.
    #[must_use]
    pub fn members_with_meta(&self, group: impl ToName) -> Vec<(Pid, Vec<u8>)> {
        let members = self.core.groups.members_with_meta(&self.scope.bytes(&group));
        let members = members.into_iter().filter(|(pid, _)| self.core.is_listed(*pid));
        members.map(|(pid, meta)| (pid, meta.to_vec())).collect()
    }

    /// The members of a group that run on this node.
    #[must_use]
    pub fn local_members(&self, group: impl ToName) -> Vec<Pid> {
        self.living(self.core.groups.local_members(&self.scope.bytes(&group), self.core.me.boot))
    }

    /// Without those whose end could have been seen here, or that have moved.
    fn living(&self, mut pids: Vec<Pid>) -> Vec<Pid> {
        pids.retain(|pid| self.core.is_listed(*pid));
        pids
    }

    /// All groups, and how many members each has. A group without members does not exist.
    #[must_use]
    pub fn groups(&self) -> Vec<(Name, usize)> {
        self.core.groups.groups().filter(|(name, _)| self.scope.holds(name.as_bytes())).collect()
    }

    /// Sends a message to every member of this node's view of a group, at most once each, in order
    /// from one sender to one member, and tells how many it was sent to. A member that is just
    /// being moved may miss it.
    pub fn publish<M: Message + Clone>(&self, group: impl ToName, message: M) -> Publish<'_, M> {
        Publish::new(self, self.members(group), message)
    }

    /// The same for the members on this node.
    pub fn publish_local<M: Message + Clone>(
        &self,
        group: impl ToName,
        message: M,
    ) -> Publish<'_, M> {
        Publish::new(self, self.local_members(group), message)
    }

    /// Sends a message to one member of a group.
    ///
    /// # Errors
    ///
    /// `NotFound` where it has none.
    pub fn send_one<M: Message>(
        &self,
        group: impl ToName,
        message: M,
        pick: Pick,
    ) -> SendOne<'_, M> {
        SendOne::new(self, self.scope.name(&group), message, pick)
    }

    /// Calls every member of a group at once. Failures are left out; all have ended when the
    /// timeout of 5 s is over.
    pub fn multi_call<M: Message + Clone>(
        &self,
        group: impl ToName,
        message: M,
    ) -> MultiCall<'_, M> {
        MultiCall::new(self.multi_call_detailed(group, message))
    }

    /// The same with every member's outcome.
    pub fn multi_call_detailed<M: Message + Clone>(
        &self,
        group: impl ToName,
        message: M,
    ) -> MultiCallDetailed<'_, M> {
        MultiCallDetailed::new(self, self.members(group), message)
    }

    /// A future of exactly one [`Down`]: when the process ends, when its node is held dead, or at
    /// once where it is no more.
    pub fn monitor(&self, pid: Pid) -> Monitor {
        if pid.boot == self.core.me.boot {
            return Monitor::here(self.core.processes.monitor(pid));
        }
        let (down, receiver) = oneshot::channel::<Down>();
        let watch = self.core.watches.watch(&self.core, pid, Watcher::Future(down));
        Monitor::there(Arc::downgrade(&self.core), watch, pid, receiver)
    }

    /// The nodes of the cluster that are not held dead, this one included, by name.
    #[must_use]
    pub fn nodes(&self) -> Vec<Member> {
        self.core.members().to_vec()
    }

    /// What happens from now on, as this node sees it.
    #[must_use]
    pub fn events(&self) -> Events {
        let scope = self.scope.clone();
        Events(self.core.events.subscribe_to(move |event| event.is_for(&scope)))
    }

    /// The names that begin with `prefix` and what becomes of them, as this node sees it: first
    /// all that have a process, in no order, then [`NameChange::Complete`](crate::NameChange), then
    /// every change. An empty prefix follows all.
    #[must_use]
    pub fn watch_names(&self, prefix: &str) -> NameChanges {
        NameChanges::new(&self.core.changes, &self.core.names, &self.scope, prefix)
    }

    /// The members of `group` and what becomes of them, as this node sees it: first all that are
    /// there, in the order of the pids, then [`GroupChange::Complete`](crate::GroupChange), then
    /// every change. The group need not exist.
    #[must_use]
    pub fn watch_group(&self, group: impl ToName) -> GroupChanges {
        GroupChanges::new(&self.core.changes, &self.core.groups, &self.scope.bytes(&group))
    }

    /// Says who should run a name and why, who runs it, and what keeps it from running: what this
    /// node sees, and what the owner of the name knows of its starts. For whoever is on call:
    /// `println!("{}", swarm.explain("device-1").await?)`.
    ///
    /// A [`register`](Self::register) that runs into its deadline leaves no start behind that
    /// nobody knows of: [`Explanation::late`](crate::Explanation::late) says whether it was ended
    /// or had succeeded. A node remembers the last 1,024.
    ///
    /// # Errors
    ///
    /// `Name` where the name is none, `NodeStopped`. An owner that does not answer is no error:
    /// [`Explanation::is_whole`](crate::Explanation::is_whole) says so.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed by it.
    pub fn explain(&self, name: impl ToName) -> Explain<'_> {
        Explain::new(self, self.scope.name(&name))
    }

    /// The state of this node.
    ///
    /// # Errors
    ///
    /// Where the node has stopped.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        let (reply, answer) = oneshot::channel();
        let stopped = |_| crate::Error::from(crate::WhereisError::NodeStopped);
        self.core.tell(Input::Snapshot { reply }).await.map_err(stopped)?;
        answer.await.map_err(|_| crate::WhereisError::NodeStopped.into())
    }

    /// Says whether names may be placed on this node. What runs here moves away when it is not
    /// ready.
    pub async fn set_ready(&self, ready: bool) {
        let readiness = if ready { Readiness::Ready } else { Readiness::NotReady };
        // A node that has stopped is as unready as can be.
        let _ = self.core.tell(Input::Ready(readiness)).await;
    }

    /// Moves everything away, with its state, within 30 s. Afterwards no name is placed here
    /// until [`set_ready`](Self::set_ready).
    ///
    /// # Errors
    ///
    /// [`DrainError`](crate::DrainError) `Timeout` or `Nowhere`: the rest runs on here. `Cancelled`
    /// where [`set_ready`](Self::set_ready) called it off.
    pub const fn drain(&self) -> Drain<'_> {
        Drain::new(self)
    }

    /// Leaves the cluster: drains, says goodbye, stops. With nobody to drain to it does not wait.
    /// What could not be moved is started again by the others.
    ///
    /// # Errors
    ///
    /// [`DrainError::NodeStopped`](crate::DrainError::NodeStopped) where it has stopped already.
    ///
    /// # Cancel safety
    ///
    /// Once it has been polled it goes on without its caller, which may be a worker of this node
    /// and is then ended by it. Where the node is stopping already, this waits for that.
    pub const fn leave(&self) -> Leave<'_> {
        Leave::new(self)
    }

    /// Says goodbye and stops, without moves: the others start this node's names again, without
    /// their state.
    ///
    /// # Errors
    ///
    /// None: a node that has stopped stays so.
    ///
    /// # Cancel safety
    ///
    /// Once it has been polled it goes on without its caller, which may be a worker of this node
    /// and is then ended by it. Where the node is leaving already, this waits for that.
    pub async fn shutdown(&self) -> Result<()> {
        // A leave that failed has ended the node as well.
        let _ = ending::end(self, Way::Shutdown).await;
        Ok(())
    }
}

impl fmt::Debug for Swarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Swarm({:?})", self.core.me)?;
        match self.scope.as_str() {
            Some(scope) => write!(f, " in {scope:?}"),
            None => Ok(()),
        }
    }
}
