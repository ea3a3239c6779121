//! MessagePack for people.

use super::{Limits, scan};
use std::fmt::Write;

/// `bytes` as text, close to how Rust writes the value; bytes that are no MessagePack as hex.
#[must_use]
pub fn to_text(bytes: &[u8]) -> String {
    let mut text = String::new();
    match scan(bytes, Limits::of_bytes(usize::MAX)) {
        Ok(()) => write_value(&mut text, &mut &bytes[..]),
        Err(_) => write_hex(&mut text, bytes),
    }
    text
}

/// Writes the next value of `rest`, which has been scanned.
fn write_value(text: &mut String, rest: &mut &[u8]) {
    let marker = take(rest, 1)[0];
    match marker {
        0x00..=0x7f => write_number(text, u64::from(marker)),
        0xe0..=0xff => write_number(text, marker.cast_signed()),
        0xc2 | 0xc3 => write_number(text, marker == 0xc3),
        0xcc..=0xcf => {
            let value = unsigned(take(rest, 1 << (marker - 0xcc)));
            write_number(text, value);
        }
        0xd0..=0xd3 => {
            let digits = take(rest, 1 << (marker - 0xd0));
            let unused = 64 - 8 * digits.len() as u32;
            write_number(text, (unsigned(digits) << unused).cast_signed() >> unused);
        }
        0xca => write_number(text, f32::from_bits(unsigned(take(rest, 4)) as u32)),
        0xcb => write_number(text, f64::from_bits(unsigned(take(rest, 8)))),
        0xa0..=0xbf => write_text(text, take(rest, usize::from(marker & 0x1f))),
        0xd9..=0xdb => {
            let len = len(rest, 1 << (marker - 0xd9));
            write_text(text, take(rest, len));
        }
        0xc4..=0xc6 => {
            let len = len(rest, 1 << (marker - 0xc4));
            write_hex(text, take(rest, len));
        }
        0xc7..=0xc9 => {
            let len = len(rest, 1 << (marker - 0xc7));
            write_hex(text, take(rest, len + 1));
        }
        0xd4..=0xd8 => write_hex(text, take(rest, (1 << (marker - 0xd4)) + 1)),
        0x90..=0x9f => write_list(text, rest, usize::from(marker & 0x0f)),
        0xdc | 0xdd => {
            let count = len(rest, 2 << (marker - 0xdc));
            write_list(text, rest, count);
        }
        0x80..=0x8f => write_map(text, rest, usize::from(marker & 0x0f)),
        0xde | 0xdf => {
            let count = len(rest, 2 << (marker - 0xde));
            write_map(text, rest, count);
        }
        0xc0 | 0xc1 => text.push_str("()"),
    }
}

fn write_number(text: &mut String, number: impl std::fmt::Display) {
    let _ = write!(text, "{number}");
}

fn write_text(text: &mut String, utf8: &[u8]) {
    let _ = write!(text, "{:?}", String::from_utf8_lossy(utf8));
}

fn write_hex(text: &mut String, bytes: &[u8]) {
    text.push_str("0x");
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
}

fn write_list(text: &mut String, rest: &mut &[u8], count: usize) {
    text.push('[');
    for at in 0..count {
        text.push_str(if at == 0 { "" } else { ", " });
        write_value(text, rest);
    }
    text.push(']');
}

fn write_map(text: &mut String, rest: &mut &[u8], count: usize) {
    text.push('{');
    for at in 0..count {
        text.push_str(if at == 0 { "" } else { ", " });
        write_value(text, rest);
        text.push_str(": ");
        write_value(text, rest);
    }
    text.push('}');
}

fn len(rest: &mut &[u8], width: usize) -> usize {
    unsigned(take(rest, width)) as usize
}

fn unsigned(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |value, byte| (value << 8) | u64::from(*byte))
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, after) = rest.split_at(len);
    *rest = after;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::encode;
    use proptest::prelude::*;
    use serde::Serialize;

    fn check<T: Serialize>(value: T, want: &str) {
        assert_eq!(to_text(&encode(&value).expect("encodes")), want);
    }

    #[test]
    fn values_show_as_rust_writes_them() {
        check(7, "7");
        check(300, "300");
        check(-1, "-1");
        check(-40_000, "-40000");
        check(i64::MIN, "-9223372036854775808");
        check(2.5, "2.5");
        check(("a", true, ()), "[\"a\", true, ()]");
        check([("k", 1)].into_iter().collect::<std::collections::BTreeMap<_, _>>(), "{\"k\": 1}");
        check("x".repeat(40), &format!("{:?}", "x".repeat(40)));
    }

    #[test]
    fn what_is_no_value_shows_as_hex() {
        assert_eq!(to_text(&[0xc1, 0x02]), "0xc102");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = to_text(&bytes);
        }
    }
}
