//! Named swarms inside a cluster.

use crate::NameError;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A named swarm inside a cluster, or, by default, what is in none: it has names and groups of its
/// own. The name of a scope has 1 to 64 bytes, none of them zero.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(Option<Arc<[u8]>>);

impl Scope {
    /// The most bytes in the name of a scope.
    pub const LEN_MAX: usize = 64;

    /// The scope of this name.
    ///
    /// # Errors
    ///
    /// [`NameError::Scope`] where it has no bytes, more than 64, or one that is zero.
    pub fn new(name: impl AsRef<str>) -> Result<Self, NameError> {
        let name = name.as_ref().as_bytes();
        check(name)?;
        let mut prefix = Vec::with_capacity(HEAD + name.len());
        prefix.extend([SCOPED, name.len() as u8]);
        prefix.extend_from_slice(name);
        Ok(Self(Some(prefix.into())))
    }

    /// Its name; `None` for what is in no scope.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        split(self.prefix()).0
    }

    /// What the bytes of every name in it begin with: nothing for names in no scope.
    #[must_use]
    pub fn prefix(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Whether a name of these bytes is in it.
    #[must_use]
    pub fn holds(&self, name: &[u8]) -> bool {
        match &self.0 {
            Some(prefix) => name.starts_with(prefix),
            None => name.first() != Some(&SCOPED),
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({})", self.as_str().unwrap_or_default())
    }
}

impl Serialize for Scope {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_str().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Option::<Cow<'de, str>>::deserialize(deserializer)? {
            Some(name) => Self::new(name).map_err(serde::de::Error::custom),
            None => Ok(Self::default()),
        }
    }
}

/// Marks a name that is in a scope: behind it come the length of the scope's name, that name, and
/// the rest. Never the first byte of UTF-8.
pub(crate) const SCOPED: u8 = 0xfe;

/// The marker and the length.
const HEAD: usize = 2;

/// The scope's name and the rest, of bytes that were checked.
pub(crate) fn split(name: &[u8]) -> (Option<&str>, &[u8]) {
    let scoped = || {
        let (&[marker, len], rest) = name.split_first_chunk::<HEAD>()?;
        let (scope, rest) = rest.split_at_checked(usize::from(len))?;
        (marker == SCOPED).then_some((std::str::from_utf8(scope).ok()?, rest))
    };
    match scoped() {
        Some((scope, rest)) => (Some(scope), rest),
        None => (None, name),
    }
}

pub(crate) fn check(name: &[u8]) -> Result<(), NameError> {
    if (1..=Scope::LEN_MAX).contains(&name.len()) && !name.contains(&0) {
        Ok(())
    } else {
        Err(NameError::Scope { len: name.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Name;
    use crate::codec::{self, Limits};

    fn scope(name: &str) -> Scope {
        Scope::new(name).expect("a scope")
    }

    #[test]
    fn one_name_in_two_scopes_and_in_none_is_three_names() {
        let plain = Name::new("device-1").expect("a name");
        let (one, other) = (scope("one"), scope("other"));
        let in_one = plain.clone().within(&one).expect("short");
        let in_other = plain.clone().within(&other).expect("short");
        assert_ne!(in_one, in_other);
        assert_ne!(in_one, plain);
        assert!(one.holds(in_one.as_bytes()) && !one.holds(in_other.as_bytes()));
        assert!(Scope::default().holds(plain.as_bytes()));
        assert!(!Scope::default().holds(in_one.as_bytes()));
        for name in [&plain, &in_one, &in_other] {
            assert_eq!(name.to_string(), "device-1");
            assert_eq!(name.as_str(), Some("device-1"));
            assert_eq!(name.local(), b"device-1");
            assert_eq!(Name::from_bytes(name.as_bytes()).as_ref(), Ok(name));
        }
        assert_eq!((in_one.scope(), plain.scope()), (Some("one"), None));
    }

    #[test]
    fn a_name_stays_in_its_scope() {
        let name = Name::from_value(&7).expect("a name").within(&scope("one")).expect("short");
        assert_eq!(name.clone().within(&scope("other")).as_ref(), Ok(&name));
        assert_eq!(name.clone().within(&Scope::default()), Ok(name));
    }

    #[test]
    fn a_scope_that_begins_as_another_is_another() {
        let name = Name::new("x").expect("a name").within(&scope("ab")).expect("short");
        assert!(!scope("a").holds(name.as_bytes()));
    }

    #[test]
    fn what_is_no_scope_is_refused() {
        for name in ["", "a\0b", &"x".repeat(65)] {
            assert_eq!(Scope::new(name), Err(NameError::Scope { len: name.len() }));
        }
        assert!(Scope::new("x".repeat(64)).is_ok());
        let long = Name::new("x".repeat(1000)).expect("a name");
        assert!(matches!(
            long.within(&scope(&"x".repeat(64))),
            Err(NameError::TooLong { len: 1066 })
        ));
    }

    #[test]
    fn bytes_from_outside_are_checked() {
        let malformed: [&[u8]; 6] = [
            &[SCOPED],
            &[SCOPED, 0, b'x'],
            &[SCOPED, 2, b'a'],
            &[SCOPED, 1, 0xff, b'x'],
            &[SCOPED, 1, 0, b'x'],
            // A scope in a scope.
            &[SCOPED, 1, b'a', SCOPED, 1, b'b', b'x'],
        ];
        for bytes in malformed {
            assert!(Name::from_bytes(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn it_travels_as_its_name() {
        for scope in [scope("games"), Scope::default()] {
            let bytes = codec::encode(&scope).expect("it encodes");
            assert_eq!(codec::decode::<Scope>(&bytes, Limits::default()), Ok(scope));
        }
        let bad = codec::encode(&Some("")).expect("it encodes");
        assert!(codec::decode::<Scope>(&bad, Limits::default()).is_err());
    }
}
