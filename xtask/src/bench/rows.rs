//! The figures, beside the floors that they must reach.

use serde::Serialize;
use std::fmt;

/// One figure.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    row: String,
    value: f64,
    unit: &'static str,
    floor: f64,
    ok: bool,
    #[serde(skip)]
    better: Better,
}

/// Which side of the floor is the good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Better {
    Higher,
    Lower,
}

impl Row {
    /// A figure that must be at least `floor`.
    pub(super) fn at_least(
        row: impl Into<String>,
        value: f64,
        unit: &'static str,
        floor: f64,
    ) -> Self {
        Self { row: row.into(), value, unit, floor, ok: value >= floor, better: Better::Higher }
    }

    /// A figure that must be at most `floor`.
    pub(super) fn at_most(
        row: impl Into<String>,
        value: f64,
        unit: &'static str,
        floor: f64,
    ) -> Self {
        Self { row: row.into(), value, unit, floor, ok: value <= floor, better: Better::Lower }
    }

    /// The same row of several rounds: their median.
    pub(super) fn median(rounds: &[&Self]) -> Self {
        let middle = |of: fn(&Self) -> f64| {
            super::figures::median(&rounds.iter().map(|row| of(row)).collect::<Vec<_>>())
        };
        let (first, value) = (rounds[0], middle(|row| row.value));
        let (row, floor) = (first.row.clone(), middle(|row| row.floor));
        match first.better {
            Better::Higher => Self::at_least(row, value, first.unit, floor),
            Better::Lower => Self::at_most(row, value, first.unit, floor),
        }
    }

    pub(super) const fn is_ok(&self) -> bool {
        self.ok
    }

    pub(super) fn name(&self) -> &str {
        &self.row
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.better {
            Better::Higher => "≥",
            Better::Lower => "≤",
        };
        let (value, floor) = (number(self.value), number(self.floor));
        let verdict = if self.ok { "ok" } else { "MISSED" };
        let Self { row, unit, .. } = self;
        write!(f, "{row:<64} {value:>11} {unit:<4} {sign} {floor:>9}  {verdict}")
    }
}

/// Three digits that count, and groups of three.
fn number(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(number(1.234), "1.23");
        assert_eq!(number(999.6), "1,000");
        assert_eq!(number(1_234_567.0), "1,234,567");
    }

    #[test]
    fn a_row_is_judged_by_its_floor() {
        assert!(Row::at_least("x", 2.0, "/s", 2.0).is_ok());
        assert!(!Row::at_least("x", 1.9, "/s", 2.0).is_ok());
        assert!(Row::at_most("x", 2.0, "ms", 2.0).is_ok());
        assert!(!Row::at_most("x", 2.1, "ms", 2.0).is_ok());
    }

    #[test]
    fn the_median_of_rounds_is_judged_anew() {
        let rounds = [3.0, 1.0, 2.5].map(|value| Row::at_least("x", value, "/s", 2.0));
        let row = Row::median(&rounds.iter().collect::<Vec<_>>());
        assert!((row.value - 2.5).abs() < f64::EPSILON);
        assert!(row.is_ok());
    }

    #[test]
    fn json_has_the_five_fields() {
        let row = Row::at_most("a", 1.5, "ms", 5.0);
        let json = serde_json::to_string(&[row]).expect("it encodes");
        assert_eq!(json, r#"[{"row":"a","value":1.5,"unit":"ms","floor":5.0,"ok":true}]"#);
    }
}
