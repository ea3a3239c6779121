//! Names that come and go for long.

use super::{CONVERGED, all_held, claim, no_failures, slowest};
use crate::Failure;
use crate::cluster::keeper::{Keepers, Load, Report, Request, Way, exactly, name};
use crate::cluster::{Figures, Stage};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many names all nodes register together, and as many they take away.
const PER_SECOND: u32 = 10_000;

/// How many each node has at any time.
const WINDOW: u64 = 1_000;

const SECONDS: u32 = 30;

/// Memory is looked at once everything has been in use; and in a long run after a tenth of it.
const WARM_UP: Duration = Duration::from_secs(15);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How much of its memory a node may gain: what a long run gains is none of it.
const GROWTH_MAX: f64 = 0.1;

/// How much of the rate there has to be in all, and between any two looks: who was held up by
/// other work of the machine catches up.
const RATE_MIN: f64 = 0.99;
const RATE_MIN_ONCE: f64 = 0.8;

/// How memory and rates were at one look.
struct Look {
    registered: u64,
    bytes: BTreeMap<usize, u64>,
}

/// Every node registers and takes away, all the time.
pub(in super::super) async fn churn(stage: &mut Stage) -> Result<Figures, Failure> {
    let keepers = Keepers::start(stage).await?;
    let length = Duration::from_secs(stage.seconds_or(SECONDS).into());
    let warm_up = WARM_UP.max(length / 10);
    let nodes = keepers.numbers();
    let load = |node| Load {
        prefix: name(node),
        way: Way::OnePid,
        count: None,
        per_second: PER_SECOND / nodes.len() as u32,
        window: Some(WINDOW),
    };
    let _: BTreeMap<_, ()> = keepers.ask_all(|node| Request::Begin(load(node))).await?;
    tokio::time::sleep(warm_up).await;
    let (begin, first) = (crate::cluster::now(), look(&keepers).await?);
    let (mut before, mut slowest_rate) = ((begin, first.registered), f64::INFINITY);
    let mut last = look(&keepers).await?;
    while begin.elapsed() + warm_up < length {
        tokio::time::sleep(LOOK_EVERY).await;
        last = look(&keepers).await?;
        let at = crate::cluster::now();
        let rate = (last.registered - before.1) as f64 / (at - before.0).as_secs_f64();
        (before, slowest_rate) = ((at, last.registered), slowest_rate.min(rate));
        let mib: Vec<_> = last.bytes.values().map(|bytes| format!("{:.1}", mib(*bytes))).collect();
        stage.say(&format!("{rate:.0} names/s, {} MiB", mib.join(", ")));
    }
    let reports: BTreeMap<usize, Report> = keepers.ask_all(|_| Request::End).await?;
    no_failures(&reports)?;
    let rate = (last.registered - first.registered) as f64 / (before.0 - begin).as_secs_f64();
    for (rate, min) in [(rate, RATE_MIN), (slowest_rate, RATE_MIN_ONCE)] {
        let kept = rate >= min * f64::from(PER_SECOND);
        claim("the rate to be kept", if kept { Ok(()) } else { Err(format!("{rate:.0}/s")) })?;
    }
    let growth = growth(&first, &last);
    claim(
        "memory to be flat",
        if growth <= GROWTH_MAX { Ok(()) } else { Err(format!("{:.1} % more", growth * 100.0)) },
    )?;
    let held = all_held(&keepers).await?;
    let whole = keepers.until_tables(CONVERGED, "equal tables", |tables| exactly(tables, &held));
    whole.await?;
    Ok(Figures::default()
        .and("registered", rate, "/s")
        .and("at least", slowest_rate, "/s")
        .and_time("slowest", slowest(&reports))
        .and("memory", mib(last.bytes.values().copied().max().unwrap_or(0)), "MiB")
        .and("growth", growth * 100.0, "%")
        .and_count("names at the end", held.len()))
}

async fn look(keepers: &Keepers) -> Result<Look, Failure> {
    let reports: BTreeMap<usize, Report> = keepers.ask_all(|_| Request::Progress).await?;
    let registered = reports.values().map(|report| report.registered).sum();
    Ok(Look { registered, bytes: keepers.ask_all(|_| Request::Resident).await? })
}

/// By how much that node has grown that grew most.
fn growth(first: &Look, last: &Look) -> f64 {
    let grown = |(node, bytes): (&usize, &u64)| *bytes as f64 / first.bytes[node] as f64 - 1.0;
    last.bytes.iter().map(grown).fold(f64::NEG_INFINITY, f64::max)
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
