//! Which keys seal and open a cluster's packets.

use std::fmt;
use swarm_base::ClusterSecret;

/// A cluster's name and up to four secrets: the primary one seals, any of them opens.
///
/// To change the secret without a stop, see [`Swim::change_keys`](crate::Swim::change_keys).
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

    /// The same keys, with `primary`, which is one of them, first.
    pub(crate) fn sealing_with(&self, primary: &ClusterSecret) -> Self {
        let others = self.secrets.iter().filter(|secret| *secret != primary);
        let secrets = std::iter::once(primary).chain(others).cloned().collect();
        Self { cluster: self.cluster.clone(), secrets }
    }

    /// The same keys without `secret`, which is not the primary one.
    pub(crate) fn without(&self, secret: &ClusterSecret) -> Self {
        let (primary, others) = (self.secrets.iter().take(1), self.secrets.iter().skip(1));
        let others = others.filter(|other| *other != secret);
        Self { cluster: self.cluster.clone(), secrets: primary.chain(others).cloned().collect() }
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
