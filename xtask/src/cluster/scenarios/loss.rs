//! Networks that lose packets.

use super::claim;
use super::deaths::DEATH_LIMIT;
use crate::Failure;
use crate::cluster::agent::Kind;
use crate::cluster::net::From;
use crate::cluster::stage::{Node, PATIENCE};
use crate::cluster::{Figures, Stage, now};
use crate::process::Signal;
use std::time::{Duration, Instant};

/// Every host loses so many of a thousand packets. Then a node stops.
pub(super) async fn loss(stage: &mut Stage, permille: u32) -> Result<Figures, Failure> {
    let nodes = stage.form().await?;
    let begin = now();
    for node in &nodes {
        let host = stage.host(*node);
        stage.net_mut().lose(host, From::Anybody, permille)?;
    }
    nobody_dies(stage, &nodes, begin).await?;
    let (mut arrived, mut lost) = (0, 0);
    for node in &nodes {
        let arrivals = stage.net().arrivals(stage.host(*node))?;
        arrived += arrivals.arrived;
        lost += arrivals.lost;
    }
    let share = lost as f64 / arrived.max(1) as f64;
    let wanted = f64::from(permille) / 1000.0;
    claim(
        "the filters to lose what they are told to",
        match (share / wanted - 1.0).abs() < 0.5 {
            true => Ok(()),
            false => Err(format!("{lost} of {arrived} packets lost")),
        },
    )?;
    let figures = Figures::default()
        .and("lost", share * 100.0, "%")
        .and_count("suspicions heard", stage.count(&nodes, begin, Kind::Suspected))
        .and_count("false deaths", 0);

    let (others, frozen) = (&nodes[..nodes.len() - 1], nodes[nodes.len() - 1]);
    let life = stage.life(frozen);
    let stopped = stage.agent_mut(frozen).signal(Signal::Stop).await?;
    let (first, last) =
        stage.until_all_say(others, stopped, Kind::Failed, &life, DEATH_LIMIT).await?;
    claim("one death", stage.silent_on(others, begin, Kind::Failed, &[&life]))?;
    stage.net_mut().heal()?;
    stage.agent_mut(frozen).signal(Signal::Continue).await?;
    stage.until_all_see_all(&nodes, PATIENCE).await?;
    Ok(figures
        .and_time("a frozen one dead first", first - stopped)
        .and_time("last", last - stopped))
}

/// Two nodes lose so many of a thousand packets of each other's.
pub(super) async fn pair(stage: &mut Stage, permille: u32) -> Result<Figures, Failure> {
    let nodes = stage.form().await?;
    let begin = now();
    let (one, other) = (stage.host(nodes[0]), stage.host(nodes[1]));
    stage.net_mut().lose(one, From::Only(other), permille)?;
    stage.net_mut().lose(other, From::Only(one), permille)?;
    nobody_dies(stage, &nodes, begin).await?;
    for host in [one, other] {
        let arrivals = stage.net().arrivals(host)?;
        claim(
            "packets to be lost",
            match arrivals.lost {
                0 => Err(format!("none of {} packets lost", arrivals.arrived)),
                _ => Ok(()),
            },
        )?;
    }
    stage.net_mut().heal()?;
    stage.until_all_see_all(&nodes, PATIENCE).await?;
    claim("no death", stage.silent_on(&nodes, begin, Kind::Failed, &[]))?;
    let suspicions = stage.count(&nodes, begin, Kind::Suspected);
    Ok(Figures::default().and_count("suspicions heard", suspicions).and_count("deaths", 0))
}

async fn nobody_dies(stage: &Stage, nodes: &[Node], begin: Instant) -> Result<(), Failure> {
    let alive = |stage: &Stage| stage.silent_on(nodes, begin, Kind::Failed, &[]);
    stage.hold(LOSS_LENGTH, "no death", alive).await
}

/// How long the loss lasts.
const LOSS_LENGTH: Duration = Duration::from_secs(60);
