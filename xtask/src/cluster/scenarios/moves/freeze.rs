//! A node that stops with its workers, is held dead, and goes on.

use super::{add, all_counted, closes, fill, names, opens, ran_once, until_home, until_side_runs};
use crate::Failure;
use crate::cluster::keeper::Keepers;
use crate::cluster::{Figures, Stage, now};
use crate::process::Signal;
use std::time::Duration;

/// Until the others run all its names.
pub(in super::super) async fn short(stage: &mut Stage) -> Result<Figures, Failure> {
    freeze(stage, Duration::ZERO).await
}

/// For at least half a minute.
pub(in super::super) async fn long(stage: &mut Stage) -> Result<Figures, Failure> {
    freeze(stage, Duration::from_secs(30)).await
}

async fn freeze(stage: &mut Stage, length: Duration) -> Result<Figures, Failure> {
    let keepers = Keepers::start(stage).await?;
    fill(&keepers).await?;
    let mut others = keepers.numbers();
    let frozen = others.pop().expect("there are nodes");
    let (begin, window) = (now(), opens());
    keepers.signal(frozen, Signal::Stop).await?;
    let run = until_side_runs(&keepers, &others, &names()).await?;
    add(&keepers, 1).await?;
    tokio::time::sleep(length.saturating_sub(begin.elapsed())).await;
    keepers.signal(frozen, Signal::Continue).await?;
    let alive = keepers.until_all_alive().await?;
    let home = until_home(&keepers, &names()).await?;
    ran_once(&keepers, &names(), &[closes(window)])?;
    all_counted(&keepers, 2).await?;
    Ok(Figures::default()
        .and_count("names", names().len())
        .and_time("all run elsewhere after", run - begin)
        .and_time("once each, where it belongs, after all are alive", home - alive))
}
