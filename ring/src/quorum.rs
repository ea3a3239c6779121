//! A ring that owns nothing while too few nodes are there.

use crate::{ConfigError, Ring, Strategy, Weight};
use std::fmt;
use std::num::NonZeroUsize;
use swarm_base::NodeName;

/// A [`Ring`] in which no name has an owner while there are fewer nodes than the quorum.
///
/// In a partition the side that holds the quorum goes on, the other side stops. Choose more than
/// half of the nodes that the cluster is meant to have: 2 of 3, 3 of 5, 5 of 9. With more than
/// 2 · quorum − 1 nodes both sides of a partition could hold a quorum: a cluster leaves the newest
/// beyond that many out.
///
/// Nodes count, weights do not. Where there is a quorum, owners are those of a [`Ring`].
#[derive(Clone, Debug)]
pub struct StaticQuorumRing {
    quorum: NonZeroUsize,
    present: Option<usize>,
    ring: Ring,
}

impl StaticQuorumRing {
    /// A ring without nodes that wants `quorum` of them: an integer, or the text of one, as a
    /// settings file or the environment holds it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for what is not a positive integer, such as `0`, `-1` or `"fake"`.
    ///
    /// # Examples
    ///
    /// ```
    /// use swarm_ring::StaticQuorumRing;
    ///
    /// let ring = StaticQuorumRing::new(3)?;
    /// assert_eq!(ring.quorum(), 3);
    /// assert!(StaticQuorumRing::new("fake").is_err());
    /// # Ok::<(), swarm_ring::ConfigError>(())
    /// ```
    pub fn new(quorum: impl fmt::Display) -> Result<Self, ConfigError> {
        let text = quorum.to_string();
        match text.parse() {
            Ok(quorum) => Ok(Self { quorum, present: None, ring: Ring::new() }),
            Err(_) => Err(ConfigError::new("quorum", text, "positive integer")),
        }
    }

    /// How many nodes it wants.
    #[must_use]
    pub const fn quorum(&self) -> usize {
        self.quorum.get()
    }

    /// Whether enough nodes are there: as many as it was last
    /// [told](Strategy::set_present), else as it has.
    #[must_use]
    pub fn has_quorum(&self) -> bool {
        self.present.unwrap_or(self.ring.len()) >= self.quorum()
    }

    /// The ring that decides where there is a quorum.
    #[must_use]
    pub const fn ring(&self) -> &Ring {
        &self.ring
    }
}

impl Strategy for StaticQuorumRing {
    fn add(&mut self, node: NodeName, weight: Weight) {
        self.ring.add(node, weight);
    }

    fn remove(&mut self, node: &NodeName) {
        self.ring.remove(node);
    }

    fn owner(&self, name: &[u8]) -> Option<&NodeName> {
        if self.has_quorum() { self.ring.owner(name) } else { None }
    }

    fn owners(&self, name: &[u8], n: usize) -> Vec<&NodeName> {
        if self.has_quorum() { self.ring.owners(name, n) } else { Vec::new() }
    }

    fn quorum(&self) -> Option<usize> {
        Some(self.quorum.get())
    }

    fn describe(&self) -> String {
        format!("ring with a quorum of {}", self.quorum)
    }

    fn set_present(&mut self, nodes: usize) {
        self.present = Some(nodes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quorum_is_a_positive_integer() {
        for (quorum, shown) in [(&0 as &dyn fmt::Display, "0"), (&-1, "-1"), (&"fake", "fake")] {
            let error = StaticQuorumRing::new(quorum).expect_err("no quorum");
            assert_eq!((error.setting, error.expected), ("quorum", "positive integer"));
            assert_eq!(error.value, shown);
            let text = format!("quorum is {shown:?}, want a positive integer");
            assert_eq!(error.to_string(), text);
        }
        for quorum in [&3 as &dyn fmt::Display, &3usize, &"3", &String::from("3")] {
            assert_eq!(StaticQuorumRing::new(quorum).map(|ring| ring.quorum()), Ok(3));
        }
        assert!(StaticQuorumRing::new("").is_err());
        assert!(StaticQuorumRing::new(1.5).is_err());
    }

    #[test]
    fn below_quorum_no_name_has_an_owner() {
        let mut quorum = StaticQuorumRing::new(3).expect("positive");
        let mut plain = Ring::new();
        let nodes = ["a", "b", "c", "d"].map(|node| NodeName::new(node).expect("a node's name"));
        for (before, node) in nodes.iter().enumerate() {
            assert_eq!(quorum.owner(b"x").is_some(), before >= 3);
            quorum.add(node.clone(), Weight::default());
            plain.add(node.clone(), Weight::default());
        }
        assert_eq!(quorum.owner(b"x"), plain.owner(b"x"));
        assert_eq!(quorum.owners(b"x", 2), plain.owners(b"x", 2));
        quorum.add(nodes[0].clone(), Weight::MAX);
        quorum.remove(&nodes[1]);
        assert!(quorum.owner(b"x").is_some(), "three are left");
        quorum.remove(&nodes[2]);
        assert!(quorum.owner(b"x").is_none() && quorum.owners(b"x", 2).is_empty());
        quorum.set_present(3);
        assert!(quorum.owner(b"x").is_some(), "one of them owns nothing, and counts");
        quorum.set_present(2);
        assert!(quorum.owner(b"x").is_none());
    }
}
