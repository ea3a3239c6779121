//! A split under a quorum: what is cut off stops before anybody else starts it.

use super::{counts_through, fill, names, part, ran_once, runs_on, until_home, until_side_runs};
use crate::Failure;
use crate::cluster::keeper::{Keepers, PATIENCE, Setup, Table, until};
use crate::cluster::ledger::{last_end, now_us};
use crate::cluster::{Figures, Stage, now};
use std::collections::BTreeSet;
use std::time::Duration;

/// The first nodes, as many as are wanted, against the others. Nothing excuses two of a name at any
/// time.
pub(in super::super) async fn split(stage: &mut Stage) -> Result<Figures, Failure> {
    let wanted = stage.keeper_places().len() / 2 + 1;
    let keepers =
        Keepers::start_as(stage, &Setup { quorum: Some(wanted), ..Setup::default() }).await?;
    fill(&keepers).await?;
    let mut nodes = keepers.numbers();
    let others = nodes.split_off(wanted);
    let sides = [nodes, others];
    let members = keepers.members().await?.remove(&1).unwrap_or_default();
    let table: Table = keepers.tables().await?.remove(&1).unwrap_or_default();
    let is_minor =
        |pid: &&String| sides[1].iter().any(|node| runs_on(pid, &members[&format!("n{node}")]));
    let minor: BTreeSet<String> = table.names.values().filter(is_minor).cloned().collect();
    let (cut, cut_us) = (now(), now_us());
    part(stage, &keepers, &sides).await?;
    until(PATIENCE, "the minority to run nothing", async || {
        let mut tables = keepers.tables().await?;
        tables.retain(|node, _| sides[1].contains(node));
        let left: usize = tables.values().map(|table| table.names.len()).sum();
        Ok(if left == 0 { Ok(()) } else { Err(format!("{left} names in its tables")) })
    })
    .await?;
    let run = until_side_runs(&keepers, &sides[0], &names()).await?;
    let stopped_us = last_end(&keepers.lives()?, cut_us, &minor)
        .ok_or_else(|| Failure::new("processes of the minority have not ended"))?;
    stage.net_mut().heal()?;
    let alive = keepers.until_all_alive().await?;
    let home = until_home(&keepers, &names()).await?;
    ran_once(&keepers, &names(), &[])?;
    // More than the minority had: whoever is one of just as many as are wanted stops, too, where it
    // does not hear in time that the others see the same nodes.
    let lost = counts_through(&keepers, 1).await?.into_values().filter(|count| *count == 0).count();
    Ok(Figures::default()
        .and_count("names", names().len())
        .and_count("of the minority", minor.len())
        .and_count("started again", lost)
        .and_time("minority stopped after", Duration::from_micros(stopped_us - cut_us))
        .and_time("majority runs all after", run - cut)
        .and_time("once each, where it belongs, after all are alive", home - alive))
}
