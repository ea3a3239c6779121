//! Processes that stop and go on.

use super::claim;
use super::deaths::DEATH_LIMIT;
use crate::Failure;
use crate::cluster::agent::{Event, Kind, Life};
use crate::cluster::stage::{Node, PATIENCE};
use crate::cluster::{Figures, Stage};
use crate::process::Signal;

/// A node stops until somebody suspects it.
pub(super) async fn short(stage: &mut Stage) -> Result<Figures, Failure> {
    let nodes = stage.form().await?;
    let (others, frozen) = (&nodes[..nodes.len() - 1], nodes[nodes.len() - 1]);
    let life = stage.life(frozen);
    let begin = stage.agent_mut(frozen).signal(Signal::Stop).await?;
    let suspected = |stage: &Stage| match stage.count(others, begin, Kind::Suspected) {
        0 => Err("nobody suspects it".to_owned()),
        _ => Ok(()),
    };
    stage.until(DEATH_LIMIT, "a suspicion", suspected).await?;
    let thawed = stage.agent_mut(frozen).signal(Signal::Continue).await?;
    let refuted = |stage: &Stage| {
        stage.all_see_all(&nodes)?;
        match stage.count(others, thawed, Kind::Refuted) {
            0 => Err("nobody has heard a refutation".to_owned()),
            _ => Ok(()),
        }
    };
    stage.until(PATIENCE, "a refutation, and all nodes alive in every view", refuted).await?;
    claim("no death", stage.silent_on(&nodes, begin, Kind::Failed, &[]))?;
    claim("a higher incarnation", risen(stage, others, &life))?;
    let log_of = |node: &Node| stage.agent(*node).log().heard(thawed, Kind::Refuted, &life);
    let heard: Vec<_> = others.iter().filter_map(log_of).collect();
    let last = heard.into_iter().max().unwrap_or(thawed);
    Ok(Figures::default()
        .and_time("suspected after", thawed - begin)
        .and_time("refuted after", last - thawed))
}

/// Whether each who suspected this life has heard its refutation with a higher incarnation.
fn risen(stage: &Stage, nodes: &[Node], life: &Life) -> Result<(), String> {
    for node in nodes {
        let (name, log) = (stage.agent(*node).name(), stage.agent(*node).log());
        let incarnation = |kind: Kind| {
            let is_it = |event: &Event| event.kind == kind && event.about.as_ref() == Some(life);
            log.all().rfind(|event| is_it(event)).map(|event| event.incarnation)
        };
        let (suspected, refuted) = (incarnation(Kind::Suspected), incarnation(Kind::Refuted));
        if suspected.is_some() && refuted <= suspected {
            return Err(format!("{name} heard {refuted:?} against {suspected:?}"));
        }
    }
    Ok(())
}

/// A node stops until it is dead to all.
pub(super) async fn long(stage: &mut Stage) -> Result<Figures, Failure> {
    let nodes = stage.form().await?;
    let (others, frozen) = (&nodes[..nodes.len() - 1], nodes[nodes.len() - 1]);
    let life = stage.life(frozen);
    let begin = stage.agent_mut(frozen).signal(Signal::Stop).await?;
    let (first, last) =
        stage.until_all_say(others, begin, Kind::Failed, &life, DEATH_LIMIT).await?;
    let thawed = stage.agent_mut(frozen).signal(Signal::Continue).await?;
    let back = stage.until_all_see_all(&nodes, PATIENCE).await?;
    claim("one death", stage.silent_on(&nodes, begin, Kind::Failed, &[&life]))?;
    Ok(Figures::default()
        .and_time("dead first", first - begin)
        .and_time("last", last - begin)
        .and_time("back after", back - thawed))
}
