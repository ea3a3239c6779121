//! How many names a node takes, compared with others.

use crate::ConfigError;
use std::fmt;

/// A node's share of the names, relative to the other nodes': twice the weight, twice the names.
///
/// From 0.0625 to 64, in steps of 1/512; 1.0 by default. It is kept as a whole number of ring
/// points, so that what a node advertises and what its peers compute from it is the same number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(u32);

impl Weight {
    /// The least weight, 0.0625. With 32 points on the ring a node's share is within a third of
    /// what it should be; with fewer it would mean nothing.
    pub const MIN: Self = Self(32);

    /// The greatest weight, 64. It bounds what one node can make all others compute.
    pub const MAX: Self = Self(64 * Self::POINTS_PER_UNIT);

    /// Ring points of weight 1.0. With 128, as libring has them, the fullest of 50 nodes holds 22 %
    /// more than its share; with 512 about 10 %, and one cluster in twenty sees 14 %.
    pub const POINTS_PER_UNIT: u32 = 512;

    /// The weight nearest to `value`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for what is not a number from 0.0625 to 64.
    pub fn new(value: f64) -> Result<Self, ConfigError> {
        let points = (value * f64::from(Self::POINTS_PER_UNIT)).round();
        if !(f64::from(Self::MIN.0)..=f64::from(Self::MAX.0)).contains(&points) {
            return Err(ConfigError::new("weight", value, EXPECTED));
        }
        // In range of `u32`, and whole.
        Ok(Self(points as u32))
    }

    /// The weight of so many ring points, as [`points`](Self::points) gave them.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] outside 32 to 32,768.
    pub fn from_points(points: u32) -> Result<Self, ConfigError> {
        if !(Self::MIN.0..=Self::MAX.0).contains(&points) {
            let value = f64::from(points) / f64::from(Self::POINTS_PER_UNIT);
            return Err(ConfigError::new("weight", value, EXPECTED));
        }
        Ok(Self(points))
    }

    /// How many points the node has on the ring, from 32 to 32,768. This is what travels.
    #[must_use]
    pub const fn points(self) -> u32 {
        self.0
    }

    /// The weight as a number.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / f64::from(Self::POINTS_PER_UNIT)
    }
}

const EXPECTED: &str = "number from 0.0625 to 64";

impl Default for Weight {
    fn default() -> Self {
        Self(Self::POINTS_PER_UNIT)
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_f64(), f)
    }
}

impl fmt::Debug for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Weight({self})")
    }
}

impl TryFrom<f64> for Weight {
    type Error = ConfigError;

    fn try_from(value: f64) -> Result<Self, ConfigError> {
        Self::new(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_rounded_to_whole_points() {
        for (value, points) in
            [(1.0, 512), (2.0, 1024), (0.0625, 32), (64.0, 32_768), (0.1, 51), (1.0 / 3.0, 171)]
        {
            let weight = Weight::new(value).expect("in range");
            assert_eq!(weight.points(), points);
            assert_eq!(Weight::from_points(points), Ok(weight));
            assert!((weight.as_f64() - value).abs() <= 0.5 / 512.0);
        }
        assert_eq!(Weight::default(), Weight::new(1.0).expect("in range"));
    }

    #[test]
    fn what_is_no_weight_is_refused_by_name() {
        for value in [0.0, -1.0, 0.06, 64.1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let error = Weight::new(value).expect_err("out of range");
            assert_eq!(error.setting, "weight");
            assert_eq!(error.value, value.to_string());
        }
        assert!(Weight::from_points(31).is_err() && Weight::from_points(32_769).is_err());
        assert_eq!(
            Weight::new(-1.0).expect_err("negative").to_string(),
            "weight is \"-1\", want a number from 0.0625 to 64"
        );
    }
}
