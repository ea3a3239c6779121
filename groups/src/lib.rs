//! Process groups: a view of the same replicated log of facts that names are a view of.
//!
//! Only a process's own node says that it joined or left (`pg.erl` has the same rule), so there
//! is nothing to agree on: this crate follows the [`Event`]s of a [`Registry`], in order, and
//! answers who is in a group. As in `pg.erl`, an empty group does not exist, and no node watches
//! another node's processes: when a node dies, its registry events are the leaves of all its
//! processes. Unlike there, a process is in a group once, however often it joins, and has metadata
//! there.
//!
//! | Piece | For |
//! |---|---|
//! | [`Groups`] | one owner, for example a machine |
//! | [`View`] | any number of concurrent readers |
//!
//! ```
//! use swarm_base::{Boot, Name, NodeId, NodeName, Pid};
//! use swarm_groups::View;
//! use swarm_registry::{Bytes, Event};
//!
//! let view = View::new();
//! let node = NodeId::new(NodeName::new("a")?, Boot::default());
//! let (group, pid) = (Name::new("room")?, Pid::new(node.boot, 1));
//! view.apply(&Event::Joined { group: group.clone(), pid, node, meta: Bytes::default() });
//! assert_eq!(view.members(b"room"), [pid]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Event`]: swarm_registry::Event
//! [`Registry`]: swarm_registry::Registry

mod groups;
pub use groups::{Change, Groups};

mod members;

mod view;
pub use view::{List, View};
