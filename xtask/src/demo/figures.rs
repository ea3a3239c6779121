//! Figures: how they are worked out and written.

use serde::Serialize;

/// A figure that a step has measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
}

impl Figure {
    /// A number of things.
    pub(crate) fn number(name: &'static str, value: impl Into<Number>) -> Self {
        Self { name, value: value.into().0, unit: "" }
    }

    /// A duration, given in microseconds.
    pub(crate) fn micros(name: &'static str, us: u64) -> Self {
        Self { name, value: us as f64 / 1_000.0, unit: "ms" }
    }
}

/// What a number of things can be given as.
pub(crate) struct Number(f64);

impl From<u64> for Number {
    fn from(n: u64) -> Self {
        Self(n as f64)
    }
}

impl From<usize> for Number {
    fn from(n: usize) -> Self {
        Self(n as f64)
    }
}

/// The value that `percent` of `sorted` are not above (the nearest rank); 0 of none.
pub(crate) fn percentile(sorted: &[u64], percent: usize) -> u64 {
    debug_assert!(sorted.is_sorted());
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0)
}

/// `10,000`.
pub(crate) fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `0.21 ms`, `41 ms` or `1.23 s`, of microseconds.
pub(crate) fn time(us: u64) -> String {
    match us {
        0..10_000 => format!("{:.2} ms", us as f64 / 1_000.0),
        10_000..1_000_000 => format!("{} ms", us / 1_000),
        _ => format!("{:.2} s", us as f64 / 1_000_000.0),
    }
}

/// How many there are in a second.
pub(crate) fn rate(n: usize, us: u64) -> usize {
    (n as f64 * 1_000_000.0 / us.max(1) as f64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!(percentile(&hundred, 50), 50);
        assert_eq!(percentile(&hundred, 99), 99);
        assert_eq!(percentile(&hundred, 100), 100);
        assert_eq!(percentile(&[7], 1), 7);
        assert_eq!(percentile(&[1, 9], 50), 1);
        assert_eq!(percentile(&[], 99), 0);
    }

    #[test]
    fn numbers_are_written_for_people() {
        let counts = [0, 7, 999, 1_000, 10_000, 123_456, 1_234_567].map(count);
        assert_eq!(counts, ["0", "7", "999", "1,000", "10,000", "123,456", "1,234,567"]);
        let times = [210, 9_999, 41_900, 999_999, 1_234_000].map(time);
        assert_eq!(times, ["0.21 ms", "10.00 ms", "41 ms", "999 ms", "1.23 s"]);
        assert_eq!(rate(10_000, 2_000_000), 5_000);
        assert_eq!(rate(1, 0), 1_000_000);
    }
}
