//! A hash map whose order a replay reproduces.

use rapidhash::quality::RapidHasher;
use std::hash::BuildHasher;

/// A hash map for machines: looked up by hash, iterated in the order of insertion (a
/// `swap_remove` puts the last entry in the place of the removed one), so that the same inputs
/// give the same order on every run. A `BTreeMap` of a million names costs nine times as much.
pub type Index<K, V> = indexmap::IndexMap<K, V, Fixed>;

/// A hasher without a random seed. Its values may change between releases: never on the wire.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fixed;

impl BuildHasher for Fixed {
    type Hasher = RapidHasher<'static>;

    fn build_hasher(&self) -> Self::Hasher {
        RapidHasher::default_const()
    }
}
