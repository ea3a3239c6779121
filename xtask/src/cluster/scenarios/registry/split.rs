//! A cluster in two, and whole again.

use super::{CONVERGED, all_held, no_failures};
use crate::Failure;
use crate::cluster::keeper::{
    Keepers, Load, Names, PATIENCE, Report, Request, Table, Way, equal, exactly, members, name,
    until,
};
use crate::cluster::{Figures, Stage, now};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Before the split, of all nodes together; and by each side during it.
const NAMES: u64 = 1_000;
const NEW: u64 = 200;

/// How many names each node takes away during the split, and of how many it ends the process.
const GONE: usize = 25;

/// Names that both sides give away.
const BOTH: u64 = 20;

const ROUNDS: u32 = 2;

/// The nodes of each side.
type Sides = [Vec<usize>; 2];

/// One node against all others, another split in each round.
pub(in super::super) async fn split(stage: &mut Stage) -> Result<Figures, Failure> {
    let keepers = Keepers::start(stage).await?;
    let (mut rng, rounds) = (stage.rng(), stage.rounds_or(ROUNDS));
    let (mut apart, mut equal) = (Duration::ZERO, Duration::ZERO);
    for round in 1..=rounds {
        let mut nodes = keepers.numbers();
        rng.shuffle(&mut nodes);
        let others = nodes.split_off(1);
        let sides = [nodes, others];
        let prefix = format!("r{round}");
        register(&keepers, &prefix, NAMES, &keepers.numbers()).await?;
        let held = all_held(&keepers).await?;
        let expected = format!("{} names in all tables", held.len());
        keepers.until_tables(PATIENCE, &expected, |tables| exactly(tables, &held)).await?;
        let alone_after = part(stage, &keepers, &sides).await?;
        let gone = live_apart(&keepers, &prefix, &sides).await?;
        stage.net_mut().heal()?;
        let equal_after = come_together(&keepers, &gone).await?;
        stop_all(&keepers).await?;
        stage.say(&format!("round {round}: {} against all others", name(sides[0][0])));
        (apart, equal) = (apart.max(alone_after), equal.max(equal_after));
    }
    Ok(Figures::default()
        .and_count("rounds", rounds as usize)
        .and_count("names", NAMES as usize)
        .and_time("each side alone after", apart)
        .and_time("tables equal after all are alive", equal)
        .and_count("seed", stage.seed() as usize))
}

/// Cuts the sides from each other, until each lists itself alone: how long that took.
async fn part(stage: &mut Stage, keepers: &Keepers, sides: &Sides) -> Result<Duration, Failure> {
    let hosts = |nodes: &[usize]| nodes.iter().map(|node| keepers.host(*node)).collect::<Vec<_>>();
    stage.net_mut().cut_between(&hosts(&sides[0]), &hosts(&sides[1]))?;
    let begin = now();
    let apart = until(PATIENCE, "each side alone", async || alone(keepers, sides).await).await?;
    Ok(apart.saturating_duration_since(begin))
}

/// What each side does on its own: the names and processes that it has taken away.
async fn live_apart(
    keepers: &Keepers,
    prefix: &str,
    sides: &Sides,
) -> Result<BTreeSet<String>, Failure> {
    for nodes in sides {
        register(keepers, &format!("{prefix}-apart"), NEW, nodes).await?;
        contested(keepers, &format!("{prefix}-both"), nodes[0]).await?;
    }
    let gone = take_away(keepers).await?;
    for nodes in sides {
        until(PATIENCE, "each side to agree with itself", async || {
            let tables = keepers.tables().await?;
            let own = tables.into_iter().filter(|(node, _)| nodes.contains(node));
            Ok(equal(&own.collect()))
        })
        .await?;
    }
    Ok(gone)
}

/// Waits until all nodes are alive in every view, and then until their tables are as they should
/// be: how long the latter took.
async fn come_together(keepers: &Keepers, gone: &BTreeSet<String>) -> Result<Duration, Failure> {
    let alive = keepers.until_all_alive().await?;
    let claims = keepers.held().await?;
    let expected = "equal tables, whole and not stale";
    let look = |tables: &_| whole(tables, &claims, gone);
    let whole = keepers.until_tables(CONVERGED, expected, look).await?;
    Ok(whole.saturating_duration_since(alive))
}

/// Has `nodes` register `count` names, each for a process of its own.
async fn register(
    keepers: &Keepers,
    prefix: &str,
    count: u64,
    nodes: &[usize],
) -> Result<(), Failure> {
    for (at, node) in nodes.iter().enumerate() {
        let each = count / nodes.len() as u64;
        // The first one takes the rest.
        let count = if at == 0 { count - each * (nodes.len() as u64 - 1) } else { each };
        let prefix = format!("{prefix}-{}", name(*node));
        load(keepers, *node, prefix, count).await?;
    }
    let mut reports = BTreeMap::new();
    for node in nodes {
        let report: Report = keepers.ask(*node, Request::Finish).await?;
        reports.insert(*node, report);
    }
    no_failures(&reports)
}

