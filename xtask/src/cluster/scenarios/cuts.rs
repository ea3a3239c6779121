//! Networks that are cut: in two, in one direction, between pairs.

use super::claim;
use super::deaths::DEATH_LIMIT;
use crate::Failure;
use crate::cluster::agent::Kind;
use crate::cluster::net::Host;
use crate::cluster::stage::{Node, PATIENCE};
use crate::cluster::{Figures, Stage, now};
use std::time::Duration;

/// Two halves bury each other.
pub(super) async fn halves(stage: &mut Stage) -> Result<Figures, Failure> {
    let nodes = stage.form().await?;
    let (left, right) = nodes.split_at(nodes.len() / 2);
    let begin = now();
    let (left_hosts, right_hosts) = (hosts(stage, left), hosts(stage, right));
    stage.net_mut().cut_between(&left_hosts, &right_hosts)?;
    let mut buried = begin;
    for (side, others) in [(left, right), (right, left)] {
        for other in others {
            let life = stage.life(*other);
            let (_, last) =
                stage.until_all_say(side, begin, Kind::Failed, &life, ALONE_LIMIT).await?;
            buried = buried.max(last);
        }
    }
    for side in [left, right] {
        claim("each side alive to itself", stage.all_see_all(side))?;
    }
    let healed = now();
    stage.net_mut().heal()?;
    let done = stage.until_all_see_all(&nodes, PATIENCE).await?;
    Ok(Figures::default()
        .and_time("buried after", buried - begin)
        .and_time("all see all after", done - healed))
}

/// A node is cut off in both directions: no host answers for it.
pub(super) async fn off(stage: &mut Stage) -> Result<Figures, Failure> {
    let nodes = stage.form().await?;
    let (others, lost) = (&nodes[..nodes.len() - 1], nodes[nodes.len() - 1]);
    let life = stage.life(lost);
    let begin = now();
    let (other_hosts, host) = (hosts(stage, others), stage.host(lost));
    stage.net_mut().cut_between(&other_hosts, &[host])?;
    let (first, last) =
        stage.until_all_say(others, begin, Kind::Failed, &life, DEATH_LIMIT).await?;
    for other in others {
        let other = stage.life(*other);
        stage.until_all_say(&[lost], begin, Kind::Failed, &other, ALONE_LIMIT).await?;
    }
    let healed = now();
    stage.net_mut().heal()?;
    let done = stage.until_all_see_all(&nodes, PATIENCE).await?;
    claim("one death", stage.silent_on(others, begin, Kind::Failed, &[&life]))?;
    Ok(Figures::default()
        .and_time("dead first", first - begin)
        .and_time("last", last - begin)
        .and_time("all see all after", done - healed))
}

/// A node hears nobody, and everybody hears it.
pub(super) async fn one_way(stage: &mut Stage) -> Result<Figures, Failure> {
    let nodes = stage.form().await?;
    let (others, deaf) = (&nodes[..nodes.len() - 1], nodes[nodes.len() - 1]);
    let life = stage.life(deaf);
    let begin = now();
    let to = stage.host(deaf);
    for from in hosts(stage, others) {
        stage.net_mut().cut(from, to)?;
    }
    let alive = |stage: &Stage| stage.silent_on(others, begin, Kind::Failed, &[&life]);
    stage.hold(CUT_LENGTH_LONG, "no death but of who hears nobody", alive).await?;
    cut_was_used(stage, &[deaf])?;
    let healed = now();
    stage.net_mut().heal()?;
    let done = stage.until_all_see_all(&nodes, PATIENCE).await?;
    claim("no death but of who heard nobody", alive(stage))?;
    Ok(Figures::default()
        .and_count("accusations heard", stage.count(others, begin, Kind::Suspected))
        .and_time("all see all after", done - healed))
}

/// Two nodes cannot reach each other, and others can reach both.
pub(super) async fn pair(stage: &mut Stage) -> Result<Figures, Failure> {
    let nodes = stage.form().await?;
    without(stage, &nodes, &[(nodes[0], nodes[1])], CUT_LENGTH).await
}

/// Every node has one that it cannot reach.
pub(super) async fn pairs(stage: &mut Stage) -> Result<Figures, Failure> {
    let nodes = stage.form().await?;
    let pairs: Vec<_> = nodes.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    without(stage, &nodes, &pairs, CUT_LENGTH_LONG).await
}

/// A node's cable comes and goes.
pub(super) async fn flapping(stage: &mut Stage) -> Result<Figures, Failure> {
    let nodes = stage.form().await?;
    let (others, flapping) = (&nodes[..nodes.len() - 1], nodes[nodes.len() - 1]);
    let (other_hosts, host) = (hosts(stage, others), stage.host(flapping));
    let begin = now();
    let alive = |stage: &Stage| stage.silent_on(&nodes, begin, Kind::Failed, &[]);
    for _ in 0..FLAPS {
        stage.net_mut().cut_between(&other_hosts, &[host])?;
        stage.hold(FLAP_LENGTH, "no death", alive).await?;
        stage.net_mut().heal()?;
        stage.hold(FLAP_LENGTH, "no death", alive).await?;
    }
    let healed = now();
    let done = stage.until_all_see_all(&nodes, PATIENCE).await?;
    claim("no death", alive(stage))?;
    Ok(Figures::default()
        .and_count("suspicions heard", stage.count(&nodes, begin, Kind::Suspected))
        .and_count("deaths", 0)
        .and_time("all see all after", done.saturating_duration_since(healed)))
}

async fn without(
    stage: &mut Stage,
    nodes: &[Node],
    pairs: &[(Node, Node)],
    length: Duration,
) -> Result<Figures, Failure> {
    let begin = now();
    for (one, other) in pairs {
        let (one, other) = (stage.host(*one), stage.host(*other));
        stage.net_mut().cut_between(&[one], &[other])?;
    }
    let alive = |stage: &Stage| stage.silent_on(nodes, begin, Kind::Failed, &[]);
    stage.hold(length, "no death", alive).await?;
    for (one, other) in pairs {
        cut_was_used(stage, &[*one, *other])?;
    }
    let suspicions = stage.count(nodes, begin, Kind::Suspected);
    stage.net_mut().heal()?;
    stage.until_all_see_all(nodes, PATIENCE).await?;
    Ok(Figures::default().and_count("suspicions heard", suspicions).and_count("deaths", 0))
}

/// Whether the filters of each of `nodes` have taken something away: else the cut tried nothing.
fn cut_was_used(stage: &Stage, nodes: &[Node]) -> Result<(), Failure> {
    for node in nodes {
        if stage.net().arrivals(stage.host(*node))?.cut == 0 {
            let name = stage.agent(*node).name();
            return Err(Failure::new(format!(
                "expected packets that {name} does not get; saw none"
            )));
        }
    }
    Ok(())
}

fn hosts(stage: &Stage, nodes: &[Node]) -> Vec<Host> {
    nodes.iter().map(|node| stage.host(*node)).collect()
}

/// Who misses answers from many doubts itself, and probes the more slowly.
const ALONE_LIMIT: Duration = Duration::from_secs(120);

/// Long enough that each node of the pair has been probed by the other one, and that a false
/// suspicion has had its time.
const CUT_LENGTH: Duration = Duration::from_secs(10);

const CUT_LENGTH_LONG: Duration = Duration::from_secs(20);

/// How often a cable comes and goes, and for how long each time: less than any suspicion takes.
const FLAPS: u32 = 10;
const FLAP_LENGTH: Duration = Duration::from_secs(1);
