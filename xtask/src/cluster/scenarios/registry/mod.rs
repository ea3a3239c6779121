//! Names and groups on nodes of the whole product.

pub(super) mod churn;
pub(super) mod contend;
pub(super) mod cut_link;
pub(super) mod kill;
pub(super) mod loss;
pub(super) mod split;

use super::claim;
use crate::Failure;
use crate::cluster::keeper::{Keepers, Report};
use std::collections::BTreeMap;
use std::time::Duration;

/// Within this time after all nodes are alive in all views, all tables are equal.
const CONVERGED: Duration = Duration::from_secs(2);

/// Nothing that was asked may have failed.
fn no_failures(reports: &BTreeMap<usize, Report>) -> Result<(), Failure> {
    let bad = reports.iter().find(|(_, report)| report.failed > 0);
    claim(
        "no registration to fail",
        bad.map_or(Ok(()), |(node, Report { failed, complaints, .. })| {
            Err(format!("{failed} on n{node}: {}", complaints.join("; ")))
        }),
    )
}

/// The slowest registration of all.
fn slowest(reports: &BTreeMap<usize, Report>) -> Duration {
    Duration::from_micros(reports.values().map(|report| report.slowest_us).max().unwrap_or(0))
}

/// What all loads have registered and not taken away, of all nodes together.
async fn all_held(keepers: &Keepers) -> Result<BTreeMap<String, String>, Failure> {
    Ok(keepers.held().await?.into_values().flatten().collect())
}
