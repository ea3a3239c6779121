//! The roll call: which devices live where, by their own account.

use super::figures::count;
use super::protocol::{Alive, Tally};
use std::collections::{BTreeMap, BTreeSet};

/// The live device processes of all nodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roll {
    devices: BTreeMap<u32, Vec<(usize, Alive)>>,
}

impl Roll {
    /// Of what each node lists.
    pub(crate) fn of(lists: impl IntoIterator<Item = (usize, Vec<Alive>)>) -> Self {
        let mut roll = Self::default();
        for (node, list) in lists {
            for alive in list {
                roll.devices.entry(alive.device).or_default().push((node, alive));
            }
        }
        roll
    }

    /// Whether each of the devices below `n_devices` lives exactly once, and no other.
    ///
    /// # Errors
    ///
    /// What is wrong, in words, with examples.
    pub(crate) fn exactly_once(&self, n_devices: u32) -> Result<(), String> {
        let missing: Vec<_> =
            (0..n_devices).filter(|device| !self.devices.contains_key(device)).collect();
        let many = |(_, lives): &(&u32, &Vec<(usize, Alive)>)| lives.len() > 1;
        let doubled: Vec<_> = self.devices.iter().filter(many).collect();
        let alien = self.devices.range(n_devices..).count();
        let mut wrong = Vec::new();
        if let Some(first) = missing.first() {
            wrong.push(format!("{} nowhere, such as device-{first}", count(missing.len())));
        }
        if let Some((device, lives)) = doubled.first() {
            let nodes: Vec<_> = lives.iter().map(|(node, _)| format!("n{node}")).collect();
            let nodes = nodes.join(" and ");
            wrong.push(format!(
                "{} more than once, such as device-{device} on {nodes}",
                count(doubled.len())
            ));
        }
        if alien > 0 {
            wrong.push(format!("{} that nobody registered", count(alien)));
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join(", ")) }
    }

    /// The devices that live on `node`.
    pub(crate) fn on(&self, node: usize) -> BTreeSet<u32> {
        let here = |lives: &Vec<(usize, Alive)>| lives.iter().any(|(at, _)| *at == node);
        self.devices.iter().filter(|(_, lives)| here(lives)).map(|(device, _)| *device).collect()
    }

    /// The life of a device: any, where there are several.
    pub(crate) fn life(&self, device: u32) -> Option<(usize, Alive)> {
        self.devices.get(&device)?.first().copied()
    }

    /// What a device has counted; nothing where it does not live.
    pub(crate) fn tally(&self, device: u32) -> Tally {
        self.life(device).map_or_else(Tally::default, |(_, alive)| alive.tally)
    }

    /// How many devices live on each of `nodes`, none included.
    pub(crate) fn shares(&self, nodes: impl IntoIterator<Item = usize>) -> Vec<(usize, usize)> {
        nodes.into_iter().map(|node| (node, self.on(node).len())).collect()
    }
}

/// Whether each share is what a ring of equal nodes gives: within 15 % of the mean, which bounds
/// the ring's own imbalance, and five standard deviations of placing so many names at random.
pub(crate) fn is_spread(shares: &[(usize, usize)]) -> bool {
    let total: usize = shares.iter().map(|(_, share)| share).sum();
    let mean = total as f64 / shares.len() as f64;
    let slack = 0.15 * mean + 5.0 * mean.sqrt();
    shares.iter().all(|(_, share)| (*share as f64 - mean).abs() <= slack)
}

/// `n1 2,014 · n2 1,986`.
pub(crate) fn written(shares: &[(usize, usize)]) -> String {
    let written = |(node, share): &(usize, usize)| format!("n{node} {}", count(*share));
    shares.iter().map(written).collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alive(device: u32) -> Alive {
        let tally = Tally { count: u64::from(device), received: 1 };
        Alive { device, serial: 1, started_us: 0, tally }
    }

    fn roll(lists: &[(usize, &[u32])]) -> Roll {
        let list = |devices: &[u32]| devices.iter().copied().map(alive).collect();
        Roll::of(lists.iter().map(|(node, devices)| (*node, list(devices))))
    }

    #[test]
    fn each_device_lives_exactly_once_or_the_roll_says_what_is_wrong() {
        let check = |lists: &[(usize, &[u32])], wrong: &str| {
            let found = roll(lists).exactly_once(4).err().unwrap_or_default();
            assert_eq!(found, wrong, "{lists:?}");
        };
        check(&[(1, &[0, 3]), (2, &[1, 2])], "");
        check(&[(1, &[0, 3]), (2, &[1])], "1 nowhere, such as device-2");
        check(&[(1, &[0, 3]), (2, &[1, 2, 3])], "1 more than once, such as device-3 on n1 and n2");
        check(&[(1, &[0, 0, 1, 2, 3])], "1 more than once, such as device-0 on n1 and n1");
        check(&[(1, &[0, 1, 2, 3, 4])], "1 that nobody registered");
        check(&[], "4 nowhere, such as device-0");
    }

    #[test]
    fn a_roll_knows_who_lives_where_and_what_they_counted() {
        let roll = roll(&[(1, &[0, 3]), (2, &[1])]);
        assert_eq!(roll.on(1), BTreeSet::from([0, 3]));
        assert_eq!(roll.shares([1, 2, 3]), [(1, 2), (2, 1), (3, 0)]);
        assert_eq!(written(&roll.shares([1, 2])), "n1 2 · n2 1");
        assert_eq!(roll.tally(3).count, 3);
        assert_eq!(roll.tally(9), Tally::default());
        assert_eq!(roll.life(1).map(|(node, _)| node), Some(2));
    }

    #[test]
    fn shares_are_spread_unless_one_is_far_off() {
        let check = |shares: &[usize], want: bool| {
            let shares: Vec<_> = (1..).zip(shares.iter().copied()).collect();
            assert_eq!(is_spread(&shares), want, "{shares:?}");
        };
        check(&[2_000, 2_000, 2_000, 2_000, 2_000], true);
        check(&[2_120, 1_880, 2_050, 1_950, 2_000], true);
        check(&[10_000, 0, 0, 0, 0], false);
        check(&[2_500, 2_500, 2_500, 2_500, 0], false);
        check(&[2_600, 1_850, 1_850, 1_850, 1_850], false);
        // Few names scatter more.
        check(&[26, 14, 20, 20, 20], true);
        check(&[100, 0, 0], false);
    }
}
