//! Which keys seal and open a cluster's packets.

use std::fmt;
use swarm_base::ClusterSecret;

/// A cluster's name and up to four secrets: the primary one seals, any of them opens.
///
/// To change the secret without a stop: give every node the new one as a further key, then make
/// it primary everywhere, then take the old one away.
#[derive(Clone)]
pub struct Keyring {
    cluster: String,
    /// The primary first.
    secrets: Vec<ClusterSecret>,
}

impl Keyring {
    /// The most keys at once.
    pub const KEYS_MAX: usize = 4;

    /// A keyring of one key. Nodes whose clusters have different names ignore each other, also
    /// where they share the secret.
    #[must_use]
    pub fn new(cluster: impl Into<String>, primary: ClusterSecret) -> Self {
        Self { cluster: cluster.into(), secrets: vec![primary] }
    }

    /// Adds a key that opens and does not seal. One that is there already changes nothing.
    ///
    /// # Errors
    ///
    /// [`KeyringError::Full`] where there are four.
    pub fn with(mut self, secret: ClusterSecret) -> Result<Self, KeyringError> {
        if self.secrets.contains(&secret) {
            return Ok(self);
        }
        if self.secrets.len() == Self::KEYS_MAX {
            return Err(KeyringError::Full);
        }
        self.secrets.push(secret);
        Ok(self)
    }

    /// The cluster's name.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    pub(crate) fn secrets(&self) -> &[ClusterSecret] {
        &self.secrets
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("cluster", &self.cluster)
            .field("n_keys", &self.secrets.len())
            .finish()
    }
}

/// Why a key was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// There are four already.
    #[error("a keyring has at most 4 keys")]
    Full,
}
