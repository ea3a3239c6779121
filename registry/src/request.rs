//! Which request made a claim.

use serde::{Deserialize, Serialize};
use std::num::NonZeroU64;
use swarm_base::Boot;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// One request of one node, as a claim remembers it: so that whoever asks again gets `Ok` for the
/// start that it asked for.
///
/// XXH3 with 64 bits of the life of the asking node, seeded with the node's number for the
/// request: two requests for the same name are told apart but for one case in 2⁶⁴, where the
/// second one would be told that its start is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Request(NonZeroU64);

impl Request {
    /// The request `id` of the node's life `boot`.
    #[must_use]
    pub fn new(boot: Boot, id: u64) -> Self {
        let hash = xxh3_64_with_seed(&boot.to_bytes(), id);
        Self(NonZeroU64::new(hash).unwrap_or(NonZeroU64::MIN))
    }
}
