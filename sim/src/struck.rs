//! How often each fault really struck: a fault that is on but never strikes tests nothing.

use std::fmt;

/// Counts of the faults that struck, by class.
///
/// A fault strikes when it changes what a node sees: a cut that no packet ran into does not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Struck([u64; CLASSES.len()]);

impl Struck {
    /// Every class with its count, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        CLASSES.iter().map(|(_, name)| *name).zip(self.0)
    }

    /// The count of the class `name`, or zero where there is no such class.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        self.iter().find(|(class, _)| *class == name).map_or(0, |(_, count)| count)
    }

    /// The classes that never struck.
    pub fn missing(&self) -> impl Iterator<Item = &'static str> {
        self.iter().filter(|(_, count)| *count == 0).map(|(name, _)| name)
    }

    /// Adds the counts of another run.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    pub(crate) const fn add(&mut self, class: Class) {
        self.0[class as usize] += 1;
    }
}

impl fmt::Display for Struck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, (name, count)) in self.iter().enumerate() {
            let comma = if nth == 0 { "" } else { ", " };
            write!(f, "{comma}{name} {count}")?;
        }
        Ok(())
    }
}

/// A class of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Loss,
    Duplicate,
    Reorder,
    DelayTail,
    Damage,
    Partition,
    OneWay,
    NonTransitive,
    Flap,
    Pause,
    Slow,
    Skew,
    Crash,
    Stop,
    Restart,
    SessionBreak,
    IdleTimeout,
    DialFailed,
    HalfOpen,
    TailLost,
}

const CLASSES: [(Class, &str); 20] = [
    (Class::Loss, "loss"),
    (Class::Duplicate, "duplicate"),
    (Class::Reorder, "reorder"),
    (Class::DelayTail, "delay tail"),
    (Class::Damage, "damage"),
    (Class::Partition, "cut"),
    (Class::OneWay, "one-way"),
    (Class::NonTransitive, "non-transitive"),
    (Class::Flap, "flap"),
    (Class::Pause, "pause"),
    (Class::Slow, "slow"),
    (Class::Skew, "skew"),
    (Class::Crash, "crash"),
    (Class::Stop, "stop"),
    (Class::Restart, "restart"),
    (Class::SessionBreak, "session break"),
    (Class::IdleTimeout, "idle timeout"),
    (Class::DialFailed, "dial failed"),
    (Class::HalfOpen, "half open"),
    (Class::TailLost, "tail lost"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_names_is_in_the_order_of_the_classes() {
        for (nth, (class, name)) in CLASSES.iter().enumerate() {
            assert_eq!(*class as usize, nth, "{name}");
        }
    }

    #[test]
    fn counts_add_up_over_runs() {
        let (mut one, mut two) = (Struck::default(), Struck::default());
        one.add(Class::Loss);
        two.add(Class::Loss);
        two.add(Class::Flap);
        one.merge(&two);
        assert_eq!((one.count("loss"), one.count("flap"), one.count("nonsense")), (2, 1, 0));
        assert!(one.missing().all(|name| name != "loss" && name != "flap"));
        assert!(one.to_string().starts_with("loss 2, duplicate 0"));
    }
}
