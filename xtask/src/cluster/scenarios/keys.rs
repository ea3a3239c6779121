//! Clusters that change their secret.

use super::claim;
use crate::Failure;
use crate::cluster::agent::Kind;
use crate::cluster::setting::new_secret;
use crate::cluster::stage::{Node, PATIENCE, Start};
use crate::cluster::{Figures, Stage, now};
use std::time::Duration;

/// One node has all learn a new secret, then seal with it, then forget the old one.
pub(super) async fn rotation(stage: &mut Stage) -> Result<Figures, Failure> {
    let nodes = stage.form().await?;
    let new = new_secret();
    let begin = now();
    let before = keys(&stage.ask(nodes[0], "keys").await?);
    let installed = stage.ask(nodes[0], &format!("install {new}")).await?;
    let new_key = installed["key"].as_str().unwrap_or_default().to_owned();
    for step in [format!("use {new_key}"), format!("remove {}", before.join(" "))] {
        let done = stage.ask(nodes[0], &step).await?;
        let n_confirmed = done["confirmed"].as_u64();
        let all = nodes.len() as u64 - 1;
        let all = if n_confirmed == Some(all) { Ok(()) } else { Err(format!("{done}")) };
        claim("every member has confirmed", all)?;
    }
    for node in &nodes {
        let held = keys(&stage.ask(*node, "keys").await?);
        let alone = if held == [new_key.clone()] { Ok(()) } else { Err(format!("{held:?}")) };
        claim("the new key alone on every node", alone)?;
    }
    let alive = |stage: &Stage| stage.silent_on(&nodes, begin, Kind::Failed, &[]);
    stage.hold(ROUND, "no death", alive).await?;
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

fn keys(reply: &serde_json::Value) -> Vec<String> {
    let keys = reply["keys"].as_array().into_iter().flatten();
    keys.filter_map(|key| key.as_str().map(str::to_owned)).collect()
}

/// As long as a round of probes takes.
const ROUND: Duration = Duration::from_secs(5);
