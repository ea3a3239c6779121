//! Opaque bytes: a user's arguments and metadata, and encoded facts.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use swarm_base::Short;

/// Bytes that a user gave: the arguments of a process, or the metadata of a membership. At most
/// 64 KiB, because every node keeps a copy; larger things belong into messages. A clone is cheap.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(Short);

impl Bytes {
    /// The most bytes.
    pub const LEN_MAX: usize = 64 * 1024;

    /// Copies `bytes`.
    ///
    /// # Errors
    ///
    /// [`TooLong`] above [`LEN_MAX`](Self::LEN_MAX).
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, TooLong> {
        let bytes = bytes.as_ref();
        if bytes.len() > Self::LEN_MAX {
            return Err(TooLong { len: bytes.len() });
        }
        Ok(Self(Short::new(bytes)))
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

/// More than [`Bytes`] take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{len} bytes, at most 65536 are kept on every node")]
pub struct TooLong {
    /// How many there were.
    pub len: usize,
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes: Cow<'de, [u8]> = serde_bytes::deserialize(deserializer)?;
        Self::new(bytes).map_err(D::Error::custom)
    }
}

/// Encoded facts on their way: a clone for each peer shares them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Encoded(Arc<[u8]>);

impl Encoded {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl Deref for Encoded {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Serialize for Encoded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Encoded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes: Cow<'de, [u8]> = serde_bytes::deserialize(deserializer)?;
        Ok(Self(bytes.into()))
    }
}
