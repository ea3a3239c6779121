//! Rendezvous hashing (Thaler and Ravishankar, 1998), weighted: each node draws for each name, and
//! the best draw owns it.

use crate::{Strategy, Weight, hash, log2};
use std::cmp::Ordering;
use swarm_base::NodeName;

/// Each node draws a number for each name, and the node with the best one owns the name.
///
/// Its balance is exact up to chance and it keeps a few bytes per node, where [`Ring`](crate::Ring)
/// keeps kilobytes. A lookup asks every node: with 50 nodes it costs twenty times as much as a
/// ring's.
///
/// A node of weight *w* wins with the value −*w* / log(*u*), where *u* is uniform in (0, 1), so
/// each node's part of the names is its part of the weights (Schindelhauer and Schomaker, 2005).
#[derive(Clone, Debug, Default)]
pub struct Rendezvous {
    /// In order, so that a tie goes to the smaller name.
    nodes: Vec<Entrant>,
}

#[derive(Clone, Debug)]
struct Entrant {
    name: NodeName,
    weight: Weight,
    hash: u64,
}

impl Rendezvous {
    /// A strategy without nodes.
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
        self.nodes.iter().map(|node| (&node.name, node.weight))
    }

    fn find(&self, node: &NodeName) -> Result<usize, usize> {
        self.nodes.binary_search_by(|known| known.name.cmp(node))
    }

    fn draws(&self, name: &[u8]) -> impl Iterator<Item = (Draw, &NodeName)> {
        let name = hash::hash_name(name);
        self.nodes.iter().map(move |node| {
            let cost = log2::cost(hash::draw(node.hash, name));
            (Draw { cost, weight: node.weight }, &node.name)
        })
    }
}

impl Strategy for Rendezvous {
    fn add(&mut self, name: NodeName, weight: Weight) {
        match self.find(&name) {
            Ok(at) => self.nodes[at].weight = weight,
            Err(at) => {
                let hash = hash::hash_name(name.as_str().as_bytes());
                self.nodes.insert(at, Entrant { name, weight, hash });
            }
        }
    }

    fn remove(&mut self, node: &NodeName) {
        if let Ok(at) = self.find(node) {
            self.nodes.remove(at);
        }
    }

    fn owner(&self, name: &[u8]) -> Option<&NodeName> {
        // Of equal ones `min_by` gives the first: the smaller name.
        self.draws(name).min_by(|(a, _), (b, _)| a.cmp(b)).map(|(_, node)| node)
    }

    fn owners(&self, name: &[u8], n: usize) -> Vec<&NodeName> {
        let mut draws: Vec<_> = self.draws(name).collect();
        // Stable: of equal ones the smaller name stays first.
        draws.sort_by(|(a, _), (b, _)| a.cmp(b));
        draws.into_iter().take(n).map(|(_, node)| node).collect()
    }

    fn describe(&self) -> String {
        "rendezvous".to_owned()
    }
}

/// What a node drew for a name: the less cost per weight, the better. The better one is less.
#[derive(Clone, Copy)]
struct Draw {
    cost: u64,
    weight: Weight,
}

impl Draw {
    /// Compares the fractions cost / weight exactly, without dividing.
    fn cmp(&self, other: &Self) -> Ordering {
        let ours = u128::from(self.cost) * u128::from(other.weight.points());
        let theirs = u128::from(other.cost) * u128::from(self.weight.points());
        ours.cmp(&theirs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tie_goes_to_the_smaller_name() {
        let draw =
            |cost, points| Draw { cost, weight: Weight::from_points(points).expect("in range") };
        assert_eq!(draw(10, 512).cmp(&draw(20, 1024)), Ordering::Equal);
        assert_eq!(draw(10, 512).cmp(&draw(21, 1024)), Ordering::Less);
        assert_eq!(draw(11, 512).cmp(&draw(21, 1024)), Ordering::Greater);
        let names = ["a", "b"].map(|name| NodeName::new(name).expect("a node's name"));
        // Two nodes whose hashes collide draw alike for every name.
        let nodes =
            names.clone().map(|name| Entrant { name, weight: Weight::default(), hash: 7 }).to_vec();
        let tied = Rendezvous { nodes };
        assert_eq!(tied.owner(b"x"), Some(&names[0]));
        assert_eq!(tied.owners(b"x", 2), [&names[0], &names[1]]);
    }
}
