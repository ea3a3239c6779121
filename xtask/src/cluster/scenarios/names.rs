//! One name: a second life of it, a second place, a second holder.

use super::claim;
use crate::Failure;
use crate::cluster::agent::Kind;
use crate::cluster::net::Host;
use crate::cluster::stage::{Node, PATIENCE, Start};
use crate::cluster::{Figures, Stage, now};
use std::time::Duration;

/// A node is killed and starts anew where it was.
pub(super) async fn restart_same_address(stage: &mut Stage) -> Result<Figures, Failure> {
    let nodes = stage.form().await?;
    let (others, old) = (&nodes[..nodes.len() - 1], nodes[nodes.len() - 1]);
    let host = stage.host(old);
    restart(stage, others, old, host, &Start::default()).await.map(|(_, figures)| figures)
}

/// A node is killed and starts anew on another host.
pub(super) async fn address_change(stage: &mut Stage) -> Result<Figures, Failure> {
    let nodes = stage.form().await?;
    let (others, old) = (&nodes[..nodes.len() - 1], nodes[nodes.len() - 1]);
    let host = stage.spare_host(0);
    restart(stage, others, old, host, &Start::default()).await.map(|(_, figures)| figures)
}

/// A node is killed and starts anew with a clock that is an hour behind.
pub(super) async fn clock_back(stage: &mut Stage) -> Result<Figures, Failure> {
    let nodes = stage.form().await?;
    let (others, old) = (&nodes[..nodes.len() - 1], nodes[nodes.len() - 1]);
    let (host, start) = (stage.host(old), Start { clock_ahead: -3600, ..Start::default() });
    restart(stage, others, old, host, &start).await.map(|(_, figures)| figures)
}

/// A node is killed and starts anew with a clock that is a day ahead; then again, with the clock
/// put right.
pub(super) async fn clock_ahead(stage: &mut Stage) -> Result<Figures, Failure> {
    let nodes = stage.form().await?;
    let (others, old) = (&nodes[..nodes.len() - 1], nodes[nodes.len() - 1]);
    let (host, start) = (stage.host(old), Start { clock_ahead: 24 * 3600, ..Start::default() });
    let (ahead, _) = restart(stage, others, old, host, &start).await?;
    restart(stage, others, ahead, host, &Start::default()).await.map(|(_, figures)| figures)
}

/// Kills a node and starts it anew.
async fn restart(
    stage: &mut Stage,
    others: &[Node],
    old: Node,
    host: Host,
    start: &Start,
) -> Result<(Node, Figures), Failure> {
    let (name, former) = (stage.agent(old).name().to_owned(), stage.life(old));
    let begin = stage.agent_mut(old).kill().await?;
    let new = stage.start(&name, host, start).await?;
    let joined = stage.join_others(new, others).await?;
    let all = [others, &[new]].concat();
    let done = stage.until_all_see_all(&all, PATIENCE).await?;
    // News of the former life is still about: it must not kill this one.
    let one_death = |stage: &Stage| stage.silent_on(&all, begin, Kind::Failed, &[&former]);
    stage.hold(RESTART_REST, "no death but of the former life", one_death).await?;
    claim("all nodes alive in every view", stage.all_see_all(&all))?;
    let figures = Figures::default()
        .and_time("down for", joined - begin)
        .and_time("all see it after", done - joined);
    Ok((new, figures))
}

/// A second node takes a name that another one has.
pub(super) async fn two_of_a_name(stage: &mut Stage) -> Result<Figures, Failure> {
    let nodes = stage.form().await?;
    let holder = nodes[nodes.len() - 1];
    let (name, host) = (stage.agent(holder).name().to_owned(), stage.spare_host(0));
    let begin = now();
    let second = stage.start(&name, host, &Start::default()).await?;
    stage.agent_mut(second).may_end();
    let joined = stage.join_others(second, &nodes).await?;
    let mut told = joined;
    stage
        .until(PATIENCE, "the second node to be told", |stage| {
            let log = stage.agent(second).log();
            let heard = log.since(joined).find(|(_, event)| event.kind == Kind::NameTaken);
            told = heard.ok_or("it has not been told")?.0;
            Ok(())
        })
        .await?;
    stage
        .hold(NAMES_REST, "nothing to change for the others", |stage| {
            for kind in [Kind::Joined, Kind::Failed, Kind::Left, Kind::NameTaken] {
                let n = stage.count(&nodes, begin, kind);
                if n > 0 {
                    return Err(format!("{kind:?}, {n} times"));
                }
            }
            stage.all_see_all(&nodes)
        })
        .await?;
    Ok(Figures::default().and_time("told after", told - joined))
}

/// For how long news of a former life may go around.
const RESTART_REST: Duration = Duration::from_secs(5);

/// For how long nothing may flap.
const NAMES_REST: Duration = Duration::from_secs(5);
