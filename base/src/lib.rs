//! What every layer of Swarm shares: identities, time, randomness, the [`Machine`] contract and
//! bounded MessagePack.
//!
//! Nothing here reads a clock, opens a socket or starts a task. A layer that decides something is
//! a [`Machine`]: it takes the time as an argument, owns its [`Rng`], and hands out [`Output`]s.
//!
//! | Piece | For |
//! |---|---|
//! | [`Machine`], [`Output`] | the contract between a protocol and whatever drives it |
//! | [`Instant`], [`Rng`], [`Index`] | time, randomness and maps that a replay reproduces |
//! | [`NodeName`], [`Boot`], [`NodeId`] | who a node is, and which of its lives |
//! | [`Pid`], [`Name`], [`Token`] | a process, what it is called, and its fencing token |
//! | [`Scope`] | a named swarm inside a cluster |
//! | [`Short`] | bytes that are mostly few |
//! | [`Session`] | a connection between two nodes |
//! | [`ClusterSecret`] | the 32 bytes that make nodes one cluster |
//! | [`codec`] | MessagePack that is checked before it is decoded |

pub mod codec;

mod index;
pub use index::{Fixed, Index};

mod instant;
pub use instant::Instant;

mod machine;
pub use machine::{Machine, Output};

mod name;
pub use name::{Name, NameError};

mod node;
pub use node::{Boot, NodeId, NodeName, NodeNameError};

mod pid;
pub use pid::Pid;

mod rng;
pub use rng::Rng;

mod scope;
pub use scope::Scope;

mod secret;
pub use secret::{ClusterSecret, SecretError};

mod session;
pub use session::Session;

mod short;
pub use short::Short;

mod token;
pub use token::Token;
