//! Splits and heals, again and again, with names that come and go.

use super::{NAMES, closes, fill, names, opens, part, ran_once, register, until_home};
use crate::Failure;
use crate::cluster::keeper::{Keepers, Request};
use crate::cluster::scenarios::claim;
use crate::cluster::{Figures, Stage};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const ROUNDS: u32 = 20;

/// How many names each side registers in each round, and all of them are stopped after it.
const NEW: u64 = 50;

/// Memory is looked at after so many rounds first: by then everything has been in use.
const WARM_UP: u32 = 3;

/// How much of its memory a node may gain from then on.
const GROWTH_MAX: f64 = 0.1;

/// Another split in each round.
pub(in super::super) async fn cycles(stage: &mut Stage) -> Result<Figures, Failure> {
    let keepers = Keepers::start(stage).await?;
    fill(&keepers).await?;
    let (mut rng, rounds) = (stage.rng(), stage.rounds_or(ROUNDS));
    let (mut excused, mut slowest) = (Vec::new(), Duration::ZERO);
    let mut first: BTreeMap<usize, u64> = BTreeMap::new();
    for round in 1..=rounds {
        let mut nodes = keepers.numbers();
        rng.shuffle(&mut nodes);
        let left = 1 + rng.index(nodes.len() - 1).expect("there are two sides");
        let others = nodes.split_off(left);
        let sides = [nodes, others];
        stage.say(&format!("round {round}: {:?} against {:?}", sides[0], sides[1]));
        let window = opens();
        part(stage, &keepers, &sides).await?;
        let mut all = names();
        for (side, nodes) in sides.iter().enumerate() {
            let prefix = format!("r{round}-{side}");
            register(&keepers, nodes[0], &prefix, NEW).await?;
            all.extend((0..NEW).map(|n| format!("{prefix}-{n}")));
        }
        stage.net_mut().heal()?;
        let alive = keepers.until_all_alive().await?;
        let home = until_home(&keepers, &all).await?;
        slowest = slowest.max(home.saturating_duration_since(alive));
        excused.push(closes(window));
        ran_once(&keepers, &all, &excused)?;
        let gone: BTreeSet<_> = all.difference(&names()).cloned().collect();
        keepers.ask::<()>(1, Request::Stop { names: gone.into_iter().collect() }).await?;
        until_home(&keepers, &names()).await?;
        let resident: BTreeMap<usize, u64> = keepers.ask_all(|_| Request::Resident).await?;
        let mib = resident.values().map(|bytes| format!("{:.1}", *bytes as f64 / 1024.0 / 1024.0));
        stage.say(&format!("round {round}: {} MiB", mib.collect::<Vec<_>>().join(", ")));
        if round == WARM_UP.min(rounds) {
            first = resident;
        }
    }
    ran_once(&keepers, &names(), &excused)?;
    let last: BTreeMap<usize, u64> = keepers.ask_all(|_| Request::Resident).await?;
    let grown = last.iter().map(|(node, bytes)| *bytes as f64 / first[node] as f64 - 1.0);
    let grown = grown.fold(f64::NEG_INFINITY, f64::max);
    let seen = if grown <= GROWTH_MAX { Ok(()) } else { Err(format!("{:.1} %", grown * 100.0)) };
    claim("memory to be flat", seen)?;
    Ok(Figures::default()
        .and_count("rounds", rounds as usize)
        .and_count("names", NAMES as usize)
        .and_time("once each, where it belongs, after all are alive", slowest)
        .and("growth", grown * 100.0, "%")
        .and_count("seed", stage.seed() as usize))
}
