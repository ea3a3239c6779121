//! Four protocols as models whose every state is visited: nothing that random worlds might miss.
//!
//! - [`moves`]: a process goes from one node to another, whatever is lost, doubled or reordered,
//!   and whoever crashes (reliability H1 to H5).
//! - [`chunks`]: a state that goes in pieces is built whole or not at all.
//! - [`agreement`]: nodes whose views change start a name once. It drives the machine of
//!   `swarm-handoff` itself.
//! - [`ownership`]: a name on three nodes that crash, come back and are held dead while they live
//!   is neither lost, nor doubled, nor brought back.
//!
//! Each model takes a variant: the protocol as it is, and those that are known to be broken. The
//! same checker that finds nothing in the one finds each of the others, in a few steps: a checker
//! that finds nothing anywhere proves nothing. [`search`] runs it.
//!
//! `cargo test --release --package swarm-models -- --nocapture` shows the sizes of the state spaces
//! and the counterexamples.

pub mod agreement;
pub mod chunks;
pub mod moves;
pub mod ownership;
pub mod search;
mod shared;

pub use shared::Shared;
