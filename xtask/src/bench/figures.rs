//! Clocks, percentiles and memory.
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use crate::cpu_time;
pub(super) use crate::resident::bytes as resident;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A stopwatch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch(Instant);

impl Watch {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    pub(super) fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }

    pub(super) fn nanos(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The time of day in nanoseconds: the one clock that all processes of this machine share.
pub(super) fn wall_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The value below which `permille` of a thousand lie; 0 of nothing.
pub(super) fn percentile(sorted: &[u64], permille: usize) -> u64 {
    match sorted.len() {
        0 => 0,
        len => sorted[(len - 1) * permille / 1000],
    }
}

/// The median; 0 of nothing.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        len if len.is_multiple_of(2) => f64::midpoint(values[len / 2 - 1], values[len / 2]),
        len => values[len / 2],
    }
}

/// The processor time that this process has used, in milliseconds.
pub(super) fn cpu_ms() -> f64 {
    let time = cpu_time::of(std::process::id()).unwrap_or_default();
    time.as_secs_f64() * 1e3
}

/// What else runs on this machine: the load of the last minute.
pub(super) fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().next().unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_and_medians() {
        let values: Vec<u64> = (1..=1001).collect();
        assert_eq!(percentile(&values, 500), 501);
        assert_eq!(percentile(&values, 990), 991);
        assert_eq!(percentile(&[], 500), 0);
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&[4.0, 1.0]) - 2.5).abs() < f64::EPSILON);
        assert!(median(&[]).abs() < f64::EPSILON);
    }
}
