//! Membership: who is in the group, who is suspected, who has died, who left.
//!
//! [`Swim`] is the SWIM protocol (Das, Gupta, Motivala 2002) with suspicion, and with Lifeguard's
//! confirmations, as a state machine without clock, socket or task: it takes the time as an
//! argument, datagrams as bytes, and hands out datagrams and [`Event`]s. With the feature `udp`,
//! `udp::Udp` runs one on a socket.
//!
//! - Every probe interval a node pings one other, round robin in random order. No answer: others
//!   are asked to ping it. Still none: it is *suspect*, and has some time to refute.
//! - News rides on these packets and on a gossip tick of its own, each piece so often that
//!   everybody hears it.
//! - A newcomer fetches the whole member list from a seed. Members compare a hash of their tables
//!   on each probe and fetch the table where it differs.
//! - The dead are remembered and tried now and then, so that two halves that buried each other
//!   find together by themselves.
//! - Every packet is sealed, at most 1,200 bytes, and nothing is parsed before its tag verifies.
//!
//! | Piece | For |
//! |---|---|
//! | [`Swim`], [`Event`], [`Member`] | the machine, what it tells, what it knows |
//! | [`Protocol`], [`Packet`] | the machine without sealing, for simulations |
//! | [`Health`] | how well this node itself does |
//! | [`Config`], [`Checked`], [`Metadata`] | settings, and what a node says about itself |
//! | [`Keyring`], [`Cipher`], [`Key`], [`NullCipher`] | sealing |
//! | [`KeyChange`], [`KeyReport`] | changing the secret without a stop |
//! | [`Tags`], [`Filter`] | metadata as keys and values, and who is of interest by them |
//! | [`Counters`], [`Refusals`] | what happened how often |
//! | `udp` | a socket, a task, and the real cipher |

mod config;
pub use config::{Checked, Config, ConfigError};

mod counters;
pub use counters::{Counters, Refusals};

mod event;
pub use event::{Event, Failure};

mod health;
pub use health::Health;

mod keys;
pub use keys::{KeyChange, KeyChangeError, KeyId, KeyIdError, KeyRefusal, KeyReport};

mod keyring;
pub use keyring::{Keyring, KeyringError};

mod member;
pub use member::{Member, Record, State};

mod metadata;
pub use metadata::{Metadata, MetadataError};

mod null;
pub use null::NullCipher;

mod packet;
pub use packet::Packet;

mod protocol;
pub use protocol::Protocol;

mod seal;
pub use seal::{Cipher, Key, PACKET_LEN_MAX, TAG_LEN};

mod swim;
pub use swim::Swim;

mod tags;
pub use tags::{Filter, TagError, Tags};

mod budget;
mod news;
mod order;
mod replay;
mod rtt;
mod suspicion;
mod table;
mod wire;

#[cfg(feature = "udp")]
pub mod udp;
