//! What a process is called.

use crate::Short;
use crate::codec::{self, DecodeError};
use crate::scope::{self, SCOPED, Scope};
use serde::{Deserialize, Serialize};
use std::borrow::{Borrow, Cow};
use std::fmt;

/// The name of a process or of a group: at most 1 KiB, made from a string or from any value that
/// serde can serialize. Equal values are equal names on every node.
///
/// A string is kept as its UTF-8. Any other value is kept as `0xc1`, a byte that occurs neither in
/// UTF-8 nor in MessagePack, and its MessagePack: so no value's name equals a string's. A name in a
/// [`Scope`] has the scope's name in front, behind a byte of its own: so it equals none in another
/// scope, or in none, and stays in its scope wherever it is used.
///
/// A name of up to 22 bytes is copied with its value, a longer one is shared by its clones.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Short);

impl Name {
    /// The most bytes in a name, with its scope's.
    pub const LEN_MAX: usize = 1024;

    /// The name that is this text.
    ///
    /// # Errors
    ///
    /// [`NameError::TooLong`] above 1 KiB.
    pub fn new(text: impl AsRef<str>) -> Result<Self, NameError> {
        Self::checked(text.as_ref().as_bytes())
    }

    /// The name that is this value: an integer, a tuple, an enum. A value that serializes as a
    /// string is the same name as [`new`](Self::new) makes of it.
    ///
    /// Maps are not put in order: a type whose iteration order varies makes a name that varies.
    ///
    /// # Errors
    ///
    /// [`NameError::TooLong`] above 1 KiB; [`NameError::Value`] where serde cannot serialize it.
    pub fn from_value<T: Serialize + ?Sized>(value: &T) -> Result<Self, NameError> {
        let encoded =
            codec::encode(value).map_err(|e| NameError::Value { reason: e.to_string() })?;
        let limits = codec::Limits::default();
        if is_text(&encoded)
            && let Ok(text) = codec::decode::<String>(&encoded, limits)
        {
            return Self::new(text);
        }
        let mut bytes = Vec::with_capacity(1 + encoded.len());
        bytes.push(VALUE);
        bytes.extend_from_slice(&encoded);
        Self::checked(&bytes)
    }

    /// The name of these bytes, as [`as_bytes`](Self::as_bytes) gave them.
    ///
    /// # Errors
    ///
    /// [`NameError::TooLong`], or [`NameError::Malformed`] for bytes that no name has.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NameError> {
        let local = match bytes.split_first() {
            Some((&SCOPED, _)) => match scope::split(bytes) {
                (Some(scope), local) => {
                    scope::check(scope.as_bytes())?;
                    local
                }
                (None, _) => bytes,
            },
            _ => bytes,
        };
        match local.split_first() {
            Some((&VALUE, value)) => codec::scan(value, codec::Limits::default())
                .map_err(|reason| NameError::Malformed { reason })?,
            _ => drop(std::str::from_utf8(local).map_err(|_| NameError::Malformed {
                reason: DecodeError::Value { reason: "neither UTF-8 nor a value".into() },
            })?),
        }
        Self::checked(bytes)
    }

    /// The same name in `scope`, unless it is in one already: then it stays there.
    ///
    /// # Errors
    ///
    /// [`NameError::TooLong`] above 1 KiB with the scope's name.
    pub fn within(self, scope: &Scope) -> Result<Self, NameError> {
        let prefix = scope.prefix();
        if prefix.is_empty() || self.scope().is_some() {
            return Ok(self);
        }
        Self::checked(&[prefix, &self.0].concat())
    }

    /// The bytes that the wire carries: also those of its scope.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name of its scope, where it is in one.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        scope::split(&self.0).0
    }

    /// Its bytes without its scope's: what placement hashes.
    #[must_use]
    pub fn local(&self) -> &[u8] {
        scope::split(&self.0).1
    }

    /// The text of a name that was made from a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.local()).ok()
    }

    fn checked(bytes: &[u8]) -> Result<Self, NameError> {
        if bytes.len() > Self::LEN_MAX {
            return Err(NameError::TooLong { len: bytes.len() });
        }
        Ok(Self(Short::new(bytes)))
    }
}

