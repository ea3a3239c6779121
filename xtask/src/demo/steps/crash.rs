//! Step 6: a node is killed, and its devices run again elsewhere.

use super::members;
use crate::Failure;
use crate::demo::cluster::{Cluster, name};
use crate::demo::figures::{Figure, count, time};
use crate::demo::protocol::{Peer, Request, Tally, What, wall_us};
use crate::demo::roll::{Roll, written};
use crate::demo::{Demo, expect};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How far every device counts before.
const COUNT: u64 = 3;

/// What the next step needs to know.
pub(super) struct Crashed {
    pub(super) node: usize,
    /// The devices that ran there.
    pub(super) share: BTreeSet<u32>,
}

pub(super) async fn run(demo: &mut Demo) -> Result<Crashed, Failure> {
    let node = demo.n_nodes.div_ceil(2);
    let before = counted(demo).await?;
    let share = before.on(node);
    let peers = members::listed(demo).await?;
    let peer = peers.into_iter().find(|peer| peer.name == name(node));
    let peer = peer.expect("every member was listed by its name");
    let started_before = started(&demo.cluster, node).await?;

    let process = demo.cluster.take(node);
    let id = process.id().unwrap_or_default();
    let killed_us = wall_us();
    process.kill().await?;
    demo.screen.say(&format!("kill -9 n{node} (process {id}), where {} ran", count(share.len())));
    dead(demo, node, &peer, killed_us).await?;

    let after = demo.settled(Duration::from_secs(20)).await?;
    let settled_us = wall_us() - killed_us;
    let restarted_us = share.iter().filter_map(|device| after.life(*device));
    let restarted_us = restarted_us.map(|(_, alive)| alive.started_us).max().unwrap_or(killed_us);
    let restarted_us = restarted_us.saturating_sub(killed_us);
    untouched(&before, &after, node, demo.n_devices)?;
    // A second process of a name that came and went would be gone from the roll by now.
    let started = started(&demo.cluster, node).await? - started_before;
    expect(started == share.len() as u64, "each started once", || {
        format!("{} starts for {} names", count(started as usize), count(share.len()))
    })?;
    let shares = elsewhere(&share, &after, demo.cluster.numbers());
    demo.screen.holds(
        format!(
            "each of its {} names runs again on exactly one other node ({}): the last one {} \
             after the kill",
            count(share.len()),
            written(&shares),
            time(restarted_us)
        ),
        vec![
            Figure::number("restarted", share.len()),
            Figure::micros("last_restarted", restarted_us),
        ],
    );
    demo.screen.holds(
        format!("all views agree on that {} after the kill", time(settled_us)),
        vec![Figure::micros("crash_settled", settled_us)],
    );
    Ok(Crashed { node, share })
}

/// Has every device count, and reads back that it did.
async fn counted(demo: &mut Demo) -> Result<Roll, Failure> {
    for turn in 0..COUNT {
        demo.screen.progress(&format!("every device counts: {turn} of {COUNT}"));
        // Each time through another node.
        let nodes = demo.cluster.numbers();
        let through = nodes[turn as usize % nodes.len()];
        demo.cluster.ask::<usize>(through, Request::Count).await?;
    }
    let roll = demo.settled(Duration::from_secs(10)).await?;
    let want = Tally { count: COUNT, received: 1 };
    let mut wrong = (0..demo.n_devices).filter(|device| roll.tally(*device) != want);
    let wrong = wrong.next();
    expect(wrong.is_none(), &format!("every device to count to {COUNT}"), || {
        let device = wrong.unwrap_or_default();
        format!("device-{device} at {}", roll.tally(device).count)
    })?;
    demo.screen.holds(format!("every device has counted to {COUNT}"), Vec::new());
    Ok(roll)
}

