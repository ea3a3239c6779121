//! A cipher that hides nothing, for simulated worlds.

use crate::seal::{Cipher, Key, TAG_LEN};
use swarm_base::ClusterSecret;
use xxhash_rust::xxh3::Xxh3;

/// A cipher that hides nothing and proves nothing against a forger: a keyed checksum, so that
/// damaged packets, other keys and other clusters are told apart as with a real one. For
/// simulated worlds.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullCipher;

impl Cipher for NullCipher {
    fn derive(&self, secret: &ClusterSecret, salt: &[u8], info: &[u8]) -> [u8; 32] {
        let mut hash = Xxh3::new();
        for part in [secret.as_bytes().as_slice(), salt, info] {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest = hash.digest128().to_be_bytes();
        std::array::from_fn(|at| digest[at % digest.len()])
    }

    fn key(&self, bytes: &[u8; 32]) -> Box<dyn Key> {
        Box::new(Checksum(*bytes))
    }
}

struct Checksum([u8; 32]);

impl Checksum {
    fn tag(&self, counter: u64, associated: &[u8], body: &[u8]) -> [u8; TAG_LEN] {
        let mut hash = Xxh3::new();
        hash.update(&self.0);
        hash.update(&counter.to_be_bytes());
        hash.update(&(associated.len() as u64).to_be_bytes());
        hash.update(associated);
        hash.update(body);
        hash.digest128().to_be_bytes()
    }
}

impl Key for Checksum {
    fn seal(&self, counter: u64, associated: &[u8], body: &mut [u8]) -> [u8; TAG_LEN] {
        self.tag(counter, associated, body)
    }

    fn open<'a>(
        &self,
        counter: u64,
        associated: &[u8],
        sealed: &'a mut [u8],
    ) -> Option<&'a mut [u8]> {
        let (body, tag) = sealed.split_at_mut_checked(sealed.len().checked_sub(TAG_LEN)?)?;
        (self.tag(counter, associated, body) == tag).then_some(body)
    }
}
