//! What a node tells everybody about itself.

use std::fmt;
use std::sync::Arc;

/// Bytes that a node attaches to itself and every member holds: at most 512, opaque here.
///
/// They travel in one record with the node's identity, and a record must fit one packet.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
// One word, and nothing besides for the many that say nothing: every member has one.
pub struct Metadata(Option<Arc<Vec<u8>>>);

impl Metadata {
    /// The most bytes.
    pub const LEN_MAX: usize = 512;

    /// Checks the length of `bytes`.
    ///
    /// # Errors
    ///
    /// [`MetadataError`] above 512 bytes.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, MetadataError> {
        let bytes = bytes.as_ref();
        if bytes.len() > Self::LEN_MAX {
            return Err(MetadataError { len: bytes.len() });
        }
        Ok(Self((!bytes.is_empty()).then(|| Arc::new(bytes.to_owned()))))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |bytes| bytes)
    }
}

/// Metadata is too long. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("metadata has at most 512 bytes, this has {len}")]
pub struct MetadataError {
    /// Its bytes.
    pub len: usize,
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_bytes().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_metadata_is_refused() {
        assert!(Metadata::new([0; 512]).is_ok());
        assert_eq!(Metadata::new([0; 513]), Err(MetadataError { len: 513 }));
    }
}
