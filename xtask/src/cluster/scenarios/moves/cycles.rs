//! Splits and heals, again and again, with names that come and go.

use super::{PREFIX, closes, opens, part, ran_once, register, until_home};
use crate::Failure;
use crate::cluster::keeper::{Keepers, Request, until};
use crate::cluster::ledger::Window;
use crate::cluster::scenarios::claim;
use crate::cluster::{Figures, Stage};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const ROUNDS: u32 = 20;

/// How many names there are all the time.
const NAMES: u64 = 500;

/// How many names each side registers in each round, and all of them are stopped after it.
const NEW: u64 = 50;

/// Memory is looked at after so many rounds first, or half of a few: by then everything has been in
/// use.
const WARM_UP: u32 = 3;

/// How much of its memory a node may gain from then on.
const GROWTH_MAX: f64 = 0.1;

/// How long nodes that are together may remember a name that is gone: a few of their comparisons,
/// which come every 10 s.
const REMEMBERED_MAX: Duration = Duration::from_secs(120);

/// Another split in each round.
pub(in super::super) async fn cycles(stage: &mut Stage) -> Result<Figures, Failure> {
    let (mut rng, n_rounds) = (stage.rng(), stage.rounds_or(ROUNDS));
    let mut rounds = Rounds::begin(stage).await?;
    // Each by itself runs all names, and has the memory that it takes for that.
    let alone: Vec<_> = rounds.keepers.numbers().into_iter().map(|node| vec![node]).collect();
    rounds.round(stage, 0, &alone).await?;
    let mut first = BTreeMap::new();
    for round in 1..=n_rounds {
        let mut nodes = rounds.keepers.numbers();
        rng.shuffle(&mut nodes);
        let left = 1 + rng.index(nodes.len() - 1).expect("there are two sides");
        let others = nodes.split_off(left);
        rounds.round(stage, round, &[nodes, others]).await?;
        if round == WARM_UP.min(n_rounds / 2).max(1) {
            first = rounds.settled(stage).await?;
        }
    }
    let last = rounds.settled(stage).await?;
    let grown = last.iter().map(|(node, bytes)| *bytes as f64 / first[node] as f64 - 1.0);
    let grown = grown.fold(f64::NEG_INFINITY, f64::max);
    let seen = if grown <= GROWTH_MAX { Ok(()) } else { Err(format!("{:.1} %", grown * 100.0)) };
    claim("memory to be flat", seen)?;
    Ok(Figures::default()
        .and_count("rounds", n_rounds as usize)
        .and_count("names", NAMES as usize)
        .and_time("once each, where it belongs, after all are alive", rounds.slowest)
        .and("growth", grown * 100.0, "%")
        .and_count("seed", stage.seed() as usize))
}

/// What one round leaves to the next.
struct Rounds {
    keepers: Keepers,
    /// When names may have run twice.
    excused: Vec<Window>,
    slowest: Duration,
}

impl Rounds {
    async fn begin(stage: &mut Stage) -> Result<Self, Failure> {
        let keepers = Keepers::start(stage).await?;
        register(&keepers, 1, PREFIX, NAMES).await?;
        until_home(&keepers, &names()).await?;
        Ok(Self { keepers, excused: Vec::new(), slowest: Duration::ZERO })
    }

    /// A split with new names on each side, and a heal, after which each runs once; then the new
    /// ones go.
    async fn round(
        &mut self,
        stage: &mut Stage,
        round: u32,
        sides: &[Vec<usize>],
    ) -> Result<(), Failure> {
        let keepers = &self.keepers;
        let against: Vec<_> = sides.iter().map(|side| format!("{side:?}")).collect();
        stage.say(&format!("round {round}: {}", against.join(" against ")));
        let window = opens();
        part(stage, keepers, sides).await?;
        let mut all = names();
        for (side, nodes) in sides.iter().enumerate() {
            let prefix = format!("r{round}-{side}");
            register(keepers, nodes[0], &prefix, NEW).await?;
            all.extend((0..NEW).map(|n| format!("{prefix}-{n}")));
        }
        stage.net_mut().heal()?;
        let alive = keepers.until_all_alive().await?;
        let home = until_home(keepers, &all).await?;
        self.slowest = self.slowest.max(home.saturating_duration_since(alive));
        self.excused.push(closes(window));
        ran_once(keepers, &all, &self.excused)?;
        let gone: Vec<_> = all.difference(&names()).cloned().collect();
        keepers.ask::<()>(1, Request::Stop { names: gone.clone() }).await?;
        let forget = |_| Request::Forget { names: gone.clone() };
        let _: BTreeMap<_, ()> = keepers.ask_all(forget).await?;
        until_home(keepers, &names()).await?;
        ran_once(keepers, &names(), &self.excused)?;
        self.resident(stage).await.map(drop)
    }

    /// The memory of each node, once none has to remember a name that is gone.
    async fn settled(&self, stage: &Stage) -> Result<BTreeMap<usize, u64>, Failure> {
        until(REMEMBERED_MAX, "no name that is gone to be remembered", async || {
            let ended: BTreeMap<usize, usize> = self.keepers.ask_all(|_| Request::Ended).await?;
            let some = ended.into_iter().find(|(_, ended)| *ended > 0);
            Ok(some.map_or(Ok(()), |(node, ended)| Err(format!("{ended} on n{node}"))))
        })
        .await?;
        self.resident(stage).await
    }

    async fn resident(&self, stage: &Stage) -> Result<BTreeMap<usize, u64>, Failure> {
        let resident: BTreeMap<usize, u64> = self.keepers.ask_all(|_| Request::Resident).await?;
        let mib = resident.values().map(|bytes| format!("{:.1}", *bytes as f64 / 1024.0 / 1024.0));
        stage.say(&format!("{} MiB", mib.collect::<Vec<_>>().join(", ")));
        Ok(resident)
    }
}

fn names() -> BTreeSet<String> {
    (0..NAMES).map(|n| format!("{PREFIX}-{n}")).collect()
}
