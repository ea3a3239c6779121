//! A distributed process registry: named workers, placed, found, called, grouped, moved and
//! restarted.
//!
//! A worker is a plain struct with an `impl` [`Worker`] and an `impl` [`Handle`] for each message.
//! [`Swarm::register`] starts it under a name, on the node that the name belongs to by a hash over
//! the nodes that serve its kind. From then on it is found and called by that name from every node,
//! moved with its state when nodes come and go, and started again when its node dies.
//!
//! ```no_run
#![doc = include_str!("../examples/quickstart.rs")]
//! ```
//!
//! | Piece | For |
//! |---|---|
//! | [`Swarm`], [`Builder`] | a node: start it, register, find, call, group, drain, leave |
//! | [`Worker`], [`Handle`], [`Message`], [`Cx`] | what a user writes, and what it can do |
//! | [`Ref`], [`Address`] | typed handles; what of them travels in messages |
//! | [`Event`], [`Member`], [`Snapshot`] | what happens, who is there, how a node stands |
//! | [`Explanation`] | why a name runs where it runs, or does not |
//! | [`Error`] and one enum for each operation | what was tried, where, for how long |
//!
//! # Who takes names
//!
//! A name is placed on a node that serves its kind ([`Builder::worker`]), is ready
//! ([`Swarm::set_ready`]), and passes the lists ([`Builder::allow`], [`Builder::deny`]). All other
//! nodes are observers: they use the whole API, and no names are placed on them. [`Member`] says
//! of each node why it takes none.
//!
//! What says who takes which names must be the same on all nodes: the strategy, the lists, and under
//! a quorum its times. A node in which one of these differs is kept out: it does not start, with
//! [`StartError::SettingsDiffer`], and the others go on as if it were not there.
//!
//! # Guarantees
//!
//! A registered name runs on at least one node while one that may run it lives and one that has
//! seen its registration. Outside partitions and false deaths it runs on exactly one; during a
//! partition on one for each side. Messages arrive at most once, in order from one sender to one
//! receiver. State survives moves and drains, and is lost when its node dies.

mod agreed;

mod address;
pub use address::NodeAddress;

mod builder;
pub use builder::Builder;

mod config;
pub use config::Config;

mod changes;
pub use changes::{GroupChange, GroupChanges, NameChange, NameChanges};

mod core;

mod driver;
#[cfg(feature = "fail-points")]
pub use driver::{FailPoint, FailPointError};

mod ending;

mod errors;
pub use errors::{
    CallError, CastError, ConfigError, DrainError, Error, GroupError, MetaError, RegisterError,
    Result, SpawnError, StartError, UnregisterError, WhereisError,
};

mod event;
pub use event::{Event, Events};

mod explain;
pub use explain::{
    Explanation, LateFate, LateStart, Placed, QuorumStanding, RingStanding, Whereabouts,
};

mod handle;
pub use handle::Swarm;

mod hub;

mod lists;
pub use lists::NodePattern;

mod member;
pub use member::{LeftOut, Member, MemberState};

mod monitor;
pub use monitor::Monitor;

mod names;
pub use names::ToName;

mod node;
pub use node::Stop;

pub mod ops;
pub use ops::Pick;

mod reference;
pub use reference::{Address, Ref};

mod registered;
pub use registered::Registered;

mod resolver;
pub use resolver::{Contender, Keep};

mod scope;
pub use scope::ScopeBuilder;

mod snapshot;
pub use snapshot::{PeerLog, Snapshot};

mod traffic;

mod worker;
pub use worker::{
    Accepts, At, BoxError, Cx, Escalation, Handle, Handoff, Has, KindError, Label, Message, Worker,
};

#[cfg(feature = "sim")]
#[doc(hidden)]
pub mod world;

pub use swarm_base::{
    Boot, ClusterSecret, Name, NameError, NodeId, NodeName, NodeNameError, Pid, SecretError, Token,
};
pub use swarm_process::{Down, ExitReason, Intensity, Restart, Stage};
pub use swarm_ring::{Rendezvous, Ring, StaticQuorumRing, Strategy, Weight};
