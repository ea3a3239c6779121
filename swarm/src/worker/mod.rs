//! Typed workers: what a user writes, and how it becomes a process.

mod accepts;
pub use accepts::{Accepts, At, Has};

mod cx;
pub use cx::{Cx, Label};

mod kinds;
pub use kinds::KindError;
pub(crate) use kinds::{Kinds, Start, StartRequest, spawn};

mod limits;
pub(crate) use limits::MESSAGE;

mod message;
pub use message::Message;
pub(crate) use message::payload;

mod run;

mod system;
pub(crate) use system::System;

mod traits;
pub use traits::{BoxError, Escalation, Handle, Handoff, Worker};

#[cfg(test)]
mod tests;
