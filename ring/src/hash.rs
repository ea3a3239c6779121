//! The hash that all nodes share. It is part of the protocol: to change anything here, or how the
//! strategies use it, is to change [`RING_VERSION`].
//!
//! XXH3 (64 bits), because its specification is frozen and it gives the same value on every
//! platform.

use crate::Weight;
use std::collections::BTreeMap;
use swarm_base::NodeName;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// The version of the rule that maps names to nodes. Nodes that place names by different versions
/// disagree about owners, so it goes into every [`fingerprint`]: such nodes never agree on a ring.
pub const RING_VERSION: u32 = 1;

/// Where `name` lies on the ring.
#[must_use]
pub fn hash_name(name: &[u8]) -> u64 {
    xxh3_64(name)
}

/// One number for a set of nodes with their weights and the [`RING_VERSION`], the same for every
/// order. Nodes whose fingerprints are equal agree on the owner of every name.
///
/// A node that is given twice counts with its last weight.
#[must_use]
pub fn fingerprint<'a>(nodes: impl IntoIterator<Item = (&'a NodeName, Weight)>) -> u64 {
    let sorted: BTreeMap<&NodeName, Weight> = nodes.into_iter().collect();
    let mut hasher = Xxh3::new();
    hasher.update(&RING_VERSION.to_le_bytes());
    for (node, weight) in sorted {
        // A node's name has no control characters, so the zero ends it.
        hasher.update(node.as_str().as_bytes());
        hasher.update(&[0]);
        hasher.update(&weight.points().to_le_bytes());
    }
    hasher.digest()
}

/// Where the points of `node` lie on the ring, in no order.
pub(crate) fn points(node: &NodeName, weight: Weight) -> impl Iterator<Item = u64> {
    let mut bytes = node.as_str().as_bytes().to_vec();
    let len = bytes.len();
    (0..weight.points()).map(move |serial| {
        bytes.truncate(len);
        bytes.extend_from_slice(&serial.to_le_bytes());
        xxh3_64(&bytes)
    })
}

/// What a node and a name draw together: uniform, and independent for each pair.
pub(crate) fn draw(node: u64, name: u64) -> u64 {
    let mut both = [0; 16];
    both[..8].copy_from_slice(&node.to_le_bytes());
    both[8..].copy_from_slice(&name.to_le_bytes());
    xxh3_64(&both)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_of_the_specification() {
        // The value of the empty input that the reference implementation gives.
        assert_eq!(hash_name(b""), 0x2d06_8005_38d3_94c2);
    }

    #[test]
    fn a_fingerprint_tells_sets_apart_but_not_orders() {
        let node = |name: &str| NodeName::new(name).expect("a node's name");
        let (a, b, ab) = (node("a"), node("b"), node("ab"));
        let one = Weight::default();
        let two = Weight::new(2.0).expect("in range");
        let both = fingerprint([(&a, one), (&b, two)]);
        assert_eq!(both, fingerprint([(&b, two), (&a, one)]));
        for other in [
            fingerprint([]),
            fingerprint([(&a, one)]),
            fingerprint([(&ab, one)]),
            fingerprint([(&a, two), (&b, one)]),
            fingerprint([(&a, one), (&b, two), (&ab, one)]),
        ] {
            assert_ne!(both, other);
        }
    }
}
