//! Sessions between the nodes of a cluster: one per pair, mutually authenticated, made again when
//! they break.
//!
//! [`Links`] decides which sessions should exist and which of two stays. It is a
//! [`Machine`](swarm_base::Machine), and does no input or output:
//!
//! | It is told | It asks for, or tells |
//! |---|---|
//! | [`member_up`](Links::member_up), [`member_gone`](Links::member_gone) | [`Event::Dial`], [`Event::Close`] |
//! | [`handle_opened`](Links::handle_opened), [`handle_failed`](Links::handle_failed), [`handle_closed`](Links::handle_closed) | a [`Hello`] to send |
//! | a hello that came | [`Event::Up`], [`Event::Down`], [`Event::Refused`] |
//!
//! A session carries the traffic of exactly one life of a node with one life of another: what was
//! meant for an old life never reaches a new one.
//!
//! With the feature `quic`, `quic::Endpoint` opens the transports that it asks for, over QUIC with
//! certificates on both sides.

mod backoff;

mod cause;
pub use cause::Cause;

mod checks;
pub use checks::SCOPED;

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
