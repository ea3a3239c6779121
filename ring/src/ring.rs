//! Consistent hashing (Karger et al., STOC 1997, §4): nodes and names are points on a circle, and
//! a name belongs to the node of the next point.

use crate::points::Points;
use crate::{Strategy, Weight, hash};
use swarm_base::NodeName;

/// The default strategy: a ring with 512 points for a node of weight 1.0.
///
/// A name belongs to the node of the first point from its hash on. A node that joins takes names
/// only for itself, and when one leaves only its names move. It favours availability: as long as
/// one node is there, every name has an owner, so each side of a partition has one.
///
/// A lookup takes constant time; a change takes time linear in the points of all nodes.
#[derive(Clone, Debug, Default)]
pub struct Ring {
    /// In order, so that the number of a node tells which name is smaller.
    nodes: Vec<(NodeName, Weight)>,
    points: Points,
}

impl Ring {
    /// A ring without nodes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many nodes there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no node.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The nodes and their weights, in the order of their names.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (&NodeName, Weight)> {
        self.nodes.iter().map(|(node, weight)| (node, *weight))
    }

    /// Which part of all possible names each node owns, in the order of their names. The parts
    /// add up to 1.
    #[must_use]
    pub fn shares(&self) -> Vec<(&NodeName, f64)> {
        let mut arcs = vec![0u128; self.nodes.len()];
        let points = self.points.as_slice();
        // A point owns the arc that ends at it; the first one's begins at the last.
        let mut before = points.last().map_or(0, |last| last.at);
        for point in points {
            arcs[point.node as usize] += u128::from(point.at.wrapping_sub(before));
            before = point.at;
        }
        let circle = 2f64.powi(64);
        self.nodes.iter().zip(arcs).map(|((node, _), arc)| (node, arc as f64 / circle)).collect()
    }

    fn find(&self, node: &NodeName) -> Result<usize, usize> {
        self.nodes.binary_search_by(|(known, _)| known.cmp(node))
    }
}

impl Strategy for Ring {
    fn add(&mut self, node: NodeName, weight: Weight) {
        let at = match self.find(&node) {
            Ok(at) if self.nodes[at].1 == weight => return,
            Ok(at) => {
                self.nodes.remove(at);
                self.points.remove(number(at));
                at
            }
            Err(at) => at,
        };
        self.points.insert(number(at), hash::points(&node, weight));
        self.nodes.insert(at, (node, weight));
    }

    fn remove(&mut self, node: &NodeName) {
        if let Ok(at) = self.find(node) {
            self.nodes.remove(at);
            self.points.remove(number(at));
        }
    }

    fn owner(&self, name: &[u8]) -> Option<&NodeName> {
        let node = self.points.owner(hash::hash_name(name))?;
        Some(&self.nodes[node as usize].0)
    }

    fn owners(&self, name: &[u8], n: usize) -> Vec<&NodeName> {
        let n = n.min(self.nodes.len());
        let mut taken = vec![false; self.nodes.len()];
        let mut owners = Vec::with_capacity(n);
        for point in self.points.from(hash::hash_name(name)) {
            if owners.len() == n {
                break;
            }
            let node = point.node as usize;
            if !std::mem::replace(&mut taken[node], true) {
                owners.push(&self.nodes[node].0);
            }
        }
        owners
    }

    fn describe(&self) -> String {
        "ring".to_owned()
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("a cluster has fewer than four billion nodes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(nodes: &[(&str, f64)]) -> Ring {
        let mut ring = Ring::new();
        for (node, weight) in nodes {
            ring.add(name(node), Weight::new(*weight).expect("in range"));
        }
        ring
    }

    fn name(node: &str) -> NodeName {
        NodeName::new(node).expect("a node's name")
    }

    #[test]
    fn an_empty_ring_has_no_owner() {
        let mut ring = ring(&[("a", 1.0)]);
        assert_eq!(ring.owner(b"x"), Some(&name("a")));
        ring.remove(&name("a"));
        assert_eq!(ring.owner(b"x"), None);
        assert!(ring.owners(b"x", 3).is_empty() && ring.is_empty());
    }

    #[test]
    fn a_node_that_is_added_again_takes_its_new_weight() {
        let mut changed = ring(&[("a", 1.0), ("b", 1.0)]);
        changed.add(name("a"), Weight::new(3.0).expect("in range"));
        let fresh = ring(&[("b", 1.0), ("a", 3.0)]);
        assert_eq!(changed.shares(), fresh.shares());
        assert_eq!(changed.len(), 2);
    }

    #[test]
    fn shares_are_what_lookups_see() {
        let ring = ring(&[("a", 1.0), ("b", 2.0), ("c", 0.5)]);
        let shares = ring.shares();
        assert!((shares.iter().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-9);
        for (node, share) in shares {
            let owned = (0..50_000u32)
                .filter(|n| ring.owner(n.to_string().as_bytes()) == Some(node))
                .count();
            assert!((owned as f64 / 50_000.0 - share).abs() < 0.01, "{node}: {share} but {owned}");
        }
        assert_eq!(self::ring(&[("a", 1.0)]).shares()[0].1, 1.0);
    }

    #[test]
    fn to_ask_for_more_owners_than_nodes_gives_all() {
        let ring = ring(&[("a", 1.0), ("b", 1.0)]);
        assert_eq!(ring.owners(b"x", usize::MAX).len(), 2);
        assert!(ring.owners(b"x", 0).is_empty());
    }
}
