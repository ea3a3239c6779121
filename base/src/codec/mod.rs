//! MessagePack with named fields, checked before it is decoded.
//!
//! Fields travel by name, so that a field with a serde default can be added while old nodes run.
//! What comes from outside is [scanned](scan) first: depth, number of items and every declared
//! length are bounded, and nothing may trail. Otherwise five bytes make serde allocate megabytes,
//! and nested arrays overflow the stack of a debug build.

mod scan;
pub use scan::{Limits, scan};

mod text;
pub use text::to_text;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Encodes `value` with named fields.
///
/// # Errors
///
/// [`EncodeError`] where serde cannot serialize the value.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, EncodeError> {
    // Most messages fit: grown from nothing, a hundred bytes cost five allocations.
    let mut bytes = Vec::with_capacity(USUAL_LEN);
    encode_into(&mut bytes, value)?;
    Ok(bytes)
}

/// How long most messages are at most.
const USUAL_LEN: usize = 128;

/// Appends `value` to `bytes`. On an error `bytes` is as it was.
///
/// # Errors
///
/// [`EncodeError`] where serde cannot serialize the value.
pub fn encode_into<T: Serialize + ?Sized>(
    bytes: &mut Vec<u8>,
    value: &T,
) -> Result<(), EncodeError> {
    let len = bytes.len();
    rmp_serde::encode::write_named(bytes, value).map_err(|e| {
        bytes.truncate(len);
        EncodeError { reason: e.to_string() }
    })
}

/// Scans `bytes` against `limits`, then decodes them.
///
/// # Errors
///
/// [`DecodeError`] says which limit they break, or what serde found wrong.
pub fn decode<T: DeserializeOwned>(bytes: &[u8], limits: Limits) -> Result<T, DecodeError> {
    scan(bytes, limits)?;
    rmp_serde::from_slice(bytes).map_err(|e| DecodeError::Value { reason: e.to_string() })
}

/// Why a value cannot be encoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot be encoded: {reason}")]
pub struct EncodeError {
    /// What serde said.
    pub reason: String,
}

/// Why bytes cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// More bytes than the receiver takes.
    #[error("{len} bytes, at most {max} are taken")]
    TooLong {
        /// How many there are.
        len: usize,
        /// How many are taken.
        max: usize,
    },
    /// Nested deeper than allowed.
    #[error("nested deeper than {max}")]
    TooDeep {
        /// The allowed depth.
        max: usize,
    },
    /// More values than allowed.
    #[error("more than {max} values")]
    TooMany {
        /// The allowed number.
        max: usize,
    },
    /// A declared length or a value ends after the last byte.
    #[error("ends early")]
    Truncated,
    /// Bytes follow the value.
    #[error("{len} bytes follow the value")]
    Trailing {
        /// How many.
        len: usize,
    },
    /// A byte that starts no value.
    #[error("0x{byte:02x} starts no value")]
    Marker {
        /// The byte.
        byte: u8,
    },
    /// Well-formed, but not the expected value.
    #[error("{reason}")]
    Value {
        /// What is wrong with it.
        reason: String,
    },
}
