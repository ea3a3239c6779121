//! The node as a worker sees it.

use crate::Swarm;
use crate::scope::InScope;
use swarm_base::NodeId;

/// What a worker's context needs of its node beside its processes.
pub(crate) trait System: Send + Sync + 'static {
    /// The node.
    fn node(&self) -> &NodeId;

    /// A handle for the worker's scope that does not keep the node running. On a node that has stopped, its operations
    /// say so.
    fn swarm(&self) -> Swarm;

    /// The scope that the worker is in.
    fn scope(&self) -> &InScope;

    /// The most bytes of a state that the worker takes along when it moves, or takes in.
    fn state_bytes_max(&self) -> usize;

    /// Counts a message that its worker does not list or cannot read, and that no caller waits
    /// for.
    fn count_unhandled(&self);
}
