//! A node that is flooded with packets of nobody in the cluster.

use super::claim;
use crate::Failure;
use crate::cluster::agent::Kind;
use crate::cluster::stage::{Node, PATIENCE};
use crate::cluster::{Figures, Stage, now};
use serde_json::Value;
use std::time::Duration;

/// One node is flooded, and nobody notices but its counters.
pub(super) async fn flood(stage: &mut Stage) -> Result<Figures, Failure> {
    let nodes = stage.form().await?;
    let target = nodes[0];
    let mut flood = stage.start_flood(target, RATE, LENGTH).await?;
    let before = counters(stage, target).await?;
    let (begin, cpu_before) = (now(), stage.agent(target).cpu_time()?);
    flood.begin().await?;
    let calm = |stage: &Stage| {
        stage.silent_on(&nodes, begin, Kind::Suspected, &[])?;
        stage.silent_on(&nodes, begin, Kind::Failed, &[])
    };
    stage.hold(LENGTH, "no suspicion and no death", calm).await?;
    let counts = flood.end().await?;
    let cpu = (stage.agent(target).cpu_time()? - cpu_before).as_secs_f64() / counts.seconds;
    let after = counters(stage, target).await?;
    stage.hold(REST, "no suspicion and no death", calm).await?;
    stage.until_all_see_all(&nodes, PATIENCE).await?;

    let risen = |name: &str| number(&after, name) - number(&before, name);
    let silent = if counts.heard == 0 { Ok(()) } else { Err(counts.heard.to_string()) };
    claim("no packet in reply", silent)?;
    let still = KINDS.iter().find(|kind| risen(kind) == 0);
    claim("every count to rise", still.map_or(Ok(()), |kind| Err(format!("none {kind}"))))?;
    let n_refused: u64 = KINDS.iter().map(|kind| risen(kind)).sum();
    let sent = counts.sent - counts.lost;
    let counted = if n_refused <= sent { Ok(()) } else { Err(n_refused.to_string()) };
    claim(&format!("no more than {sent} packets to be counted"), counted)?;
    let idle = if cpu < 1.0 { Ok(()) } else { Err(format!("{cpu:.2}")) };
    claim("less than one processor", idle)?;
    let enough = sent as f64 / counts.seconds;
    let poured = if enough >= RATE as f64 * 0.9 { Ok(()) } else { Err(format!("{enough:.0}")) };
    claim(&format!("nine in ten of {RATE} packets a second to be sent"), poured)?;
    Ok(Figures::default()
        .and("sent", enough, "packets/s")
        .and("refused", n_refused as f64 / counts.seconds, "packets/s")
        .and_count("in reply", counts.heard as usize)
        .and("the node takes", cpu, "processors")
        .and_count("suspicions", 0)
        .and_count("deaths", 0))
}

async fn counters(stage: &mut Stage, node: Node) -> Result<Value, Failure> {
    Ok(stage.ask(node, "counters").await?["counters"].clone())
}

fn number(counters: &Value, name: &str) -> u64 {
    counters[name].as_u64().unwrap_or_default()
}

/// How many packets a second.
const RATE: u64 = 200_000;

const LENGTH: Duration = Duration::from_secs(10);

/// How long a suspicion is waited for after the flood.
const REST: Duration = Duration::from_secs(5);

/// What is counted of it.
const KINDS: [&str; 7] = [
    "refused_oversized",
    "refused_header",
    "refused_cluster",
    "refused_key",
    "refused_receiver",
    "refused_tag",
    "refused_replay",
];
