//! A network that loses packets while all register.

use super::{CONVERGED, all_held, slowest};
use crate::Failure;
use crate::cluster::keeper::{Keepers, Load, Report, Request, Way, exactly, name};
use crate::cluster::net::From;
use crate::cluster::{Figures, Stage};
use std::collections::BTreeMap;
use std::time::Duration;

/// How much every host loses of what arrives, in thousandths.
const LOSS: u32 = 200;

const SECONDS: u32 = 10;

/// How many names each node registers.
const PER_SECOND: u32 = 200;

/// Half of the names are taken away again.
const WINDOW: u64 = PER_SECOND as u64 * SECONDS as u64 / 2;

/// Every host loses packets, while every node registers and takes away.
pub(in super::super) async fn loss(stage: &mut Stage) -> Result<Figures, Failure> {
    let keepers = Keepers::start(stage).await?;
    for node in keepers.numbers() {
        stage.net_mut().lose(keepers.host(node), From::Anybody, LOSS)?;
    }
    let load = |node| Load {
        prefix: name(node),
        way: Way::Pid,
        count: None,
        per_second: PER_SECOND,
        window: Some(WINDOW),
    };
    let _: BTreeMap<_, ()> = keepers.ask_all(|node| Request::Begin(load(node))).await?;
    let seconds = stage.seconds_or(SECONDS);
    for second in 1..=seconds {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if second % 5 == 0 {
            let reports: BTreeMap<usize, Report> = keepers.ask_all(|_| Request::Progress).await?;
            let n: u64 = reports.values().map(|report| report.registered).sum();
            stage.say(&format!("{n} names, while {} % is lost", LOSS / 10));
        }
    }
    let reports: BTreeMap<usize, Report> = keepers.ask_all(|_| Request::End).await?;
    stage.net_mut().heal()?;
    let alive = keepers.until_all_alive().await?;
    let held = all_held(&keepers).await?;
    let whole = keepers
        .until_tables(CONVERGED, "equal tables with every Ok", |tables| exactly(tables, &held));
    let equal_after = whole.await?.saturating_duration_since(alive);
    let failed: u64 = reports.values().map(|report| report.failed).sum();
    let registered: u64 = reports.values().map(|report| report.registered).sum();
    Ok(Figures::default()
        .and_count("registered", registered as usize)
        .and_count("failed", failed as usize)
        .and_time("slowest", slowest(&reports))
        .and_count("names at the end", held.len())
        .and_time("tables equal after", equal_after))
}
