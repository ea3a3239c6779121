//! Sessions between the nodes of a cluster: one per pair, mutually authenticated, made again when
//! they break.
//!
//! [`Links`] decides which sessions should exist and which of two stays; it is a
//! [`Machine`](swarm_base::Machine) and does no input or output. With the feature `quic`,
//! [`quic::Endpoint`] opens the transports that it asks for, over QUIC with certificates on both
//! sides.

mod backoff;

mod cause;
pub use cause::Cause;

mod checks;

mod config;
pub use config::{Checked, Config, ConfigError};

mod event;
pub use event::Event;

mod hello;
pub use hello::Hello;

mod identity;
pub use identity::{Identity, Role};

mod machine;
pub use machine::Links;

mod reason;
pub use reason::Reason;

#[cfg(feature = "quic")]
pub mod quic;
