//! The move protocol, by role.

mod backoff;
mod past;

mod event;
pub use event::{
    AbortReason, Busy, Cancelled, DiscardReason, Frozen, MoveEvent, MoveOutcome, Promoted,
    ResumeReason,
};

mod machine;
pub use machine::{Accepting, Moves, Role};

mod source;
pub use source::{Outgoing, SourcePhase};

mod target;
pub use target::TargetPhase;
