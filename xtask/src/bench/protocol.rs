//! What the bench and its processes say to each other.

use super::{groups, moves, registry};
use serde::{Deserialize, Serialize};

/// What a process is to do. It answers each request before it looks at the next.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Start a node; answered with its address.
    Start(Start),
    /// How many nodes it sees.
    Nodes,
    /// Register `count` workers, so many at once.
    Register { prefix: String, count: u64, at_once: u64 },
    /// Stop them again.
    Stop { prefix: String, count: u64 },
    /// Begin to wait until the view is so.
    Watch(View),
    /// Answered when it does.
    Watched,
    /// Look names up for a while.
    Whereis { prefix: String, count: u64, callers: u64, millis: u64 },
    /// How many of these names run on each node.
    Shares { prefix: String, count: u64 },
    /// Call names that run on the node `on`, and see that they do.
    Call { prefix: String, count: u64, on: String, callers: u64, millis: u64 },
    /// Cast to one worker that runs on the node `on`, for a while.
    Cast { prefix: String, count: u64, on: String, millis: u64 },
    /// Begin to watch a death: until the view holds `count` names again.
    WatchDeath { count: u64 },
    /// Answered when it does.
    Death,
    /// Which workers run in this process, by their own books.
    Running,
    /// Spawn so many workers in a node of its own, call each once, and say what one takes.
    Memory { workers: u64 },
    /// Answer the frames of one connection in the loop that reads them; answered with the address.
    EchoServe,
    /// Open a connection to such a process.
    EchoDial { address: String },
    /// Echo over it for a while.
    Echo { callers: u64, millis: u64 },
    /// How much memory this process has.
    Resident,
    /// What only `bench registry` asks.
    Registry(registry::Request),
    /// What only `bench groups` asks.
    Groups(groups::Request),
    /// What only `bench moves` asks.
    Moves(moves::Request),
}

/// How a node starts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Start {
    pub(super) name: String,
    /// Where it gossips.
    pub(super) bind: String,
    /// The file of the cluster's secret.
    pub(super) secret: String,
    pub(super) seeds: Vec<String>,
    pub(super) role: Role,
    /// How many nodes there must be; any number where there is none.
    pub(super) quorum: Option<usize>,
}

/// What a view is to hold.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum View {
    /// So many names.
    Names(u64),
    /// So many members of all groups.
    Members(u64),
    /// Neither names nor groups.
    Nothing,
}

/// What a node may run.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum Role {
    /// Every kind of worker that does not move.
    Server,
    /// Workers that move with their state.
    Carrier,
    /// None: it holds its copy of the names.
    Observer,
}

/// What it answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    Done,
    Address(String),
    Count(u64),
    /// Resident memory.
    Bytes(f64),
    /// The time of day in nanoseconds.
    At(u64),
    /// What many callers came to.
    Answered {
        count: u64,
        seconds: f64,
        p50_us: f64,
        p99_us: f64,
        last_ok_ns: u64,
    },
    Shares(Vec<(String, u64)>),
    Rate {
        per_second: f64,
        p50_us: f64,
        p99_us: f64,
    },
    Cast {
        sent: u64,
        delivered: u64,
        seconds: f64,
        growth_bytes: u64,
    },
    Death {
        dead_ns: u64,
        complete_ns: u64,
        last_start_ns: u64,
    },
    Running(Vec<String>),
    Moves(moves::Reply),
}
