//! Looking at MessagePack without allocating or recursing.

use super::DecodeError;

/// What a receiver takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes in all.
    pub bytes: usize,
    /// The deepest nesting of lists and maps, at most [`Limits::DEPTH_MAX`].
    pub depth: usize,
    /// The most values, counting each key, element, list and map.
    pub items: usize,
}

impl Limits {
    /// The deepest nesting that any receiver can allow.
    pub const DEPTH_MAX: usize = 32;

    /// The default depth and number of values, in at most `bytes` bytes.
    #[must_use]
    pub const fn of_bytes(bytes: usize) -> Self {
        Self { bytes, depth: Self::DEPTH_MAX, items: 65_536 }
    }
}

/// A control frame: 64 KiB, 32 deep, 65,536 values.
impl Default for Limits {
    fn default() -> Self {
        Self::of_bytes(64 * 1024)
    }
}

/// Checks that `bytes` are exactly one MessagePack value within `limits`.
///
/// # Errors
///
/// [`DecodeError`] names the first thing that is wrong.
pub fn scan(bytes: &[u8], limits: Limits) -> Result<(), DecodeError> {
    if bytes.len() > limits.bytes {
        return Err(DecodeError::TooLong { len: bytes.len(), max: limits.bytes });
    }
    let depth_max = limits.depth.min(Limits::DEPTH_MAX);
    // How many values are still due at each open level; the outermost level is the value itself.
    let mut due = [0usize; Limits::DEPTH_MAX + 1];
    due[0] = 1;
    let (mut depth, mut items, mut rest) = (0, 0, bytes);
    loop {
        while due[depth] == 0 {
            if depth == 0 {
                return match rest.len() {
                    0 => Ok(()),
                    len => Err(DecodeError::Trailing { len }),
                };
            }
            depth -= 1;
        }
        due[depth] -= 1;
        items += 1;
        if items > limits.items {
            return Err(DecodeError::TooMany { max: limits.items });
        }
        let children = value(&mut rest)?;
        if children > 0 {
            // Each child is at least one byte: a length that cannot be true is refused here.
            if children > rest.len() {
                return Err(DecodeError::Truncated);
            }
            depth += 1;
            if depth > depth_max {
                return Err(DecodeError::TooDeep { max: depth_max });
            }
            due[depth] = children;
        }
    }
}

/// Skips one value's own bytes and says how many values belong to it.
fn value(rest: &mut &[u8]) -> Result<usize, DecodeError> {
    let (&marker, after) = rest.split_first().ok_or(DecodeError::Truncated)?;
    *rest = after;
    let (payload, children) = match marker {
        0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => (0, 0),
        0x80..=0x8f => (0, 2 * usize::from(marker & 0x0f)),
        0x90..=0x9f => (0, usize::from(marker & 0x0f)),
        0xa0..=0xbf => (usize::from(marker & 0x1f), 0),
        0xc1 => return Err(DecodeError::Marker { byte: marker }),
        0xc4 | 0xd9 => (length(rest, 1)?, 0),
        0xc5 | 0xda => (length(rest, 2)?, 0),
        0xc6 | 0xdb => (length(rest, 4)?, 0),
        0xc7 => (length(rest, 1)?.saturating_add(1), 0),
        0xc8 => (length(rest, 2)?.saturating_add(1), 0),
        0xc9 => (length(rest, 4)?.saturating_add(1), 0),
        0xcc | 0xd0 => (1, 0),
        0xcd | 0xd1 => (2, 0),
        0xca | 0xce | 0xd2 => (4, 0),
        0xcb | 0xcf | 0xd3 => (8, 0),
        0xd4..=0xd8 => ((1 << (marker - 0xd4)) + 1, 0),
        0xdc => (0, length(rest, 2)?),
        0xdd => (0, length(rest, 4)?),
        0xde => (0, length(rest, 2)?.saturating_mul(2)),
        0xdf => (0, length(rest, 4)?.saturating_mul(2)),
    };
    *rest = rest.get(payload..).ok_or(DecodeError::Truncated)?;
    Ok(children)
}

/// Reads a big-endian length of `width` bytes.
fn length(rest: &mut &[u8], width: usize) -> Result<usize, DecodeError> {
    let (digits, after) = rest.split_at_checked(width).ok_or(DecodeError::Truncated)?;
    *rest = after;
    Ok(digits.iter().fold(0, |len, byte| (len << 8) | usize::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{decode, encode};
    use proptest::prelude::*;

    fn check(bytes: &[u8], want: Result<(), DecodeError>) {
        assert_eq!(scan(bytes, Limits::default()), want, "{bytes:02x?}");
    }

    #[test]
    fn what_is_well_formed_passes() {
        check(&[0xc0], Ok(()));
        check(&[0x93, 1, 2, 3], Ok(()));
        check(&[0x81, 0xa1, b'a', 0x90], Ok(()));
        check(&[0xd4, 1, 2], Ok(()));
        check(&[0xc4, 2, 0, 0], Ok(()));
    }

    #[test]
    fn what_lies_about_its_length_is_refused() {
        check(&[], Err(DecodeError::Truncated));
        check(&[0xdd, 0xff, 0xff, 0xff, 0xff], Err(DecodeError::Truncated));
        check(&[0xdf, 0xff, 0xff, 0xff, 0xff, 0], Err(DecodeError::Truncated));
        check(&[0xc6, 0xff, 0xff, 0xff, 0xff, 0], Err(DecodeError::Truncated));
        check(&[0xc0, 0xc0], Err(DecodeError::Trailing { len: 1 }));
        check(&[0xc1], Err(DecodeError::Marker { byte: 0xc1 }));
    }

    #[test]
    fn nesting_and_numbers_are_bounded() {
        let nested = |depth: usize| [vec![0x91; depth], vec![0xc0]].concat();
        check(&nested(32), Ok(()));
        check(&nested(33), Err(DecodeError::TooDeep { max: 32 }));
        check(&nested(60_000), Err(DecodeError::TooDeep { max: 32 }));
        let many = encode(&vec![0u8; 60_000]).expect("encodes");
        let few = Limits { items: 1000, ..Limits::default() };
        assert_eq!(scan(&many, few), Err(DecodeError::TooMany { max: 1000 }));
        assert!(matches!(
            scan(&[0; 11], Limits::of_bytes(10)),
            Err(DecodeError::TooLong { len: 11, max: 10 })
        ));
    }

    proptest! {
        #[test]
        fn what_we_encode_we_decode(value: Vec<(String, i64, Option<bool>)>) {
            let bytes = encode(&value).expect("encodes");
            prop_assert_eq!(decode::<Vec<(String, i64, Option<bool>)>>(&bytes, Limits::default()), Ok(value));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = scan(&bytes, Limits::default());
        }
    }
}