/// Why something is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Over 1 KiB, with its scope's.
    #[error("a name has at most 1024 bytes, this one has {len}")]
    TooLong {
        /// Its bytes.
        len: usize,
    },
    /// serde refused the value.
    #[error("the value cannot be serialized: {reason}")]
    Value {
        /// What serde said.
        reason: String,
    },
    /// What should be the name of a scope is none.
    #[error("the name of a scope has 1 to 64 bytes, none of them zero: this one has {len}")]
    Scope {
        /// Its bytes.
        len: usize,
    },
    /// Bytes from outside that no name has.
    #[error("these bytes are no name: {reason}")]
    Malformed {
        /// What is wrong with them.
        reason: DecodeError,
    },
}

impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.as_str(), self.local().split_first()) {
            (Some(text), _) => f.pad(text),
            (None, Some((_, value))) => f.pad(&codec::to_text(value)),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())?;
        match self.scope() {
            Some(scope) => write!(f, " in {scope:?}"),
            None => Ok(()),
        }
    }
}

impl Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes: Cow<'de, [u8]> = serde_bytes::deserialize(deserializer)?;
        Self::from_bytes(&bytes).map_err(serde::de::Error::custom)
    }
}

/// Whether a value was encoded as a string. Its marker says so; serde alone would take bytes for
/// one, if they happen to be UTF-8.
fn is_text(encoded: &[u8]) -> bool {
    matches!(encoded.first(), Some(0xa0..=0xbf | 0xd9..=0xdb))
}

/// Marks a name that is a value. Never the first byte of UTF-8, and unused in MessagePack.
const VALUE: u8 = 0xc1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_equal_names_and_no_value_is_a_string() {
        assert_eq!(Name::new("device-1"), Name::from_value("device-1"));
        assert_eq!(Name::from_value(&5u8), Name::from_value(&5u64));
        assert_ne!(Name::from_value(&5u8), Name::new("\u{5}"));
        assert_ne!(Name::from_value(&5u8), Name::from_value("5"));
    }

    #[test]
    fn bytes_are_no_string_even_if_they_could_be_one() {
        let bytes = |bytes: &[u8]| Name::from_value(serde_bytes::Bytes::new(bytes));
        let texts = ["", "device-1", &"x".repeat(31), &"x".repeat(32), &"x".repeat(300)];
        for text in texts {
            assert_eq!(Name::from_value(text), Name::new(text));
            assert_ne!(bytes(text.as_bytes()), Name::new(text));
        }
        assert_eq!(bytes(b"a"), bytes(b"a"));
        assert_ne!(bytes(&[0xff]), bytes(b"a"));
    }

    #[test]
    fn a_name_shows_as_what_it_was_made_from() {
        let shown = |name: Result<Name, NameError>| name.expect("a name").to_string();
        assert_eq!(shown(Name::new("device-1")), "device-1");
        assert_eq!(shown(Name::from_value(&42)), "42");
        assert_eq!(shown(Name::from_value(&("room", 7, true))), "[\"room\", 7, true]");
    }

    #[test]
    fn a_long_name_is_refused() {
        assert!(Name::new("x".repeat(1024)).is_ok());
        assert_eq!(Name::new("x".repeat(1025)), Err(NameError::TooLong { len: 1025 }));
    }

    #[test]
    fn bytes_from_outside_are_checked() {
        let name = Name::from_value(&(1, 2)).expect("a name");
        assert_eq!(Name::from_bytes(name.as_bytes()), Ok(name));
        assert!(Name::from_bytes(&[0xff, 0xfe]).is_err());
        assert!(Name::from_bytes(&[0xc1, 0x91]).is_err(), "a list of one without the one");
    }
}
