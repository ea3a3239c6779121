//! What `bench registry` asks of its nodes.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::bench) enum Request {
    /// Register `count` workers that are started with a time, so many at once.
    Place { prefix: String, count: u64, at_once: u64 },
    /// Give a process of this node `count` names, from the number `from` on.
    Name { prefix: String, from: u64, count: u64, at_once: u64, pace: Pace },
    /// Begin to look names up, each lookup timed.
    SampleBegin { prefix: String, count: u64 },
    /// What they took.
    SampleEnd,
    /// Begin to listen for nodes that are held dead.
    Listen,
    /// How many were, since then.
    Deaths,
    /// Begin to wait until none of these names is a process of the node `of`, which is about to
    /// die.
    WatchHidden { prefix: String, count: u64, of: String },
    /// Answered when none is.
    Hidden,
    /// Spawn processes, each with a name and in a group, that end all at once.
    Crowd { count: u64 },
    /// End them; answered with the time before.
    EndCrowd,
}

/// How fast names are given.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(in crate::bench) enum Pace {
    Flat,
    PerSecond(u32),
}
