//! Placed names under partitions, freezes and deaths: each runs once where no partition excuses
//! more, keeps what it has counted, and ends where it belongs.

pub(super) mod cuts;
pub(super) mod cycles;
pub(super) mod freeze;
pub(super) mod kill;
pub(super) mod quorum;
pub(super) mod split;

use super::claim;
use crate::Failure;
use crate::cluster::Stage;
use crate::cluster::keeper::{
    Keepers, Load, PATIENCE, Peer, Report, Request, Table, Way, equal, name, until,
};
use crate::cluster::ledger::{self, Life, Window, now_us};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;
use swarm::{NodeName, Ring, Strategy, Weight};

/// How many names there are.
const NAMES: u64 = 200;

/// As fast as it goes.
const FAST: u32 = 1_000_000;

/// Registers workers through a node.
async fn register(keepers: &Keepers, node: usize, prefix: &str, count: u64) -> Result<(), Failure> {
    let (prefix, count) = (prefix.to_owned(), Some(count));
    let load = Load { prefix, way: Way::Counted, count, per_second: FAST, window: None };
    keepers.ask::<()>(node, Request::Begin(load)).await?;
    let report: Report = keepers.ask(node, Request::Finish).await?;
    match report.failed {
        0 => Ok(()),
        failed => {
            let why = report.complaints.join("; ");
            Err(Failure::new(format!("{failed} registrations failed: {why}")))
        }
    }
}

/// Registers the workers of a scenario through the first node, has each count once, and waits until
/// all nodes know them where they belong.
async fn fill(keepers: &Keepers) -> Result<(), Failure> {
    register(keepers, 1, PREFIX, NAMES).await?;
    until_home(keepers, &names()).await?;
    add(keepers, 1).await
}

/// Has each worker of a scenario count once, through a node.
async fn add(keepers: &Keepers, node: usize) -> Result<(), Failure> {
    keepers.ask(node, Request::Add { names: names().into_iter().collect() }).await
}

/// What the workers have counted, as a node reads it.
async fn counts_through(keepers: &Keepers, node: usize) -> Result<BTreeMap<String, u64>, Failure> {
    keepers.ask(node, Request::Read { names: names().into_iter().collect() }).await
}

/// Whether each has counted so far.
async fn all_counted(keepers: &Keepers, count: u64) -> Result<(), Failure> {
    let counts = counts_through(keepers, 1).await?;
    let other = counts.iter().find(|(_, counted)| **counted != count);
    let seen = other.map_or(Ok(()), |(name, counted)| Err(format!("{counted} of {name}")));
    claim(&format!("each to have counted {count}"), seen)
}

fn names() -> BTreeSet<String> {
    (0..NAMES).map(|n| format!("{PREFIX}-{n}")).collect()
}

/// Waits until all tables are equal and hold just these names, each where it belongs: when it was
/// so.
async fn until_home(keepers: &Keepers, names: &BTreeSet<String>) -> Result<Instant, Failure> {
    let members = keepers.members().await?;
    let Some(members) = members.values().next() else { return Err(Failure::new("no node runs")) };
    keepers
        .until_tables(PATIENCE, "every name where it belongs", |tables| {
            equal(tables)?;
            tables.values().next().map_or(Ok(()), |table| at_home(table, names, members))
        })
        .await
}

/// Whether a table holds just these names, each with a process of the node that owns it.
fn at_home(
    table: &Table,
    names: &BTreeSet<String>,
    members: &BTreeMap<String, Peer>,
) -> Result<(), String> {
    if !table.names.keys().eq(names) {
        let missing = names.iter().find(|name| !table.names.contains_key(*name));
        let (has, want) = (table.names.len(), names.len());
        return Err(format!("{has} names, not {want}; missing: {missing:?}"));
    }
    let mut ring = Ring::new();
    for node in members.keys() {
        ring.add(NodeName::new(node).map_err(|error| error.to_string())?, Weight::default());
    }
    for (name, pid) in &table.names {
        let owner = ring.owner(name.as_bytes()).ok_or("nobody owns a name")?;
        if !runs_on(pid, &members[owner.as_str()]) {
            return Err(format!("{name} is {pid}, not on {owner}"));
        }
    }
    Ok(())
}

/// Whether a process is one of this life of a node.
fn runs_on(pid: &str, node: &Peer) -> bool {
    pid.trim_start_matches('<').strip_prefix(&node.boot).is_some_and(|rest| rest.starts_with('.'))
}

