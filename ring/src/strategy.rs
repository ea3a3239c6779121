//! What every way to place names has in common.

use crate::Weight;
use swarm_base::NodeName;

/// Decides which node runs a name.
///
/// A strategy is a pure function of the set of (node, weight) that it was given and of the name:
/// two of one type that hold the same set answer alike, in whatever order they were told, on every
/// node of the cluster. It reads no clock, no randomness and nothing outside itself. Otherwise the
/// nodes disagree about owners, and names run twice or not at all.
///
/// # Examples
///
/// All names on the node that comes first:
///
/// ```
/// use std::collections::BTreeSet;
/// use swarm_base::NodeName;
/// use swarm_ring::{Strategy, Weight};
///
/// #[derive(Clone, Default)]
/// struct First(BTreeSet<NodeName>);
///
/// impl Strategy for First {
///     fn add(&mut self, node: NodeName, _: Weight) {
///         self.0.insert(node);
///     }
///
///     fn remove(&mut self, node: &NodeName) {
///         self.0.remove(node);
///     }
///
///     fn owner(&self, _: &[u8]) -> Option<&NodeName> {
///         self.0.first()
///     }
///
///     fn owners(&self, _: &[u8], n: usize) -> Vec<&NodeName> {
///         self.0.iter().take(n).collect()
///     }
/// }
///
/// let mut first = First::default();
/// first.add(NodeName::new("b")?, Weight::default());
/// first.add(NodeName::new("a")?, Weight::default());
/// assert_eq!(first.owner(b"device-1"), Some(&NodeName::new("a")?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not place names on nodes",
    label = "not a strategy",
    note = "the strategies are `Ring`, `StaticQuorumRing` and `Rendezvous`",
    note = "implement `Strategy` for `{Self}` to place names in a way of your own"
)]
pub trait Strategy: Send + Sync {
    /// Lets `node` own names. A node that is there already takes the new weight.
    fn add(&mut self, node: NodeName, weight: Weight);

    /// Takes all names from `node`. Nothing happens where it is not there.
    fn remove(&mut self, node: &NodeName);

    /// The node that runs `name`, given as [`Name::as_bytes`](swarm_base::Name::as_bytes).
    ///
    /// `None` where no node may own it now: the set is empty, or below quorum.
    fn owner(&self, name: &[u8]) -> Option<&NodeName>;

    /// The owner of `name` and its successors: at most `n` nodes, all distinct, the owner first.
    ///
    /// Fewer where there are fewer nodes; none where [`owner`](Self::owner) says `None`. When the
    /// owner leaves, the second becomes the owner.
    fn owners(&self, name: &[u8], n: usize) -> Vec<&NodeName>;

    /// How many nodes must stand together for names to have owners; `None`, as by default, where
    /// any number does. With a quorum a node that loses it stops what it runs, and what ran on
    /// others starts again only when it must have stopped there.
    fn quorum(&self) -> Option<usize> {
        None
    }

    /// The strategy in words, with all that it was made with. Nodes whose strategies say different
    /// things are kept apart. By default the path of its type; say more where two of one type can
    /// place names differently.
    fn describe(&self) -> String {
        std::any::type_name::<Self>().to_owned()
    }

    /// So many nodes are there, whether or not they may own names: those that a quorum counts. A
    /// strategy that is never told counts the nodes that it was given.
    fn set_present(&mut self, nodes: usize) {
        let _ = nodes;
    }
}

impl<S: Strategy + ?Sized> Strategy for Box<S> {
    fn add(&mut self, node: NodeName, weight: Weight) {
        (**self).add(node, weight);
    }

    fn remove(&mut self, node: &NodeName) {
        (**self).remove(node);
    }

    fn owner(&self, name: &[u8]) -> Option<&NodeName> {
        (**self).owner(name)
    }

    fn owners(&self, name: &[u8], n: usize) -> Vec<&NodeName> {
        (**self).owners(name, n)
    }

    fn quorum(&self) -> Option<usize> {
        (**self).quorum()
    }

    fn describe(&self) -> String {
        (**self).describe()
    }

    fn set_present(&mut self, nodes: usize) {
        (**self).set_present(nodes);
    }
}