/// Waits until every other node holds the killed one dead.
async fn dead(demo: &mut Demo, node: usize, peer: &Peer, killed_us: u64) -> Result<(), Failure> {
    let n_others = demo.cluster.numbers().len();
    let expected = format!("n{node} to be held dead by all");
    let dead_us = demo
        .until(Duration::from_secs(15), &expected, async |cluster: &Cluster| {
            let dead = cluster.seen(peer, What::Dead, killed_us).await?;
            // Who could not read all its news may have missed this: the members tell below.
            let mut told: BTreeSet<usize> = dead.keys().copied().collect();
            told.extend(cluster.missed(killed_us).await?);
            let all = told.len() == n_others && !dead.is_empty();
            Ok(if all { Ok(dead) } else { Err(format!("held dead by {} nodes", told.len())) })
        })
        .await?;
    let suspected_us = demo.cluster.seen(peer, What::Suspected, killed_us).await?;
    members::listed(demo).await?;
    let first = |times: &BTreeMap<usize, u64>| {
        times.iter().min_by_key(|(_, at)| **at).map(|(node, at)| (*node, at - killed_us.min(*at)))
    };
    let suspected = first(&suspected_us);
    expect(suspected.is_some(), &format!("n{node} to be suspected first"), || "not".to_owned())?;
    let (by, suspected_us) = suspected.unwrap_or_default();
    let (_, first_us) = first(&dead_us).unwrap_or_default();
    let last_us = dead_us.values().max().map_or(0, |at| at.saturating_sub(killed_us));
    demo.screen.holds(
        format!(
            "n{node} suspect {} after the kill (by n{by}), dead after {} on the first node, {} \
             on all",
            time(suspected_us),
            time(first_us),
            time(last_us)
        ),
        vec![
            Figure::micros("suspected", suspected_us),
            Figure::micros("dead_first", first_us),
            Figure::micros("dead_all", last_us),
        ],
    );
    Ok(())
}

/// Whether the devices of other nodes are the same processes with the same tally, and those of
/// `node` have begun anew: the state of a dead node is lost.
fn untouched(before: &Roll, after: &Roll, node: usize, n_devices: u32) -> Result<(), Failure> {
    for device in 0..n_devices {
        let (old, new) = (before.life(device), after.life(device));
        let as_it_should = match old {
            Some((at, _)) if at == node => {
                new.is_some_and(|(at, alive)| at != node && alive.tally == Tally::default())
            }
            _ => new == old,
        };
        expect(as_it_should, "only devices of the dead node to begin anew", || {
            format!("device-{device}: {old:?} before, {new:?} after")
        })?;
    }
    Ok(())
}

/// How many devices were ever started on the nodes but `left_out`.
async fn started(cluster: &Cluster, left_out: usize) -> Result<u64, Failure> {
    let counts = cluster.counts().await?;
    let others = counts.iter().filter(|(node, _)| **node != left_out);
    Ok(others.map(|(_, counts)| counts.started).sum())
}

/// How many of `devices` run on each of `nodes`.
pub(super) fn elsewhere(
    devices: &BTreeSet<u32>,
    roll: &Roll,
    nodes: Vec<usize>,
) -> Vec<(usize, usize)> {
    let share = |node| (node, roll.on(node).intersection(devices).count());
    nodes.into_iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::protocol::Alive;

    const TALLY: Tally = Tally { count: 3, received: 1 };

    /// Of node, serial and tally of the devices 0, 1 and so on.
    fn roll(lives: &[(usize, u64, Tally)]) -> Roll {
        let alive = |(device, (node, serial, tally)): (u32, &(usize, u64, Tally))| {
            (*node, vec![Alive { device, serial: *serial, started_us: 0, tally: *tally }])
        };
        Roll::of((0..).zip(lives).map(alive))
    }

    #[test]
    fn only_devices_of_the_dead_node_begin_anew() {
        let before = roll(&[(1, 7, TALLY), (2, 7, TALLY)]);
        let anew = Tally::default();
        let check = |after: &[(usize, u64, Tally)], holds: bool| {
            assert_eq!(untouched(&before, &roll(after), 2, 2).is_ok(), holds, "{after:?}");
        };
        check(&[(1, 7, TALLY), (1, 8, anew)], true);
        check(&[(1, 7, TALLY), (3, 7, anew)], true);
        // The one of the living node was started again, or moved.
        check(&[(1, 9, anew), (1, 8, anew)], false);
        check(&[(3, 7, TALLY), (1, 8, anew)], false);
        // The one of the dead node is where it cannot be, kept what was lost, or is nowhere.
        check(&[(1, 7, TALLY), (2, 8, anew)], false);
        check(&[(1, 7, TALLY), (1, 8, TALLY)], false);
        check(&[(1, 7, TALLY)], false);
    }

    #[test]
    fn a_share_is_counted_where_it_runs() {
        let roll = roll(&[(1, 1, TALLY), (2, 1, TALLY), (2, 2, TALLY)]);
        assert_eq!(
            elsewhere(&BTreeSet::from([0, 1]), &roll, vec![1, 2, 3]),
            [(1, 1), (2, 1), (3, 0)]
        );
    }
}
