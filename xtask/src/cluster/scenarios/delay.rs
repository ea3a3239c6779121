//! Networks that are slow, that send twice and that mix up the order.

use super::claim;
use super::deaths::{DEATH_LIMIT, kill_last};
use crate::Failure;
use crate::cluster::agent::Kind;
use crate::cluster::relay::{Counts, Disorder};
use crate::cluster::stage::PATIENCE;
use crate::cluster::{Figures, Stage};
use std::time::Duration;

/// All packets pass a relay. Then a node is killed.
pub(super) async fn delay_reorder(stage: &mut Stage) -> Result<Figures, Failure> {
    let mut relay = stage.start_relay(&DISORDER).await?;
    let nodes = stage.start_all_behind_relay().await?;
    let begin = stage.join(&nodes).await?;
    let joined = stage.until_all_see_all(&nodes, PATIENCE).await?;
    let alive = |stage: &Stage| stage.silent_on(&nodes, begin, Kind::Failed, &[]);
    stage.hold(DELAY_LENGTH, "no death", alive).await?;
    let suspicions = stage.count(&nodes, begin, Kind::Suspected);
    let counts = relay.counts().await?;
    claim("a relay that mixes up what it is sent", is_mixed(&counts))?;

    let figures = Figures::default()
        .and_time("all see all after", joined - begin)
        .and("overtaken", counts.overtaken as f64 * 100.0 / counts.passed as f64, "%")
        .and_count("suspicions heard", suspicions);
    kill_last(stage, &nodes, DEATH_LIMIT, figures).await
}

fn is_mixed(counts: &Counts) -> Result<(), String> {
    let mixed = [counts.taken, counts.passed, counts.held_back, counts.doubled, counts.overtaken];
    let clean = counts.strange == 0 && counts.overflow == 0;
    if clean && mixed.iter().all(|n| *n > 0) { Ok(()) } else { Err(format!("{counts:?}")) }
}

/// Round trips of 10 to 100 ms; one packet in ten behind those that were sent up to 100 ms after
/// it, one in ten twice.
const DISORDER: Disorder = Disorder {
    seed: 1,
    delay_ms_min: 5,
    delay_ms_max: 50,
    reordered: 100,
    held_ms: 100,
    doubled: 100,
};

/// How long nobody may die.
const DELAY_LENGTH: Duration = Duration::from_secs(20);
