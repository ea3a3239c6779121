//! Clusters to which nothing happens: they form, and they rest.

use crate::Failure;
use crate::cluster::agent::Kind;
use crate::cluster::net::Traffic;
use crate::cluster::stage::{Node, PATIENCE, Start};
use crate::cluster::{Figures, Stage, now};
use std::time::Duration;

/// All nodes join at once.
pub(super) async fn join(stage: &mut Stage) -> Result<Figures, Failure> {
    let nodes = stage.start_all(|_| Start::default()).await?;
    let begin = stage.join(&nodes).await?;
    let done = stage.until_all_see_all(&nodes, PATIENCE).await?;
    let sent: u64 = traffic(stage, &nodes)?.iter().map(|traffic| traffic.sent.bytes).sum();
    stage
        .hold(JOIN_REST, "no death", |stage| stage.silent_on(&nodes, begin, Kind::Failed, &[]))
        .await?;
    for node in &nodes {
        let reply = stage.ask(*node, "members").await?;
        let members = reply["members"].as_array().map_or(&[][..], Vec::as_slice);
        let n_alive = members.iter().filter(|member| member["state"] == "alive").count();
        if n_alive != nodes.len() {
            let name = stage.agent(*node).name();
            return Err(Failure::new(format!("expected a table of all; saw {n_alive} at {name}")));
        }
    }
    Ok(Figures::default().and_time("all see all after", done - begin).and(
        "sent per node",
        sent as f64 / nodes.len() as f64 / 1000.0,
        "kB",
    ))
}

/// Nothing happens.
pub(super) async fn steady(stage: &mut Stage) -> Result<Figures, Failure> {
    let nodes = stage.form().await?;
    let begin = now();
    let calm = |stage: &Stage| stage.silent_on(&nodes, begin, Kind::Failed, &[]);
    stage.hold(STEADY_REST, "no death", calm).await?;
    let (before, cpu_before) = (traffic(stage, &nodes)?, cpu_time(stage, &nodes)?);
    let measured = now();
    stage.hold(STEADY_LENGTH, "no death", calm).await?;
    let seconds = measured.elapsed().as_secs_f64();
    let after = traffic(stage, &nodes)?;
    let cpu = (cpu_time(stage, &nodes)? - cpu_before).as_secs_f64() * 1000.0;
    let sent = after.iter().zip(&before).map(|(after, before)| (*after - *before).sent);
    let sent: Vec<_> = sent.collect();
    let rate = |total: u64| total as f64 / nodes.len() as f64 / seconds;
    let packets = sent.iter().map(|sent| sent.packets).sum();
    let bytes: u64 = sent.iter().map(|sent| sent.bytes).sum();
    if sent.iter().any(|sent| sent.packets == 0) {
        return Err(Failure::new("expected packets from every node; saw a node that sends none"));
    }
    let busiest = sent.iter().map(|sent| sent.packets).max().unwrap_or_default();
    Ok(Figures::default()
        .and("a node sends", rate(packets), "packets/s")
        .and("the busiest", busiest as f64 / seconds, "packets/s")
        .and("payload", rate(bytes.saturating_sub(packets * HEADERS_LEN)), "B/s")
        .and("with headers", rate(bytes), "B/s")
        .and("processor", cpu / nodes.len() as f64 / seconds, "ms/s")
        .and_count("suspicions heard", stage.count(&nodes, begin, Kind::Suspected)))
}

fn traffic(stage: &Stage, nodes: &[Node]) -> Result<Vec<Traffic>, Failure> {
    nodes.iter().map(|node| stage.net().traffic(stage.host(*node))).collect()
}

/// For how long all of `nodes` together have had a processor.
fn cpu_time(stage: &Stage, nodes: &[Node]) -> Result<Duration, Failure> {
    nodes.iter().map(|node| stage.agent(*node).cpu_time()).sum()
}

/// What a datagram costs besides its own bytes: headers of Ethernet, IPv4 and UDP.
const HEADERS_LEN: u64 = 14 + 20 + 8;

/// After a join nobody dies for as long as several probes take.
const JOIN_REST: Duration = Duration::from_secs(2);

/// Before the measurement, what was news at the join has been passed on.
const STEADY_REST: Duration = Duration::from_secs(5);

/// How long is measured.
const STEADY_LENGTH: Duration = Duration::from_secs(20);
