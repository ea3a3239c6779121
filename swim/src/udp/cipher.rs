//! The cipher of the TLS provider.

use crate::seal::{Cipher, Key, TAG_LEN};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use swarm_base::ClusterSecret;

/// AES-256-GCM and HKDF-SHA256 from `ring`, used directly: nothing is installed process-wide.
///
/// AES, not ChaCha20: a forgery is refused three times as fast where the processor has AES.
#[derive(Clone, Copy, Debug, Default)]
pub struct RingCipher;

impl RingCipher {
    /// The cipher. It holds nothing: keys come from the [`Keyring`](crate::Keyring).
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Cipher for RingCipher {
    fn derive(&self, secret: &ClusterSecret, salt: &[u8], info: &[u8]) -> [u8; 32] {
        let mut bytes = [0; 32];
        Salt::new(HKDF_SHA256, salt)
            .extract(secret.as_bytes())
            .expand(&[info], Len)
            .and_then(|okm| okm.fill(&mut bytes))
            .expect("32 bytes are within what HKDF gives");
        bytes
    }

    fn key(&self, bytes: &[u8; 32]) -> Box<dyn Key> {
        let key = UnboundKey::new(&AES_256_GCM, bytes).expect("AES-256 takes 32 bytes");
        Box::new(RingKey(LessSafeKey::new(key)))
    }
}

struct RingKey(LessSafeKey);

impl Key for RingKey {
    fn seal(&self, counter: u64, associated: &[u8], body: &mut [u8]) -> [u8; TAG_LEN] {
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce(counter), Aad::from(associated), body)
            .expect("a packet is far below what GCM takes");
        tag.as_ref().try_into().expect("a tag of GCM has 16 bytes")
    }

    fn open<'a>(
        &self,
        counter: u64,
        associated: &[u8],
        sealed: &'a mut [u8],
    ) -> Option<&'a mut [u8]> {
        self.0.open_in_place(nonce(counter), Aad::from(associated), sealed).ok()
    }
}

/// The key belongs to one boot of one sender, whose counter never repeats.
fn nonce(counter: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&counter.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

/// How much `ring` derives.
struct Len;

impl KeyType for Len {
    fn len(&self) -> usize {
        32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> ClusterSecret {
        let bytes: [u8; 32] = std::array::from_fn(|at| at as u8);
        ClusterSecret::from_bytes(&bytes).expect("a secret")
    }

    #[test]
    fn what_is_sealed_opens_and_what_is_damaged_does_not() {
        let key = RingCipher.key(&RingCipher.derive(&secret(), b"cluster", b"info"));
        let mut sealed = b"hello".to_vec();
        let tag = key.seal(7, b"header", &mut sealed);
        assert_ne!(sealed, b"hello");
        sealed.extend(tag);
        let opens = |counter, header: &[u8], sealed: &[u8]| {
            key.open(counter, header, &mut sealed.to_vec()).map(|body| body.to_vec())
        };
        assert_eq!(opens(7, b"header", &sealed), Some(b"hello".to_vec()));
        assert_eq!(opens(8, b"header", &sealed), None);
        assert_eq!(opens(7, b"other", &sealed), None);
        assert_eq!(opens(7, b"header", &sealed[1..]), None);
        assert_eq!(opens(7, b"header", &[]), None);
    }

    #[test]
    fn what_is_derived_depends_on_everything_and_stays() {
        let derived = RingCipher.derive(&secret(), b"cluster", b"info");
        assert_ne!(derived, RingCipher.derive(&secret(), b"cluster2", b"info"));
        assert_ne!(derived, RingCipher.derive(&secret(), b"cluster", b"info2"));
        // Part of the protocol (RFC 5869, computed apart): with another value, old and new nodes
        // would refuse each other.
        let start = u64::from_be_bytes(derived[..8].try_into().expect("eight bytes"));
        assert_eq!(start, 0xb86b_d554_1345_a485);
    }
}
