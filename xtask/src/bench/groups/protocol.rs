//! What `bench groups` asks of its nodes.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::bench) enum Request {
    /// Spawn so many processes here.
    Spawn { count: u64 },
    /// Have each join one of so many groups, so many at once.
    Join { groups: u64, at_once: u64 },
    /// Have them leave again.
    Leave { groups: u64, at_once: u64 },
    /// Read the members of these groups for a while; each has so many.
    Members { groups: u64, len: u64, millis: u64 },
    /// Publish to a group of so many for a while.
    Publish { len: u64, millis: u64 },
    /// Call all members of a group of so many for a while.
    MultiCall { len: u64, millis: u64 },
}
