//! Who a node is, and which of its lives.

use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// The name that an operator gave a node, for example `myapp-1@host`: 1 to 255 bytes without
/// white space or control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(Arc<str>);

impl NodeName {
    /// The most bytes in a name.
    pub const LEN_MAX: usize = 255;

    /// Checks `name`.
    ///
    /// # Errors
    ///
    /// [`NodeNameError`] says what is wrong with it.
    pub fn new(name: impl AsRef<str>) -> Result<Self, NodeNameError> {
        let name = name.as_ref();
        if name.is_empty() || name.len() > Self::LEN_MAX {
            return Err(NodeNameError::Length { len: name.len() });
        }
        match name.chars().find(|c| c.is_whitespace() || c.is_control()) {
            Some(found) => Err(NodeNameError::Character { found }),
            None => Ok(Self(name.into())),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is not the name of a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeNameError {
    /// Too short or too long.
    #[error("a node name has 1 to 255 bytes, this one has {len}")]
    Length {
        /// Its bytes.
        len: usize,
    },
    /// White space or a control character.
    #[error("a node name has no white space or control characters, this one has {found:?}")]
    Character {
        /// The first one found.
        found: char,
    },
}

impl TryFrom<String> for NodeName {
    type Error = NodeNameError;

    fn try_from(name: String) -> Result<Self, NodeNameError> {
        Self::new(name)
    }
}

impl From<NodeName> for String {
    fn from(name: NodeName) -> Self {
        name.as_str().to_owned()
    }
}

impl Borrow<str> for NodeName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One life of a node: new at every start, and only growing for one name.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Boot {
    /// Wall-clock milliseconds at the start, raised above what peers remember of the name.
    pub millis: u64,
    /// Random bits: two starts within one millisecond are still two boots.
    pub random: u64,
}

impl Boot {
    /// The boot as bytes, in the order in which boots compare.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        ((u128::from(self.millis) << 64) | u128::from(self.random)).to_be_bytes()
    }

    /// The boot of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        let both = u128::from_be_bytes(bytes);
        Self { millis: (both >> 64) as u64, random: both as u64 }
    }
}

impl fmt::Display for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}.{:08x}", self.millis, self.random >> 32)
    }
}

impl fmt::Debug for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Boot {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.to_bytes())
    }
}

impl<'de> Deserialize<'de> for Boot {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_bytes::ByteArray::<16>::deserialize(deserializer)
            .map(|bytes| Self::from_bytes(bytes.into_array()))
    }
}

/// A node in one of its lives. A restarted node is another node with the same name.
///
/// Displays as its bare name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId {
    /// The operator's name for it.
    #[serde(rename = "n")]
    pub name: NodeName,
    /// Which of its lives.
    #[serde(rename = "b")]
    pub boot: Boot,
}

impl NodeId {
    /// The node `name` in its life `boot`.
    #[must_use]
    pub const fn new(name: NodeName, boot: Boot) -> Self {
        Self { name, boot }
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.name, f)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.name, self.boot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_checked() {
        assert!(NodeName::new("myapp-1@host").is_ok());
        assert_eq!(NodeName::new(""), Err(NodeNameError::Length { len: 0 }));
        assert_eq!(NodeName::new("x".repeat(256)), Err(NodeNameError::Length { len: 256 }));
        assert_eq!(NodeName::new("a b"), Err(NodeNameError::Character { found: ' ' }));
        assert_eq!(NodeName::new("a\u{7}"), Err(NodeNameError::Character { found: '\u{7}' }));
    }

    #[test]
    fn boots_compare_as_their_bytes_do() {
        let old = Boot { millis: 1, random: u64::MAX };
        let new = Boot { millis: 2, random: 0 };
        assert!(old < new && old.to_bytes() < new.to_bytes());
        assert_eq!(Boot::from_bytes(old.to_bytes()), old);
    }
}