/// Whether each name ran once at any time, but for these windows, and each runs once now.
fn ran_once(
    keepers: &Keepers,
    names: &BTreeSet<String>,
    excused: &[Window],
) -> Result<Vec<Life>, Failure> {
    let lives = keepers.lives()?;
    let overlaps = ledger::overlaps(&lives, excused);
    let seen = overlaps.first().map_or(Ok(()), |first| Err(format!("{}: {first}", overlaps.len())));
    claim("no name to run twice at once", seen)?;
    claim("no token to be given twice", ledger::same_token(&lives))?;
    let (living, wanted) = (ledger::living(&lives), names.iter().map(String::as_str));
    let seen = match living.iter().copied().eq(wanted) {
        true => Ok(()),
        false => Err(format!("{} processes of {} names", living.len(), names.len())),
    };
    claim("each name to run once", seen)?;
    Ok(lives)
}

/// Cuts sides from each other, until each lists itself alone: when it did.
async fn part(
    stage: &mut Stage,
    keepers: &Keepers,
    sides: &[Vec<usize>],
) -> Result<Instant, Failure> {
    let hosts = |nodes: &[usize]| nodes.iter().map(|node| keepers.host(*node)).collect::<Vec<_>>();
    for (n, side) in sides.iter().enumerate() {
        let others = sides[n + 1..].concat();
        stage.net_mut().cut_between(&hosts(side), &hosts(&others))?;
    }
    until(PATIENCE, "each side alone", async || {
        let members = keepers.members().await?;
        let alone = |(node, members): (&usize, &BTreeMap<String, Peer>)| {
            let own = sides.iter().find(|side| side.contains(node));
            let own: BTreeSet<_> = own.into_iter().flatten().map(|node| name(*node)).collect();
            members.keys().eq(&own)
        };
        Ok(match members.iter().find(|view| !alone(*view)) {
            Some((node, members)) => Err(format!("n{node} lists {:?}", members.keys())),
            None => Ok(()),
        })
    })
    .await
}

/// Waits until a side runs these names by itself: when it did.
async fn until_side_runs(
    keepers: &Keepers,
    side: &[usize],
    names: &BTreeSet<String>,
) -> Result<Instant, Failure> {
    until(PATIENCE, "each side to run all names", async || {
        // Who is not of the side may be frozen, and is not asked.
        let members: BTreeMap<String, Peer> = keepers.ask(side[0], Request::Members).await?;
        let mut tables: BTreeMap<usize, Table> = BTreeMap::new();
        for node in side {
            tables.insert(*node, keepers.ask(*node, Request::Table).await?);
        }
        let own: BTreeSet<_> = side.iter().map(|node| name(*node)).collect();
        if !members.keys().eq(&own) {
            return Ok(Err(format!("n{} lists {:?}", side[0], members.keys())));
        }
        let home = tables.values().next().map_or(Ok(()), |it| at_home(it, names, &members));
        Ok(equal(&tables).and(home))
    })
    .await
}

/// A window that begins now.
fn opens() -> Window {
    Window { from_us: now_us(), until_us: u64::MAX }
}

/// The same window, which ends now.
fn closes(window: Window) -> Window {
    Window { until_us: now_us(), ..window }
}

/// How all names of a scenario begin.
const PREFIX: &str = "counted";

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(boot: &str) -> Peer {
        Peer { boot: boot.to_owned(), is_alive: true }
    }

    #[test]
    fn a_process_is_of_one_life_of_a_node() {
        assert!(runs_on("<12-ab.7>", &peer("12-ab")));
        assert!(!runs_on("<12-abc.7>", &peer("12-ab")));
        assert!(!runs_on("<13-ab.7>", &peer("12-ab")));
    }

    #[test]
    fn names_are_at_home_where_the_ring_wants_them_and_nowhere_else() {
        let members = BTreeMap::from([("n1".to_owned(), peer("1")), ("n2".to_owned(), peer("2"))]);
        let mut ring = Ring::new();
        for node in members.keys() {
            ring.add(NodeName::new(node).expect("a name"), Weight::default());
        }
        let names: BTreeSet<_> = (0..20).map(|n| format!("a-{n}")).collect();
        let pid = |name: &String| {
            let owner = ring.owner(name.as_bytes()).expect("two nodes");
            format!("<{}.1>", members[owner.as_str()].boot)
        };
        let home: BTreeMap<_, _> = names.iter().map(|name| (name.clone(), pid(name))).collect();
        let check = |change: fn(&mut BTreeMap<String, String>), is_home: bool| {
            let mut table = Table { names: home.clone(), ..Table::default() };
            change(&mut table.names);
            assert_eq!(at_home(&table, &names, &members).is_ok(), is_home);
        };
        check(|_| (), true);
        check(|names| drop(names.pop_first()), false);
        check(|names| drop(names.insert("b".to_owned(), "<1.1>".to_owned())), false);
        check(|names| names.values_mut().for_each(|pid| "<1.1>".clone_into(pid)), false);
    }
}
