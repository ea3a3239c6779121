//! Clusters that change their secret.

use super::claim;
use crate::Failure;
use crate::cluster::agent::Kind;
use crate::cluster::setting::new_secret;
use crate::cluster::stage::{Node, PATIENCE, Start};
use crate::cluster::{Figures, Stage, now};
use std::time::Duration;

/// Every node learns a new secret, then seals with it, then forgets the old one.
pub(super) async fn rotation(stage: &mut Stage) -> Result<Figures, Failure> {
    let nodes = stage.form().await?;
    let (old, new) = (stage.secret(), new_secret());
    let begin = now();
    for secrets in [format!("{old} {new}"), format!("{new} {old}"), new.clone()] {
        for node in &nodes {
            stage.ask(*node, &format!("keys {secrets}")).await?;
        }
        let alive = |stage: &Stage| stage.silent_on(&nodes, begin, Kind::Failed, &[]);
        stage.hold(STEP_REST, "no death", alive).await?;
    }
    let n_refused = refused(stage, &nodes).await?;
    claim(
        "no packet that a member cannot open",
        match n_refused {
            0 => Ok(()),
            n => Err(format!("{n} packets")),
        },
    )?;

    let outsider = stage.start("outsider", stage.spare_host(0), &Start::default()).await?;
    stage.join_others(outsider, &nodes).await?;
    let hears = |reply: &serde_json::Value| {
        reply["counters"]["refused_key"].as_u64().is_some_and(|n| n > 0)
    };
    stage.until_reply(nodes[0], "counters", "packets under the old key", hears).await?;
    claim("nobody to let it in", stage.all_see_all(&nodes))?;

    let start = Start { secret: Some(new), ..Start::default() };
    let newcomer = stage.start("newcomer", stage.spare_host(1), &start).await?;
    let joined = stage.join_others(newcomer, &nodes).await?;
    let all = [&nodes[..], &[newcomer]].concat();
    let done = stage.until_all_see_all(&all, PATIENCE).await?;
    Ok(Figures::default()
        .and_count("suspicions heard", stage.count(&nodes, begin, Kind::Suspected))
        .and_count("deaths", 0)
        .and_time("a newcomer is seen after", done - joined))
}

/// How many packets `nodes` could not open for want of the key.
async fn refused(stage: &mut Stage, nodes: &[Node]) -> Result<u64, Failure> {
    let mut n = 0;
    for node in nodes {
        let reply = stage.ask(*node, "counters").await?;
        n += reply["counters"]["refused_key"].as_u64().unwrap_or_default();
    }
    Ok(n)
}

/// Between two steps: as long as a round of probes takes.
const STEP_REST: Duration = Duration::from_secs(5);
