//! `bench groups`: joining, reading, and messages to all members.

mod membership;
mod messages;
mod node;
mod protocol;

pub(super) use node::State;
pub(super) use protocol::Request;

use super::area::Section;

/// Each with nodes of its own.
pub(super) const SECTIONS: [Section; 3] = [
    Section { name: "join", measure: membership::join },
    Section { name: "members", measure: membership::members },
    Section { name: "messages", measure: messages::measure },
];

const NODES: usize = 3;

/// How many callers ask at once.
const AT_ONCE: u64 = 50;
