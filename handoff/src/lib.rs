//! Where processes should be, and how they get there.
//!
//! Three machines without clock, socket or task; the node puts them together:
//!
//! | Piece | Decides |
//! |---|---|
//! | [`Agreement`] | whether this node may act as an owner: every live member has acknowledged its present ring |
//! | [`Reconciler`] | what to do about each name, from where it should be and where it is |
//! | [`Moves`] | both ends of one process's move, with its state, so that one of them runs it |
//!
//! Names, tokens and specs come as plain data: nothing here knows how facts are replicated or how
//! processes run.

mod agreement;
pub use agreement::{Agreement, AgreementEvent, Standing};

mod config;
pub use config::{Checked, Config, ConfigError};

mod message;
pub use message::{Agree, MoveId, MoveMessage, Offer, Refusal};

mod moves;
pub use moves::{
    AbortReason, Accepting, Busy, Cancelled, DiscardReason, Frozen, MoveEvent, MoveOutcome, Moves,
    Outgoing, Promoted, ResumeReason, Role, SourcePhase, TargetPhase,
};

mod reconciler;
pub use reconciler::{Acting, Action, Is, Placement, Reconciler, Should};
