//! Where processes should be, and how they get there.
//!
//! Four machines without clock, socket or task; the node puts them together:
//!
//! | Piece | Decides |
//! |---|---|
//! | [`Agreement`] | whether this node may act as an owner: every live member has acknowledged its present ring |
//! | [`Quorum`] | whether enough nodes stand with this one, where a strategy wants that |
//! | [`Reconciler`] | what to do about each name, from where it should be and where it is |
//! | [`Moves`] | both ends of one process's move, with its state, so that one of them runs it |
//!
//! Names, tokens and specs come as plain data: nothing here knows how facts are replicated or how
//! processes run. What the node above has to guarantee:
//!
//! - An [`Agree::Ack`] travels behind every earlier fact of its sender, on the same stream.
//! - A process is ended before [`Moves::stopped`] is called, and claims its name before
//!   [`Moves::promoted`] is.
//! - A token that is given to [`Moves::stopped`] counts as used: the next one for the name is
//!   above it, also where no claim with it was ever seen ([`MoveEvent::Resume`] says it again).
//! - [`Agreement`], [`Moves`] and [`Reconciler`] hear of sessions and deaths when they happen;
//!   facts that are known are told before the death of who wrote them.
//!
//! ```
//! use std::collections::BTreeSet;
//! use swarm_base::{Boot, Instant, Machine, NodeId, NodeName};
//! use swarm_handoff::{Agree, Agreement, Checked, Standing};
//!
//! let node = |name| NodeId::new(NodeName::new(name).expect("a name"), Boot::default());
//! let now = Instant::START;
//! let mut agreement = Agreement::new(now, Checked::default(), node("a"));
//! agreement.set_ring(now, 7, BTreeSet::from([node("b")]));
//! assert_eq!(agreement.may_act(), Standing::Waiting);
//! agreement.handle_message(now, node("b"), Agree::Ack { hash: 7, round: 1 });
//! assert_eq!(agreement.may_act(), Standing::Agreed);
//! ```

mod agreement;
pub use agreement::{Agreement, AgreementEvent, Standing};

mod config;
pub use config::{Checked, Config, ConfigError};

mod message;
pub use message::{Agree, MoveId, MoveMessage, Offer, Refusal, Vote};

mod moves;
pub use moves::{
    AbortReason, Accepting, Busy, Cancelled, DiscardReason, Frozen, MoveEvent, MoveOutcome, Moves,
    Outgoing, Promoted, ResumeReason, Role, SourcePhase, TargetPhase,
};

mod quorum;
pub use quorum::{Quorum, QuorumEvent, Voice};

mod reconciler;
pub use reconciler::{Acting, Action, Is, Placement, Reconciler, Should};
