//! The 32 bytes that make nodes one cluster.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The secret of a cluster: 32 random bytes. Whoever holds it is trusted as any node.
///
/// Gossip keys and the cluster's certificate authority are derived from it. Its `Debug` shows
/// nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct ClusterSecret([u8; 32]);

impl ClusterSecret {
    /// A new secret, from the operating system's generator.
    ///
    /// # Panics
    ///
    /// If the operating system has no random bytes to give.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        Self(bytes)
    }

    /// The secret of these bytes.
    ///
    /// # Errors
    ///
    /// [`SecretError::Length`] for other than 32 bytes, [`SecretError::Weak`] where all are equal.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SecretError> {
        let bytes: [u8; 32] =
            bytes.try_into().map_err(|_| SecretError::Length { len: bytes.len() })?;
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return Err(SecretError::Weak);
        }
        Ok(Self(bytes))
    }

    /// Reads a file of 64 hex digits; white space around them is ignored.
    ///
    /// # Errors
    ///
    /// [`SecretError`] names the file and what is wrong with it.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, SecretError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|e| SecretError::File { path: path.into(), reason: e.to_string() })?;
        let digits = text.trim();
        if digits.len() != 64 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(SecretError::Digits { path: path.into(), len: digits.len() });
        }
        let bytes: Vec<u8> = (0..64)
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex digits"))
            .collect();
        Self::from_bytes(&bytes)
    }

    /// Writes 64 hex digits to a new file that only its owner may read.
    ///
    /// # Errors
    ///
    /// [`SecretError::File`] where the file exists or cannot be written.
    pub fn to_file(&self, path: impl AsRef<Path>) -> Result<(), SecretError> {
        let path = path.as_ref();
        let digits: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
            .open(path)
            .and_then(|mut file| writeln!(file, "{digits}"))
            .map_err(|e| SecretError::File { path: path.into(), reason: e.to_string() })
    }

    /// The bytes, for deriving keys from them.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Why there is no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Not 32 bytes.
    #[error("a cluster secret has 32 bytes, this one has {len}")]
    Length {
        /// Its bytes.
        len: usize,
    },
    /// All bytes are equal: nobody drew that at random.
    #[error("a cluster secret is random, this one repeats one byte")]
    Weak,
    /// The file cannot be read or written.
    #[error("secret file {}: {reason}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        reason: String,
    },
    /// The file holds something else.
    #[error("secret file {}: want 64 hex digits, found {len} characters", path.display())]
    Digits {
        /// Which file.
        path: PathBuf,
        /// How many characters it holds.
        len: usize,
    },
}

impl fmt::Debug for ClusterSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_survives_its_file() {
        let dir = std::env::temp_dir().join(format!("swarm-secret-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a temporary folder");
        let (path, secret) = (dir.join("secret"), ClusterSecret::generate());
        secret.to_file(&path).expect("written");
        assert_eq!(ClusterSecret::from_file(&path), Ok(secret.clone()));
        assert!(
            matches!(secret.to_file(&path), Err(SecretError::File { .. })),
            "never overwritten"
        );
        std::fs::write(&path, "abc").expect("written");
        assert!(matches!(ClusterSecret::from_file(&path), Err(SecretError::Digits { len: 3, .. })));
        std::fs::remove_dir_all(&dir).expect("removed");
    }

    #[test]
    fn a_bad_secret_is_refused() {
        assert_eq!(ClusterSecret::from_bytes(b"monster"), Err(SecretError::Length { len: 7 }));
        assert_eq!(ClusterSecret::from_bytes(&[7; 32]), Err(SecretError::Weak));
    }
}
