//! A node that dies while all register.

use super::{CONVERGED, claim, slowest};
use crate::Failure;
use crate::cluster::keeper::{
    Keepers, Load, Names, PATIENCE, Report, Request, Table, Way, equal, members, name, until,
};
use crate::cluster::{Figures, Stage, now};
use std::collections::BTreeMap;

/// How many names all nodes register together, in about a second.
const NAMES: u64 = 5_000;

/// A node is killed in the middle of it, once for each way to register.
pub(in super::super) async fn kill(stage: &mut Stage) -> Result<Figures, Failure> {
    let mut keepers = Keepers::start(stage).await?;
    let mut rng = stage.rng();
    let nodes = keepers.numbers();
    let victim = nodes[rng.index(nodes.len()).expect("there are nodes")];
    let after = rng.below(NAMES / 2) + NAMES / 4;
    stage.say(&format!("n{victim} dies after {after} of {NAMES} names"));
    // One of those that live registers by pid, and one by the ring, which may choose who dies.
    let by_pid = victim % nodes.len() + 1;
    let each = NAMES / nodes.len() as u64;
    let load = |node: usize| Load {
        prefix: name(node),
        way: if node == by_pid { Way::Pid } else { Way::Placed },
        count: Some(each),
        per_second: each as u32,
        window: None,
    };
    let own = Load { prefix: format!("{}-own", name(victim)), way: Way::Pid, ..load(victim) };
    keepers.ask::<()>(victim, Request::Begin(own)).await?;
    keepers.ask::<Report>(victim, Request::Finish).await?;
    let _: BTreeMap<_, ()> = keepers.ask_all(|node| Request::Begin(load(node))).await?;
    until(PATIENCE, "registrations", async || {
        let reports: BTreeMap<usize, Report> = keepers.ask_all(|_| Request::Progress).await?;
        let n: u64 = reports.values().map(|report| report.registered).sum();
        Ok(if n >= after { Ok(()) } else { Err(format!("{n} of them")) })
    })
    .await?;
    let killed = now();
    let boot = keepers.kill(victim).await?;
    let reports: BTreeMap<usize, Report> = keepers.ask_all(|_| Request::Finish).await?;
    let buried = keepers.until_all_alive().await?;
    let held = keepers.held().await?;
    let settled = keepers.until_tables(CONVERGED, "every Ok, and nothing of the dead", |tables| {
        equal(tables)?;
        tables.values().try_for_each(|table| survives(table, &held, &boot))
    });
    let settled = settled.await?;
    let failed: u64 = reports.values().map(|report| report.failed).sum();
    let complaints = reports.values().flat_map(|report| report.complaints.clone());
    claim(
        "no registration of a live node to fail",
        if failed == 0 { Ok(()) } else { Err(complaints.collect::<Vec<_>>().join("; ")) },
    )?;
    Ok(Figures::default()
        .and_count("names", held.values().map(BTreeMap::len).sum())
        .and_time("slowest", slowest(&reports))
        .and_time("dead to all and done after", buried.saturating_duration_since(killed))
        .and_time("settled after", settled.saturating_duration_since(buried))
        .and_count("seed", stage.seed() as usize))
}

/// Whether a view has every name that was given away by a node that lives, and no process of the
/// dead one.
fn survives(table: &Table, held: &BTreeMap<usize, Names>, boot: &str) -> Result<(), String> {
    let is_dead = |pid: &str| pid.starts_with(&format!("<{boot}."));
    for (name, pid) in held.values().flatten() {
        match table.names.get(name) {
            None => return Err(format!("{name} is lost")),
            // It has started again, or not moved.
            Some(now) if is_dead(pid) || now == pid => (),
            Some(now) => return Err(format!("{name} is {now}, not {pid}")),
        }
    }
    if let Some((name, pid)) = table.names.iter().find(|(_, pid)| is_dead(pid)) {
        return Err(format!("{name} is {pid}, who is dead"));
    }
    match members(table).iter().find(|pid| is_dead(pid)) {
        Some(pid) => Err(format!("{pid} is in the group, and dead")),
        None => Ok(()),
    }
}
