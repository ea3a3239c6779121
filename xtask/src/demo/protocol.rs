//! What the demo and its node processes say to each other.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// The group that every device joins as it starts.
pub(crate) const GROUP: &str = "devices";

/// The name of a device.
pub(crate) fn name_of(device: u32) -> String {
    format!("device-{device}")
}

/// The number of the device of this name.
pub(crate) fn device_of(name: &str) -> Option<u32> {
    name.strip_prefix("device-")?.parse().ok()
}

/// What a node can be asked for, and what it replies.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// Where it gossips: `String`. Replied once the node has started.
    Address,
    /// The members that it lists: `Vec<Peer>`, by name.
    Members,
    /// How many there are of everything: [`Counts`].
    Counts,
    /// Which names it knows, and what runs here: [`Views`].
    Views,
    /// The live device processes of this node, by their own account: `Vec<Alive>`.
    Living,
    /// Registers the devices below `below`, `at_once` at a time: `()`.
    Register { below: u32, at_once: usize },
    /// Tries to register names that are taken: `Vec<Retaken>`, in that order.
    Retake { devices: Vec<u32> },
    /// Calls one device several times: [`Sample`].
    Call { device: u32, times: usize },
    /// Publishes one notice to all devices: `usize`, as `publish` returns it.
    Publish,
    /// Has every device count one further, by `multi_call`: `usize` answers.
    Count,
    /// Asks every device what it has counted, by `multi_call`: `Vec<Reading>`.
    Read,
    /// Begins to call these devices in turn, over and over: `()`.
    Hammer { devices: Vec<u32>, callers: usize },
    /// How many calls of the hammer were answered so far: `u64`.
    Hammered,
    /// Ends the hammer: [`Blows`].
    Rest,
    /// What this node saw happen to others: `Vec<Seen>`.
    Events,
    /// Moves everything away, in so many seconds: `()`.
    Drain { within_s: u64 },
    /// Leaves the cluster: `()`; then the process ends.
    Leave,
    /// The whole state of the node, as it shows it: JSON.
    Snapshot,
}

/// A member of the cluster: a node's name and its life.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) boot: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Device processes that live here.
    pub(crate) living: usize,
    /// Device processes that were ever started here.
    pub(crate) started: u64,
    /// Names in this node's view.
    pub(crate) registered: usize,
    /// Members of [`GROUP`] in this node's view.
    pub(crate) grouped: usize,
    /// Notices that the devices of this node have received.
    pub(crate) received: u64,
}

/// Sums over sets, which are equal where the sets are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Views {
    /// Of the names in this node's view, each with its process.
    pub(crate) registered: Sum,
    /// Of the processes of [`GROUP`] in this node's view.
    pub(crate) grouped: Sum,
    /// Of the device processes that live here, by their own account, each with its name.
    pub(crate) living: Sum,
    /// The same without the names.
    pub(crate) processes: Sum,
}

/// A sum over the elements of a set, in any order; of two disjoint sets it is the sum of theirs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sum(u64);

impl Sum {
    pub(crate) fn of<T: Hash>(elements: impl IntoIterator<Item = T>) -> Self {
        elements.into_iter().fold(Self::default(), |sum, element| {
            // The same in all processes of the demo, since they are one program.
            let mut hasher = DefaultHasher::new();
            element.hash(&mut hasher);
            sum.and(Self(hasher.finish()))
        })
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }
}

/// A live device process, by its own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Alive {
    pub(crate) device: u32,
    pub(crate) serial: u64,
    /// When it was started: see [`wall_us`].
    pub(crate) started_us: u64,
    #[serde(flatten)]
    pub(crate) tally: Tally,
}

/// What a device has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// How often it was told to count.
    pub(crate) count: u64,
    /// How many notices it has received.
    pub(crate) received: u64,
}

/// What a device replies when it is asked for its tally.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reading {
    pub(crate) device: u32,
    #[serde(flatten)]
    pub(crate) tally: Tally,
}

/// The outcome of an attempt to register a name that is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Retaken {
    /// As it should be; this process has it, and the node's own view says the same.
    Already(String),
    /// Whatever else happened, in words.
    Otherwise(String),
}

/// The calls of one device from one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// Every different answer: one, if all is well.
    pub(crate) answers: BTreeSet<String>,
    /// How long each call took, in microseconds.
    pub(crate) took_us: Vec<u64>,
}

/// What the hammer of one node has done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Blows {
    /// Calls that were answered, for each device that was called.
    pub(crate) answered: BTreeMap<u32, u64>,
    /// Calls that failed.
    pub(crate) failed: u64,
    /// Answers that were not above the last one to the same caller.
    pub(crate) backwards: u64,
    /// The first few of either, in words.
    pub(crate) complaints: Vec<String>,
    /// The slowest call, in microseconds.
    pub(crate) slowest_us: u64,
}

impl Blows {
    /// Keeps the first few.
    pub(crate) fn complain(&mut self, complaint: String) {
        if self.complaints.len() < COMPLAINTS_MAX {
            self.complaints.push(complaint);
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        for (device, n_answered) in other.answered {
            *self.answered.entry(device).or_default() += n_answered;
        }
        self.failed += other.failed;
        self.backwards += other.backwards;
        self.slowest_us = self.slowest_us.max(other.slowest_us);
        other.complaints.into_iter().for_each(|complaint| self.complain(complaint));
    }

    /// Calls that were answered.
    pub(crate) fn n_answered(&self) -> u64 {
        self.answered.values().sum()
    }
}

const COMPLAINTS_MAX: usize = 5;

/// What a node saw happen to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// When: see [`wall_us`].
    pub(crate) at_us: u64,
    pub(crate) what: What,
    /// Whom it happened to.
    pub(crate) peer: Peer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    Up,
    Suspected,
    Refuted,
    Dead,
    Left,
    /// The node was told of more than it could read in time. The peer is itself.
    Missed,
}

/// The wall clock in microseconds: the one clock that all processes of a machine share.
pub(crate) fn wall_us() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "processes compare when they saw what")]
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_known_by_its_name() {
        assert_eq!(device_of(&name_of(42)), Some(42));
        assert_eq!(device_of("device-"), None);
        assert_eq!(device_of("gadget-42"), None);
    }

    #[test]
    fn a_sum_tells_sets_apart_and_not_orders() {
        let all = Sum::of([1, 2, 3]);
        assert_eq!(Sum::of([3, 1, 2]), all);
        assert_eq!(Sum::of([1]).and(Sum::of([3, 2])), all);
        for other in [vec![], vec![1, 2], vec![1, 2, 4], vec![1, 2, 3, 3]] {
            assert_ne!(Sum::of(other.clone()), Sum::of([1, 2, 3]), "{other:?}");
        }
    }
}
