//! Bytes that are mostly few.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// Bytes that do not change, in 24 bytes of memory: up to 22 are kept in place, so that neither a
/// clone nor a look at them touches other memory; more are shared between clones.
#[derive(Clone)]
pub struct Short(Repr);

#[derive(Clone)]
enum Repr {
    Here { len: u8, bytes: [u8; Short::HERE_MAX] },
    Shared(Arc<[u8]>),
}

impl Short {
    /// The most bytes that are kept in place.
    pub const HERE_MAX: usize = 22;

    /// Copies `bytes`.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let mut here = [0; Self::HERE_MAX];
        match here.get_mut(..bytes.len()) {
            Some(to) => {
                to.copy_from_slice(bytes);
                Self(Repr::Here { len: bytes.len() as u8, bytes: here })
            }
            None => Self(Repr::Shared(bytes.into())),
        }
    }
}

impl Deref for Short {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Here { len, bytes } => &bytes[..usize::from(*len)],
            Repr::Shared(bytes) => bytes,
        }
    }
}

impl Default for Short {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl PartialEq for Short {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Short {}

impl PartialOrd for Short {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Short {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

/// As the bytes themselves, so that a map finds it by them.
impl Hash for Short {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Debug for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fixed;
    use std::hash::BuildHasher;

    #[test]
    fn bytes_of_every_length_are_kept() {
        for len in 0..=2 * Short::HERE_MAX {
            let bytes: Vec<u8> = (0..len as u8).collect();
            let short = Short::new(&bytes);
            assert_eq!(*short, bytes);
            assert_eq!(short.clone(), short);
            assert_eq!(Fixed.hash_one(&short), Fixed.hash_one(&bytes[..]));
        }
    }

    #[test]
    fn the_order_is_that_of_the_bytes() {
        let long = [b'a'; 30];
        assert!(Short::new(b"b") > Short::new(&long));
        assert!(Short::new(b"a") < Short::new(&long));
    }

    #[test]
    fn it_takes_three_words() {
        assert_eq!(size_of::<Short>(), 24);
        assert_eq!(size_of::<Option<Short>>(), 24);
    }
}
