//! What the fuzz targets have in common: a node among others, and what must hold of it whatever
//! it is fed.
//!
//! An input is a short play: packets from strangers, from members and from members gone mad, and
//! time that passes between them (`script`). It is played to a node that has just joined a group
//! of three (`group`), and after each step the node is looked at (`check`). The first inputs are
//! made from real packets (`examples/record.rs`).
//!
//! For what registries say to each other the play is the same, and two nodes are told it, in
//! different batches (`replicas`, `examples/record_facts.rs`).

mod check;
pub use check::Watch;

mod group;
pub use group::{Cast, Role, Settled, machine, protocol};

mod replicas;
pub use replicas::Replicas;

mod script;
pub use script::{Line, Script};
