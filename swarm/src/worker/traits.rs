//! What a user implements.

use super::{Accepts, Cx, Message};
use crate::{Down, Intensity, Restart};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Any error of a worker's start. `?` makes one of whatever implements [`std::error::Error`].
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A kind of process: it is started from arguments, handles messages one at a time, and may take
/// its state along when it moves to another node.
///
/// Every method runs in the process's own task. A panic ends that process and no other, except in
/// [`begin_handoff`](Self::begin_handoff). When the process is killed, the method that runs is
/// dropped where it awaits.
///
/// # Examples
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use swarm::{BoxError, Cx, Handle, Handoff, Message, Worker};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct Add(u64);
///
/// impl Message for Add {
///     const NAME: &'static str = "add";
///     type Reply = u64;
/// }
///
/// struct Counter(u64);
///
/// impl Worker for Counter {
///     const KIND: &'static str = "counter";
///     type Args = u64;
///     type State = u64;
///     type Accepts = (Add,);
///
///     async fn start(from: u64, _: &mut Cx<Self>) -> Result<Self, BoxError> {
///         Ok(Counter(from))
///     }
///
///     async fn begin_handoff(&mut self, _: &mut Cx<Self>) -> Handoff<u64> {
///         Handoff::Resume(self.0)
///     }
///
///     async fn end_handoff(&mut self, count: u64, _: &mut Cx<Self>) {
///         self.0 = count;
///     }
/// }
///
/// impl Handle<Add> for Counter {
///     async fn handle(&mut self, Add(n): Add, _: &mut Cx<Self>) -> u64 {
///         self.0 += n;
///         self.0
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a worker",
    note = "write `impl Worker for {Self}`"
)]
pub trait Worker: Sized + Send + 'static {
    /// Its name on the wire: 1 to 255 bytes, the same on every node and in every release, and its
    /// own among the kinds of a node.
    const KIND: &'static str;

    /// Which ends it is restarted after.
    const RESTART: Restart = Restart::Transient;

    /// How many restarts within which time are too many: [`ESCALATION`](Self::ESCALATION) says what
    /// becomes of its name then.
    const INTENSITY: Intensity = Intensity { restarts: 3, within: Duration::from_secs(5) };

    /// What becomes of a name whose worker ends more often than [`INTENSITY`](Self::INTENSITY)
    /// allows.
    const ESCALATION: Escalation = Escalation::Release;

    /// What it is started from. Every node keeps the arguments of every named worker, so that it
    /// can be started anew elsewhere: at most 64 KiB encoded, better some hundred bytes.
    type Args: Serialize + DeserializeOwned + Send + 'static;

    /// What it takes along when it moves: at most `handoff.state_bytes_max` encoded (16 MiB), and
    /// never more than 16 MiB to a [`resolve_conflict`](Self::resolve_conflict). `()` where it takes
    /// nothing.
    type State: Serialize + DeserializeOwned + Send + 'static;

    /// The messages that it handles: a tuple of 1 to 16, each with an `impl Handle<M>`.
    type Accepts: Accepts<Self>;

    /// Starts it: also after a crash, and on the node that it moves to, before
    /// [`end_handoff`](Self::end_handoff). Until it returns, messages wait.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from working. The first start's error reaches whoever registered it, and
    /// leaves no name; a later one counts as a crash.
    fn start(
        args: Self::Args,
        cx: &mut Cx<Self>,
    ) -> impl Future<Output = Result<Self, BoxError>> + Send;

    /// Says what is to become of it when it should run on another node. After
    /// [`Restart`](Handoff::Restart) or [`Resume`](Handoff::Resume) it handles nothing more here,
    /// unless the move fails: then it goes on as if it had not been asked.
    ///
    /// Where it panics, or takes longer than `handoff_timeout` (5 s), the worker stays.
    fn begin_handoff(
        &mut self,
        cx: &mut Cx<Self>,
    ) -> impl Future<Output = Handoff<Self::State>> + Send {
        let _ = cx;
        async { Handoff::Restart }
    }

    /// Takes in the state that it had on the node that it came from, before any message.
    fn end_handoff(
        &mut self,
        state: Self::State,
        cx: &mut Cx<Self>,
    ) -> impl Future<Output = ()> + Send {
        let _ = (state, cx);
        async {}
    }

    /// Takes in the state of another worker of the same name, which ran on the other side of a
    /// partition, or on a node that was held dead by mistake, and ends now.
    ///
    /// By default nothing is taken over, except by a worker that was started in place of the other
    /// and [has handled nothing since](Cx::is_unused_copy): it goes on with the other's state, by
    /// [`end_handoff`](Self::end_handoff), so that a node that is held dead for a moment costs no
    /// state.
    fn resolve_conflict(
        &mut self,
        other: Self::State,
        cx: &mut Cx<Self>,
    ) -> impl Future<Output = ()> + Send {
        async move {
            if cx.is_unused_copy() {
                self.end_handoff(other, cx).await;
            }
        }
    }

    /// Learns that a process ended that it [monitors](Cx::monitor). Monitors do not move with a
    /// worker: set them again in [`end_handoff`](Self::end_handoff).
    fn down(&mut self, down: Down, cx: &mut Cx<Self>) -> impl Future<Output = ()> + Send {
        let _ = (down, cx);
        async {}
    }

    /// Cleans up before a graceful end: it was stopped, stops itself, moves away, or lost a
    /// conflict. After 5 s (or the grace that the stop gave it) it is killed.
    fn die(self, cx: &mut Cx<Self>) -> impl Future<Output = ()> + Send {
        let _ = cx;
        async move { drop(self) }
    }
}

/// How a worker handles one message.
#[diagnostic::on_unimplemented(
    message = "worker `{Self}` does not handle `{M}`",
    label = "`{Self}` lists or is sent `{M}`, but does not handle it",
    note = "write `impl Handle<{M}> for {Self}`, and list `{M}` in its `type Accepts`"
)]
pub trait Handle<M: Message>: Worker {
    /// Handles a message; what it returns is the reply. The next message waits until then.
    fn handle(&mut self, message: M, cx: &mut Cx<Self>) -> impl Future<Output = M::Reply> + Send;
}

/// What is to become of a worker that should run on another node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Handoff<S> {
    /// Start it anew there, from its arguments.
    Restart,
    /// Start it there and give it this state.
    Resume(S),
    /// Leave it here.
    Ignore,
}

/// What becomes of a name whose worker has ended too often where it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Escalation {
    /// It is free, and [`Event::NameLost`](crate::Event::NameLost) tells.
    #[default]
    Release,
    /// The next node of the ring that serves its kind runs it, with its name, groups and metadata,
    /// from its arguments, for a minute at least; then it goes where it belongs. Told by
    /// [`Event::NameEscalated`](crate::Event::NameEscalated). It is free once it has ended too often
    /// on all of them, or on eight.
    Move,
}
