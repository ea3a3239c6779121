//! Cuts that are no split: in one direction, and between two nodes that both reach a third.

use super::{all_counted, closes, fill, names, opens, ran_once, until_home};
use crate::Failure;
use crate::cluster::keeper::Keepers;
use crate::cluster::{Figures, Stage};
use std::time::Duration;

/// How long it lasts, unless it is told otherwise.
const LENGTH_S: u32 = 10;

/// The last node hears nobody, and everybody hears it.
pub(in super::super) async fn one_way(stage: &mut Stage) -> Result<Figures, Failure> {
    cut(stage, |stage, keepers| {
        let mut nodes = keepers.numbers();
        let deaf = keepers.host(nodes.pop().expect("there are nodes"));
        nodes.into_iter().try_for_each(|from| stage.net_mut().cut(keepers.host(from), deaf))
    })
    .await
}

/// The first two nodes cannot reach each other; all others reach both.
pub(in super::super) async fn non_transitive(stage: &mut Stage) -> Result<Figures, Failure> {
    cut(stage, |stage, keepers| {
        let (one, other) = (keepers.host(1), keepers.host(2));
        stage.net_mut().cut_between(&[one], &[other])
    })
    .await
}

/// Whoever was held dead meanwhile, and whatever ran twice: afterwards each name runs once, and what
/// it had counted is there, once.
async fn cut(
    stage: &mut Stage,
    cut: impl Fn(&mut Stage, &Keepers) -> Result<(), Failure>,
) -> Result<Figures, Failure> {
    let keepers = Keepers::start(stage).await?;
    fill(&keepers).await?;
    let window = opens();
    cut(stage, &keepers)?;
    tokio::time::sleep(Duration::from_secs(stage.seconds_or(LENGTH_S).into())).await;
    stage.net_mut().heal()?;
    let alive = keepers.until_all_alive().await?;
    let home = until_home(&keepers, &names()).await?;
    let lives = ran_once(&keepers, &names(), &[closes(window)])?;
    all_counted(&keepers, 1).await?;
    Ok(Figures::default()
        .and_count("names", names().len())
        .and_count("processes in all", lives.len())
        .and_time("once each, where it belongs, after all are alive", home - alive))
}
