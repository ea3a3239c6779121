//! How names and kinds are read: straight from the bytes that arrived, with one allocation.

/// A [`Name`](swarm_base::Name), read without a buffer in between.
pub(crate) mod name {
    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serialize, Serializer};
    use std::fmt;
    use swarm_base::Name;

    pub(crate) fn serialize<S: Serializer>(name: &Name, to: S) -> Result<S::Ok, S::Error> {
        name.serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Name, D::Error> {
        from.deserialize_bytes(Raw)
    }

    struct Raw;

    impl Visitor<'_> for Raw {
        type Value = Name;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a name")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Name, E> {
            Name::from_bytes(bytes).map_err(E::custom)
        }
    }
}

/// The kind of a process: a short text.
pub(crate) mod kind {
    use crate::claim::KIND_LEN_MAX;
    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};
    use std::fmt;
    use std::sync::Arc;

    pub(crate) fn serialize<S: Serializer>(kind: &Arc<str>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(kind)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<str>, D::Error> {
        from.deserialize_str(Raw)
    }

    struct Raw;

    impl Visitor<'_> for Raw {
        type Value = Arc<str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a kind of at most {KIND_LEN_MAX} bytes")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Arc<str>, E> {
            if text.len() > KIND_LEN_MAX {
                return Err(E::invalid_length(text.len(), &self));
            }
            Ok(text.into())
        }
    }
}
