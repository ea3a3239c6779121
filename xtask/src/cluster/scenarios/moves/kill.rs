//! A node dies in the middle of a move, at each of its steps: as its source, and as its target.

use super::{NAMES, PREFIX, counts_through, names, ran_once, register, until_home};
use crate::Failure;
use crate::cluster::keeper::{Keepers, PATIENCE, Request, Setup, until};
use crate::cluster::scenarios::claim;
use crate::cluster::{Figures, Stage};
use std::collections::BTreeMap;

/// Who dies, and where.
#[derive(Clone, Copy, Debug)]
enum Victim {
    /// One of the two that have the names.
    Source(&'static str),
    /// The one that joins.
    Target(&'static str),
}

/// Each message of a move in the place of being sent, and before it is handled.
const POINTS: [Victim; 22] = [
    Victim::Source("offer:sent"),
    Victim::Target("offer:received"),
    Victim::Target("ready:sent"),
    Victim::Source("ready:received"),
    Victim::Source("commit:sent"),
    Victim::Target("commit:received"),
    Victim::Target("ack:sent"),
    Victim::Source("ack:received"),
    Victim::Source("done:sent"),
    Victim::Target("done:received"),
    Victim::Source("announce:sent"),
    Victim::Target("announce:received"),
    Victim::Source("chunk:sent"),
    Victim::Target("chunk:received"),
    Victim::Target("chunk-ok:sent"),
    Victim::Source("chunk-ok:received"),
    Victim::Source("mails:sent"),
    Victim::Target("mails:received"),
    Victim::Target("taken:sent"),
    Victim::Source("taken:received"),
    Victim::Target("refused:sent"),
    Victim::Source("refused:received"),
];

/// More than a message of a move holds.
const LARGE: usize = 200 * 1024;

/// Few enough that many moves at once are refused, and enough that all come to pass soon.
const FEW_STANDBYS: usize = 8;

/// So often a worker sleeps for so many milliseconds, while it is to move.
const NAPS: (u32, u64) = (100, 50);

/// How many of them are tried, unless it is told otherwise: all.
const ROUNDS: u32 = POINTS.len() as u32;

/// Two nodes have the names, a third joins, and one of them ends itself. Nothing excuses two of a
/// name at any time.
pub(in super::super) async fn kill(stage: &mut Stage) -> Result<Figures, Failure> {
    let mut points = POINTS.to_vec();
    stage.rng().shuffle(&mut points);
    let rounds = stage.rounds_or(ROUNDS) as usize;
    let mut restarted = 0;
    for point in points.iter().cycle().take(rounds) {
        stage.say(&format!("{point:?}"));
        let anew = round(stage, *point);
        restarted += anew.await.map_err(|why| Failure::new(format!("{point:?}: {why}")))?;
    }
    Ok(Figures::default()
        .and_count("deaths", rounds)
        .and_count("names", NAMES as usize)
        .and_count("started again without their state", restarted)
        .and_count("seed", stage.seed() as usize))
}

/// How many of the names had to start without their state.
async fn round(stage: &mut Stage, victim: Victim) -> Result<usize, Failure> {
    let (Victim::Source(point) | Victim::Target(point)) = victim;
    let message = point.split(':').next().unwrap_or_default();
    let (mut has_naps, mut all, mut joins) = (false, Setup::default(), Setup::default());
    match message {
        "announce" | "chunk" | "chunk-ok" => all.state_bytes = Some(LARGE),
        "mails" | "taken" => (all.mails_max, has_naps) = (Some(1), true),
        "refused" => joins.standbys_max = Some(FEW_STANDBYS),
        _ => (),
    }
    let (mut source, mut target) = (all.clone(), joins);
    let dies = match victim {
        Victim::Source(_) => {
            source.fail_at = Some(point.to_owned());
            1
        }
        Victim::Target(_) => {
            target.fail_at = Some(point.to_owned());
            3
        }
    };
    let mut keepers = Keepers::none()?;
    keepers.add(stage, 1, &source).await?;
    keepers.add(stage, 2, &all).await?;
    keepers.until_all_alive().await?;
    register(&keepers, 2, PREFIX, NAMES).await?;
    until_home(&keepers, &names()).await?;
    keepers.ask::<()>(2, Request::Add { names: names().into_iter().collect() }).await?;
    if has_naps {
        let (times, millis) = NAPS;
        let names = names().into_iter().collect();
        keepers.ask::<()>(2, Request::Nap { names, times, millis }).await?;
    }
    keepers.launch(stage, 3, &target)?;
    keepers.until_ended(dies).await?;
    keepers.until_all_alive().await?;
    until_home(&keepers, &names()).await?;
    ran_once(&keepers, &names(), &[])?;
    let mut counts = BTreeMap::new();
    until(PATIENCE, "all to answer", async || {
        // Some may still have to sleep.
        let read = counts_through(&keepers, 2).await.map_err(|failure| failure.to_string());
        Ok(read.map(|read| counts = read))
    })
    .await?;
    // The next round begins where this one was: it has to be gone.
    for node in keepers.numbers() {
        keepers.kill(node).await?;
    }
    let beyond = counts.iter().find(|(_, count)| **count > 1);
    let seen = beyond.map_or(Ok(()), |(name, count)| Err(format!("{count} of {name}")));
    claim("each to have counted once, or not at all since it was lost", seen)?;
    Ok(counts.into_values().filter(|count| *count == 0).count())
}