/// Has a node give away names that the other side gives away too.
async fn contested(keepers: &Keepers, prefix: &str, node: usize) -> Result<(), Failure> {
    load(keepers, node, prefix.to_owned(), BOTH).await?;
    let report = keepers.ask(node, Request::Finish).await?;
    no_failures(&BTreeMap::from([(node, report)]))
}

async fn load(keepers: &Keepers, node: usize, prefix: String, count: u64) -> Result<(), Failure> {
    let (way, count, per_second, window) = (Way::Pid, Some(count), FAST, None);
    let load = Load { prefix, way, count, per_second, window };
    keepers.ask(node, Request::Begin(load)).await
}

/// As fast as it goes.
const FAST: u32 = 1_000_000;

/// Has every node take some of its names away and end the processes of others: those names, and
/// the processes that ended.
async fn take_away(keepers: &Keepers) -> Result<BTreeSet<String>, Failure> {
    let mut gone = BTreeSet::new();
    for (node, held) in keepers.held().await? {
        let is_own = |name: &&String| name.contains(&format!("-n{node}-"));
        let mut unregistered: Vec<_> = held.keys().filter(is_own).take(2 * GONE).cloned().collect();
        gone.extend(unregistered.iter().cloned());
        let stopped = unregistered.split_off(GONE);
        gone.extend(stopped.iter().map(|name| held[name].clone()));
        keepers.ask::<()>(node, Request::Unregister { names: unregistered }).await?;
        keepers.ask::<()>(node, Request::Stop { names: stopped }).await?;
    }
    Ok(gone)
}

/// Whether all tables are equal, hold what any node holds, for the process that it was given to,
/// and nothing that is gone.
fn whole(
    tables: &BTreeMap<usize, Table>,
    claims: &BTreeMap<usize, Names>,
    gone: &BTreeSet<String>,
) -> Result<(), String> {
    equal(tables)?;
    let Some(table) = tables.values().next() else { return Ok(()) };
    if let Some(stale) = table.names.keys().find(|name| gone.contains(*name)) {
        return Err(format!("{stale} is there again"));
    }
    // A name that both sides gave away has either of its two processes.
    let mut want: Names =
        claims.values().flatten().map(|(n, pid)| (n.clone(), pid.clone())).collect();
    for (name, pid) in &table.names {
        if claims.values().any(|claims| claims.get(name) == Some(pid)) {
            want.insert(name.clone(), pid.clone());
        }
    }
    exactly(tables, &want)?;
    let living = members(table);
    if let Some(pid) = living.intersection(gone).next() {
        return Err(format!("{pid} is in the group, and has ended"));
    }
    match table.names.values().find(|pid| !living.contains(*pid)) {
        Some(pid) => Err(format!("{pid} is not in the group")),
        None => Ok(()),
    }
}

/// Whether each side lists itself alone.
async fn alone(keepers: &Keepers, sides: &Sides) -> Result<Result<(), String>, Failure> {
    for (node, members) in keepers.members().await? {
        let own = sides.iter().find(|nodes| nodes.contains(&node));
        let own: BTreeSet<_> = own.into_iter().flatten().map(|node| name(*node)).collect();
        if !members.keys().eq(&own) {
            let members: Vec<_> = members.into_keys().collect();
            return Ok(Err(format!("n{node} lists {}", members.join(", "))));
        }
    }
    Ok(Ok(()))
}

/// Ends every process that has a name, so that nothing is left.
async fn stop_all(keepers: &Keepers) -> Result<(), Failure> {
    for (node, held) in keepers.held().await? {
        let own = keepers.tables().await?;
        let table = own.get(&node).map(|table| &table.names);
        // Of a name that both sides gave away, one has no process.
        let names = held.iter().filter(|(name, pid)| table.and_then(|t| t.get(*name)) == Some(pid));
        let names = names.map(|(name, _)| name.clone()).collect();
        keepers.ask::<()>(node, Request::Stop { names }).await?;
        let names = keepers.ask::<Names>(node, Request::Held).await?.into_keys().collect();
        keepers.ask::<()>(node, Request::Forget { names }).await?;
    }
    let none = |tables: &BTreeMap<usize, Table>| {
        tables.values().try_for_each(|table| match table.names.keys().next() {
            Some(name) => Err(format!("{name} is there")),
            None => Ok(()),
        })
    };
    keepers.until_tables(CONVERGED, "no name left", none).await.map(drop)
}
