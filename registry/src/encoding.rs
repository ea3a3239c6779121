//! Facts as bytes: each fact is encoded once, by its writer, and travels as it is.
//!
//! A run of facts is each fact's length (32 bits, big-endian) and its MessagePack, one after the
//! other. The length lets a reader pass over a fact that it cannot read.

use crate::Fact;
use crate::wire::Wire;
use swarm_base::Boot;
use swarm_base::codec::{self, Limits};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Appends `fact`, of the life `writer`, to `bytes`, without its length.
pub(crate) fn encode(bytes: &mut Vec<u8>, fact: &Fact, writer: Boot) {
    let wire = Wire::of(fact, writer);
    codec::encode_into(bytes, &wire).expect("a fact holds nothing that MessagePack lacks");
}

/// Appends `fact`, of the life `writer`, to `bytes` and returns the digest of a log that ends in
/// it.
pub(crate) fn write(bytes: &mut Vec<u8>, fact: &Fact, writer: Boot, digest: u64) -> u64 {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; PREFIX]);
    encode(bytes, fact, writer);
    let len = bytes.len() - start - PREFIX;
    assert!(len <= FACT_LEN_MAX, "the bounds of a claim bound its fact");
    bytes[start..start + PREFIX].copy_from_slice(&(len as u32).to_be_bytes());
    extend(digest, &bytes[start + PREFIX..])
}

/// The digest of a log whose digest was `digest` and that goes on with `fact`.
///
/// XXH3 with 64 bits, seeded with the digest so far; an empty log has 0. Its specification is
/// frozen, so that nodes of all releases agree.
pub(crate) fn extend(digest: u64, fact: &[u8]) -> u64 {
    xxh3_64_with_seed(fact, digest)
}

/// Decodes one fact of the life `writer`. `None` where this release cannot read it.
pub(crate) fn read(fact: &[u8], writer: Boot) -> Option<Fact> {
    codec::scan(fact, Limits::of_bytes(FACT_LEN_MAX)).ok()?;
    rmp_serde::from_slice::<Wire<'_>>(fact).ok()?.fact(writer)
}

/// Splits `bytes` into exactly `count` facts, or says that it does not consist of them.
pub(crate) fn split(bytes: &[u8], count: u32) -> Option<Vec<&[u8]>> {
    // Each fact takes its prefix at least: the count is not believed for the allocation.
    let mut facts = Vec::with_capacity((count as usize).min(bytes.len() / PREFIX));
    let mut rest = bytes;
    while !rest.is_empty() {
        let (prefix, after) = rest.split_first_chunk::<PREFIX>()?;
        let (fact, after) = after.split_at_checked(u32::from_be_bytes(*prefix) as usize)?;
        facts.push(fact);
        rest = after;
    }
    (facts.len() == count as usize).then_some(facts)
}

/// The bytes that a fact takes in a run.
pub(crate) const fn len(fact: &[u8]) -> usize {
    PREFIX + fact.len()
}

/// The bytes of a fact's length.
const PREFIX: usize = 4;

/// The most bytes of one fact: the arguments and groups of a claim at their bounds, and the rest.
pub(crate) const FACT_LEN_MAX: usize = 512 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use swarm_base::Pid;

    const BOOT: Boot = Boot { millis: 1, random: 2 };

    fn fact(serial: u64) -> Fact {
        Fact::Exited { pid: Pid::new(BOOT, serial) }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = Vec::new();
        let digest = write(&mut bytes, &fact(1), BOOT, 0);
        let digest = write(&mut bytes, &fact(2), BOOT, digest);
        let split = split(&bytes, 2).expect("two facts");
        assert_eq!(
            split.iter().map(|f| read(f, BOOT)).collect::<Vec<_>>(),
            [Some(fact(1)), Some(fact(2))]
        );
        assert_eq!(split.iter().fold(0, |digest, fact| extend(digest, fact)), digest);
    }

    #[test]
    fn the_digest_is_frozen() {
        // A release that computes another value can no longer compare its logs with this one's.
        assert_eq!(extend(extend(0, b"fact"), b"more"), 8_540_319_145_873_268_615);
    }

    #[test]
    fn what_is_no_run_of_facts_is_refused() {
        let mut bytes = Vec::new();
        write(&mut bytes, &fact(1), BOOT, 0);
        assert!(split(&bytes, 2).is_none());
        assert!(split(&bytes[..bytes.len() - 1], 1).is_none());
        assert!(split(&[0xff; 8], 1).is_none());
        assert!(split(&[], u32::MAX).is_none());
        assert_eq!(read(&[0xc1], BOOT), None);
        assert_eq!(
            read(&[0x81, 0xa1, b'?', 0xc0], BOOT),
            None,
            "a kind of fact from a later release"
        );
    }
}
