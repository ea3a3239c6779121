//! What a process does: the side of the runtime that typed workers fill in.

use crate::{Context, Down, Handoff, Payload, ReplyTo};
use bytes::Bytes;

/// A process's code. Its methods are called one at a time; a panic in one ends the process, except
/// in [`begin_handoff`](Self::begin_handoff).
///
/// Every method can be dropped in the middle, when the process is killed.
pub trait Behaviour: Sized + Send + 'static {
    /// What it is started from. Decoding belongs into [`start`](Self::start): that runs in the
    /// process's own task.
    type Seed: Send + 'static;

    /// Starts it. The context goes where [`context`](Self::context) finds it.
    ///
    /// # Errors
    ///
    /// A sentence about why it cannot run.
    fn start(
        seed: Self::Seed,
        context: Context,
    ) -> impl Future<Output = Result<Self, String>> + Send;

    /// Its context.
    fn context(&mut self) -> &mut Context;

    /// Handles a message and answers `reply`, if there is one: it takes it to do so. What it leaves
    /// is answered by the runtime as if the process had been killed.
    fn handle(
        &mut self,
        payload: Payload,
        reply: &mut Option<ReplyTo>,
    ) -> impl Future<Output = ()> + Send;

    /// Says what is to become of it when it should run elsewhere.
    fn begin_handoff(&mut self) -> impl Future<Output = Handoff> + Send;

    /// Takes in the state that it was started with as a standby: it runs from now on.
    fn promote(&mut self) -> impl Future<Output = ()> + Send;

    /// Takes in the state of another process of the same name, which lost to this one.
    ///
    /// # Errors
    ///
    /// A sentence, where the state does not decode; nothing has changed then.
    fn resolve_conflict(
        &mut self,
        state: Bytes,
        rival: Rival,
    ) -> impl Future<Output = Result<(), String>> + Send;

    /// Learns that a process that it monitors has ended.
    fn down(&mut self, down: Down) -> impl Future<Output = ()> + Send;

    /// Cleans up before a graceful end.
    fn die(self) -> impl Future<Output = ()> + Send;
}

/// What a process that lost was to the one that takes in its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rival {
    /// The one that this one was started in place of, when its node was held dead. This one has
    /// handled nothing since.
    Former,
    /// Any other.
    Other,
}
