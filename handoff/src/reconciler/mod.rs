//! The reconciler, what it sees and what it keeps in mind.

mod flaps;

mod marks;

mod placement;
pub use placement::{Acting, Action, Is, Placement, Should};

mod machine;
pub use machine::Reconciler;
