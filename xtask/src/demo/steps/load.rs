//! Callers on every node that go on calling while devices move.

use crate::Failure;
use crate::demo::cluster::Cluster;
use crate::demo::figures::count;
use crate::demo::protocol::{Blows, Request, Tally};
use crate::demo::roll::Roll;
use crate::demo::{Demo, expect};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How many callers each node has.
const CALLERS: usize = 2;

/// The callers of these nodes, and what was so before.
pub(super) struct Load {
    devices: BTreeSet<u32>,
    nodes: Vec<usize>,
    before: Roll,
}

impl Load {
    /// Begins to call `devices` from `nodes`. `before` is the roll of this moment: nobody else has
    /// devices count while the load lasts.
    pub(super) async fn begin(
        demo: &mut Demo,
        devices: BTreeSet<u32>,
        nodes: Vec<usize>,
        before: Roll,
    ) -> Result<Self, Failure> {
        let load = Self { devices, nodes, before };
        for (turn, node) in load.nodes.iter().enumerate() {
            // Each node begins elsewhere, so that no two call the same device at a time.
            let mut turned: Vec<u32> = load.devices.iter().copied().collect();
            let by = turned.len() * turn / load.nodes.len();
            turned.rotate_left(by);
            let request = Request::Hammer { devices: turned, callers: CALLERS };
            demo.cluster.ask::<()>(*node, request).await?;
        }
        load.go_on(demo).await?;
        Ok(load)
    }

    /// How many calls were answered so far.
    pub(super) async fn answered(&self, cluster: &Cluster) -> Result<u64, Failure> {
        let mut answered = 0;
        for node in &self.nodes {
            answered += cluster.ask::<u64>(*node, Request::Hammered).await?;
        }
        Ok(answered)
    }

    /// Waits until as many calls were answered anew as there are devices.
    pub(super) async fn go_on(&self, demo: &mut Demo) -> Result<(), Failure> {
        let want = self.answered(&demo.cluster).await? + self.devices.len() as u64;
        demo.until(Duration::from_secs(20), "callers to be answered", async |cluster| {
            let answered = self.answered(cluster).await?;
            let so_far = || format!("{} calls answered", count(answered as usize));
            Ok(if answered >= want { Ok(()) } else { Err(so_far()) })
        })
        .await
    }

    /// Ends the calls. None may have failed or gone back, and each device must have counted
    /// exactly those that were answered: by its own account, on whatever node it is now.
    pub(super) async fn end(self, demo: &mut Demo) -> Result<Blows, Failure> {
        let mut blows = Blows::default();
        for node in &self.nodes {
            blows.add(demo.cluster.ask(*node, Request::Rest).await?);
        }
        let complaints = || format!("{} that did: {}", blows.failed, blows.complaints.join("; "));
        expect(blows.failed == 0, "no call to fail", complaints)?;
        let complaints =
            || format!("{} that did: {}", blows.backwards, blows.complaints.join("; "));
        expect(blows.backwards == 0, "no counter to go back", complaints)?;
        let after = demo.settled(Duration::from_secs(10)).await?;
        let wrong = miscounted(&self.before, &after, &blows.answered, demo.n_devices);
        let expected = "every device to have counted what it answered, and kept its state";
        expect(wrong.is_none(), expected, || wrong.unwrap_or_default())?;
        Ok(blows)
    }
}

/// The first device that has not counted exactly the calls that it answered since `before`.
fn miscounted(
    before: &Roll,
    after: &Roll,
    answered: &BTreeMap<u32, u64>,
    n_devices: u32,
) -> Option<String> {
    (0..n_devices).find_map(|device| {
        let (old, new) = (before.tally(device), after.tally(device));
        let n_answered = answered.get(&device).copied().unwrap_or(0);
        let want = Tally { count: old.count + n_answered, received: old.received };
        (new != want).then(|| {
            format!("device-{device}: {old:?}, then {n_answered} calls answered, now {new:?}")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::protocol::Alive;

    fn roll(tallies: &[(u64, u64)]) -> Roll {
        let alive = |(device, (count, received)): (u32, &(u64, u64))| {
            let tally = Tally { count: *count, received: *received };
            Alive { device, serial: 1, started_us: 0, tally }
        };
        Roll::of([(1, (0..).zip(tallies).map(alive).collect())])
    }

    #[test]
    fn a_device_counts_what_it_answered_and_keeps_its_state() {
        let before = roll(&[(3, 1), (1, 0)]);
        let check = |after: &[(u64, u64)], answered: &[(u32, u64)], wrong: Option<&str>| {
            let answered = answered.iter().copied().collect();
            let found = miscounted(&before, &roll(after), &answered, 2);
            let device = found.as_deref().and_then(|found| found.split(':').next());
            assert_eq!(device, wrong, "{after:?}");
        };
        check(&[(3, 1), (1, 0)], &[], None);
        check(&[(5, 1), (2, 0)], &[(0, 2), (1, 1)], None);
        check(&[(3, 1), (0, 0)], &[], Some("device-1"));
        check(&[(4, 1), (1, 0)], &[(0, 2)], Some("device-0"));
        check(&[(6, 1), (1, 0)], &[(0, 2)], Some("device-0"));
        check(&[(3, 0), (1, 0)], &[], Some("device-0"));
        check(&[(3, 1)], &[], Some("device-1"));
    }
}
