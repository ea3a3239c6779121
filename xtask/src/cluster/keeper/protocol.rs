//! What the harness and a node that keeps names say to each other.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a node can be asked for, and what it replies. Processes are shown as text.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cluster) enum Request {
    /// Where it gossips: `String`. Replied once the node has started.
    Address,
    /// The members that it lists: `BTreeMap<String, Peer>`, by name.
    Members,
    /// Tries all of these names, each after its delay: `Vec<Outcome>`, in that order.
    Contend { way: Way, tries: Vec<Try> },
    /// Begins to register names: `()`.
    Begin(Load),
    /// How far that is: [`Report`].
    Progress,
    /// Waits until that is done: [`Report`].
    Finish,
    /// Ends it: [`Report`].
    End,
    /// The names that were registered through this node by a load, and not taken away by it:
    /// `BTreeMap<String, String>`, each with the process that it got.
    Held,
    /// Takes names of a load away; their processes live on: `()`.
    Unregister { names: Vec<String> },
    /// Ends the processes of names of a load: `()`.
    Stop { names: Vec<String> },
    /// Holds these names no more, whoever has them: `()`.
    Forget { names: Vec<String> },
    /// Has workers count one further, one after the other: `()`.
    Add { names: Vec<String> },
    /// Has workers sleep so often, for so long each time: `()`, before they do.
    Nap { names: Vec<String>, times: u32, millis: u64 },
    /// How far they have counted: `BTreeMap<String, u64>`.
    Read { names: Vec<String> },
    /// What this node's view holds: [`Table`].
    Table,
    /// How many names have ended on this node or gone elsewhere and are still remembered: `usize`.
    Ended,
    /// How much memory the process has, in bytes: `u64`.
    Resident,
}

/// How a process gets a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cluster) enum Way {
    /// `register`: the ring says where it runs.
    Placed,
    /// `register`, of a worker that counts and takes that along.
    Counted,
    /// `register_pid`, each with a process of its own on the caller's node.
    Pid,
    /// `register_pid`, all of them for one process of the caller's node.
    OnePid,
}

impl Way {
    pub(in crate::cluster) const fn name(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Counted => "counted",
            Self::Pid => "pid",
            Self::OnePid => "one-pid",
        }
    }
}

/// One registration of a crowd.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::cluster) struct Try {
    pub(in crate::cluster) name: String,
    /// From the beginning of them all.
    pub(in crate::cluster) after_ms: u64,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cluster) enum Outcome {
    /// This process has the name now.
    Ok(String),
    /// This process has it already.
    Already(String),
    /// Anything else, in words.
    Failed(String),
}

/// Names that are registered one after the other, at a pace: `prefix-0`, `prefix-1`, ….
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::cluster) struct Load {
    pub(in crate::cluster) prefix: String,
    pub(in crate::cluster) way: Way,
    /// How many; without end if there is none.
    pub(in crate::cluster) count: Option<u64>,
    pub(in crate::cluster) per_second: u32,
    /// How many of them it holds: with each further one, the oldest is unregistered.
    pub(in crate::cluster) window: Option<u64>,
}

/// How far a load is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Report {
    pub(in crate::cluster) registered: u64,
    pub(in crate::cluster) unregistered: u64,
    pub(in crate::cluster) failed: u64,
    /// The first few failures, in words.
    pub(in crate::cluster) complaints: Vec<String>,
    /// The slowest registration.
    pub(in crate::cluster) slowest_us: u64,
}

/// All that a node's view holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cluster) struct Table {
    /// The process of each name.
    pub(in crate::cluster) names: BTreeMap<String, String>,
    /// The members of each group.
    pub(in crate::cluster) groups: BTreeMap<String, BTreeSet<String>>,
}

/// A member as a node lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cluster) struct Peer {
    pub(in crate::cluster) boot: String,
    pub(in crate::cluster) is_alive: bool,
}

/// The group that every process is in, but for those that have many names.
pub(in crate::cluster) const GROUP: &str = "kept";
