//! A link between two nodes that is cut for a moment, again and again.

use super::{CONVERGED, all_held, claim, no_failures, slowest};
use crate::Failure;
use crate::cluster::keeper::{Keepers, Load, Report, Request, Way, exactly, name};
use crate::cluster::{Figures, Stage};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often the link is cut, and for how long each time.
const CUTS: u32 = 10;
const CUT_LENGTH: Duration = Duration::from_millis(300);

/// Between two cuts.
const OPEN_MIN: Duration = Duration::from_millis(100);
const OPEN_MAX: Duration = Duration::from_millis(700);

/// How many names each node registers.
const PER_SECOND: u32 = 500;

/// The link between the first two nodes.
pub(in super::super) async fn cut_link(stage: &mut Stage) -> Result<Figures, Failure> {
    let keepers = Keepers::start(stage).await?;
    let mut rng = stage.rng();
    let mut figures = Figures::default();
    for (way, took) in [(Way::Placed, "slowest, placed"), (Way::Pid, "slowest, by pid")] {
        stage.say(&format!("{CUTS} cuts, while all register names, {}", way.name()));
        let load = |node| Load {
            prefix: format!("{}-{}", way.name(), name(node)),
            way,
            count: None,
            per_second: PER_SECOND,
            window: None,
        };
        let _: BTreeMap<_, ()> = keepers.ask_all(|node| Request::Begin(load(node))).await?;
        let (one, other) = (keepers.host(1), keepers.host(2));
        let mut n_lost = 0;
        for _ in 0..CUTS {
            tokio::time::sleep(rng.duration(OPEN_MIN..=OPEN_MAX)).await;
            stage.net_mut().cut_between(&[one], &[other])?;
            tokio::time::sleep(CUT_LENGTH).await;
            // None where both ends wait longer and longer before they try again.
            n_lost += stage.net().arrivals(one)?.cut;
            stage.net_mut().heal()?;
        }
        claim(
            "packets that do not arrive",
            if n_lost > 0 { Ok(()) } else { Err("none") }.map_err(String::from),
        )?;
        let reports: BTreeMap<usize, Report> = keepers.ask_all(|_| Request::End).await?;
        no_failures(&reports)?;
        figures = figures.and_time(took, slowest(&reports));
    }
    let alive = keepers.until_all_alive().await?;
    let held = all_held(&keepers).await?;
    let whole = keepers
        .until_tables(CONVERGED, "equal tables with every Ok", |tables| exactly(tables, &held));
    let equal_after = whole.await?.saturating_duration_since(alive);
    Ok(figures
        .and_count("names", held.len())
        .and_time("tables equal after", equal_after)
        .and_count("seed", stage.seed() as usize))
}
