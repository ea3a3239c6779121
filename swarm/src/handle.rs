//! The handle of a node.

/// A node of the swarm.
#[derive(Clone, Debug)]
pub struct Swarm {}
