//! What `bench moves` asks of its nodes.

use super::marks::Marks;
use super::worker::Order;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::bench) enum Request {
    /// Register `count` workers, so many at once.
    Register { count: u64, at_once: u64, order: Order },
    /// Have each of them count one further, through this node.
    Add { count: u64 },
    /// See that each has counted once for each call that this node made, and has its cargo.
    Check { count: u64, cargo: usize },
    /// Begin to wait until each of them is where it belongs with these nodes.
    WatchHome { count: u64, nodes: Vec<String> },
    /// Answered with the time at which that was so.
    Home,
    /// Begin to wait for a node that comes, or one that dies.
    WatchNode(Change),
    /// Answered with the time at which this node held it so.
    Node,
    /// Begin to have them count, at a pace, through this node.
    CallsBegin { count: u64, callers: u64, per_second: u32 },
    /// End that: [`Reply::Called`] of the calls that began between these times.
    CallsEnd { from_ns: u64, until_ns: u64 },
    /// Forget what workers of this process did.
    ClearMarks,
    /// What they did since: [`Reply::Marks`].
    Marks,
    /// Whether names may be placed here.
    Ready(bool),
    /// Move everything away: the seconds that it took.
    Drain,
    /// Look at the memory of this process from now on.
    MemoryBegin,
    /// By how much it grew at most.
    MemoryEnd,
    /// How many nodes it holds alive.
    Alive,
}

/// What becomes of a node.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(in crate::bench) enum Change {
    Up,
    Down,
}

/// What only `bench moves` is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::bench) enum Reply {
    Marks(Marks),
    Called(Called),
    Seconds(f64),
}

/// What came of calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::bench) struct Called {
    pub(super) count: u64,
    pub(super) failed: u64,
    /// The first failure.
    pub(super) complaint: Option<String>,
    pub(super) per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) worst_us: f64,
}
