//! Two sides of a partition, each of which runs all names.

use super::{
    add, all_counted, closes, fill, names, opens, part, ran_once, until_home, until_side_runs,
};
use crate::Failure;
use crate::cluster::keeper::Keepers;
use crate::cluster::{Figures, Stage, now};

/// The first `left` nodes against all others. Each name counts once before the split, and once on
/// each side: after the heal the one that is left has counted all of it, once.
pub(in super::super) async fn split(stage: &mut Stage, left: usize) -> Result<Figures, Failure> {
    let keepers = Keepers::start(stage).await?;
    fill(&keepers).await?;
    let mut nodes = keepers.numbers();
    let others = nodes.split_off(left);
    let sides = [nodes, others];
    stage.say(&format!("{} against {}", sides[0].len(), sides[1].len()));
    let (cut, window) = (now(), opens());
    let apart = part(stage, &keepers, &sides).await?;
    let mut run = apart;
    for side in &sides {
        run = run.max(until_side_runs(&keepers, side, &names()).await?);
    }
    for side in &sides {
        add(&keepers, side[0]).await?;
    }
    stage.net_mut().heal()?;
    let alive = keepers.until_all_alive().await?;
    let home = until_home(&keepers, &names()).await?;
    ran_once(&keepers, &names(), &[closes(window)])?;
    all_counted(&keepers, 3).await?;
    Ok(Figures::default()
        .and_count("names", names().len())
        .and_time("each side alone after", apart - cut)
        .and_time("both run all after", run - cut)
        .and_time("once each, where it belongs, after all are alive", home - alive))
}
