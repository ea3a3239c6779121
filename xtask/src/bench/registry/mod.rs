//! `bench registry`: names, from the first registration to the last copy.

mod crowd;
mod deaths;
mod growth;
mod hidden;
mod million;
mod names;
mod node;
mod protocol;
mod sampler;
mod wire;

pub(super) use crowd::Waiter;
pub(super) use names::name;
pub(super) use node::State;
pub(super) use protocol::Request;
pub(super) use wire::run as run_wire;

use super::area::Section;

/// Each with nodes of its own.
pub(super) const SECTIONS: [Section; 8] = [
    Section { name: "placed", measure: names::placed },
    Section { name: "by-pid", measure: names::by_pid },
    Section { name: "memory", measure: growth::copies },
    Section { name: "workers", measure: growth::workers },
    Section { name: "death", measure: deaths::of_a_node },
    Section { name: "crowd", measure: deaths::of_a_crowd },
    Section { name: "wire", measure: wire::measure },
    Section { name: "million", measure: million::measure },
];

const NODES: usize = 3;

/// How many callers ask at once.
const AT_ONCE: u64 = 50;

/// Registered before anything is measured: the first use of everything is not news.
const WARM_UP: u64 = 500;
