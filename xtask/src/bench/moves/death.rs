//! One of three nodes dies: how that grows with the names.

use super::home::{LIGHT, fill, start};
use super::names;
use crate::Failure;
use crate::bench::dying;
use crate::bench::figures::median;
use crate::bench::rows::Row;

/// How many names, and how soon all of them run.
const CELLS: [(u64, &str, f64); 3] =
    [(10_000, "10,000", 0.3), (20_000, "20,000", 0.5), (30_000, "30,000", 0.8)];

/// Of each, as many rounds: the middle one counts.
const ROUNDS: usize = 3;

/// How much longer three times the names may take.
const GROWTH_MAX: f64 = 3.6;

pub(super) fn measure() -> Result<Vec<Row>, Failure> {
    let (mut rows, mut medians) = (Vec::new(), Vec::new());
    for (count, shown, most) in CELLS {
        let mut seconds = Vec::new();
        for _ in 0..ROUNDS {
            let mut nodes = start(3)?;
            nodes.step(&format!("{shown} names, one of three nodes dies"));
            fill(&mut nodes, count, LIGHT)?;
            seconds.push(dying::last(&mut nodes, names(count))?);
        }
        let middle = median(&seconds);
        medians.push(middle);
        let row = format!("{shown} names, one of three nodes dies: all running");
        rows.push(Row::at_most(row, middle, "s", most));
    }
    let growth = medians[medians.len() - 1] / medians[0];
    rows.push(Row::at_most(
        "one of three nodes dies: 30,000 names against 10,000",
        growth,
        "x",
        GROWTH_MAX,
    ));
    Ok(rows)
}
