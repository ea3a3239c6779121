//! Nodes that end: with a goodbye, and without.

use super::claim;
use crate::Failure;
use crate::cluster::agent::{Kind, Life};
use crate::cluster::stage::Node;
use crate::cluster::{Figures, Stage, now};
use crate::process::Signal;
use std::time::Duration;

/// Two nodes say goodbye: one at a command, one on SIGTERM.
pub(super) async fn leave(stage: &mut Stage) -> Result<Figures, Failure> {
    let nodes = stage.form().await?;
    let n_staying = nodes.len() - 2;
    let mut figures = Figures::default();
    let (begin, mut gone) = (now(), Vec::new());
    for (n, what) in [(n_staying + 1, "at the command"), (n_staying, "on SIGTERM")] {
        let (others, leaver) = (&nodes[..n], nodes[n]);
        let life = stage.life(leaver);
        let asked = now();
        if what == "on SIGTERM" {
            stage.agent_mut(leaver).signal(Signal::Terminate).await?;
        } else {
            stage.agent_mut(leaver).may_end();
            stage.agent_mut(leaver).tell("leave").await?;
        }
        let (_, last) = stage.until_all_say(others, asked, Kind::Left, &life, LEAVE_LIMIT).await?;
        claim(
            "the process to end with success",
            match stage.agent_mut(leaver).ended().await? {
                true => Ok(()),
                false => Err("it ended with an error".to_owned()),
            },
        )?;
        figures = figures.and_time(what, last - asked);
        gone.push(life);
    }
    let staying = &nodes[..n_staying];
    stage
        .hold(LEAVE_REST, "two goodbyes and nothing else", |stage| {
            stage.silent_on(staying, begin, Kind::Failed, &[])?;
            let accused = |node: &Node, life: &Life| {
                stage.agent(*node).log().heard(begin, Kind::Suspected, life).is_some()
            };
            match staying.iter().find(|node| gone.iter().any(|life| accused(node, life))) {
                Some(node) => Err(format!("{} suspects who has left", stage.agent(*node).name())),
                None => Ok(()),
            }
        })
        .await?;
    Ok(figures)
}

/// A process is killed, and its host answers for it.
pub(super) async fn kill(stage: &mut Stage) -> Result<Figures, Failure> {
    let nodes = stage.form().await?;
    until_watched(stage, &nodes).await?;
    kill_last(stage, &nodes, PROOF_LIMIT, Figures::default()).await
}

/// Waits until each of `nodes` holds streams to others, whose end proves a death. Until then
/// deaths are noticed by probes alone.
pub(super) async fn until_watched(stage: &mut Stage, nodes: &[Node]) -> Result<(), Failure> {
    for node in nodes {
        let has_streams = |reply: &serde_json::Value| {
            let streams = reply["counters"]["streams"].as_u64();
            streams.is_some_and(|n| n >= STREAMS_MIN.min(nodes.len() as u64 - 1))
        };
        stage.until_reply(*node, "counters", "streams to others", has_streams).await?;
    }
    Ok(())
}

/// Kills the last of `nodes`: when the first and the last of the others know, and how many know
/// it as proven.
pub(super) async fn kill_last(
    stage: &mut Stage,
    nodes: &[Node],
    limit: Duration,
    figures: Figures,
) -> Result<Figures, Failure> {
    let (others, victim) = (&nodes[..nodes.len() - 1], nodes[nodes.len() - 1]);
    let life = stage.life(victim);
    let begin = stage.agent_mut(victim).kill().await?;
    let (first, last) = stage.until_all_say(others, begin, Kind::Failed, &life, limit).await?;
    claim("one death", stage.silent_on(others, begin, Kind::Failed, &[&life]))?;
    let is_proven = |node: &&Node| {
        let log = stage.agent(**node).log();
        log.since(begin).any(|(_, event)| event.why.as_deref() == Some("refused"))
    };
    Ok(figures
        .and_time("a death first", first - begin)
        .and_time("last", last - begin)
        .and_count("by proof", others.iter().filter(is_proven).count()))
}

/// A death that is noticed later than this was not proven: without a proof a suspicion alone takes
/// as long.
pub(super) const PROOF_LIMIT: Duration = Duration::from_secs(3);

/// To how many others a node holds streams, whatever the profile.
const STREAMS_MIN: u64 = 3;

/// A goodbye that is slower than this is none.
const LEAVE_LIMIT: Duration = Duration::from_secs(1);

/// How long a false alarm is waited for after a goodbye.
const LEAVE_REST: Duration = Duration::from_secs(2);

/// A death that is noticed later than this was not noticed: twice the time of one that is known
/// from silence alone, among 100 nodes that probe once a second.
pub(super) const DEATH_LIMIT: Duration = Duration::from_secs(40);
