//! How much waits in a node: for the checkers of the simulated world.

use super::Node;
use super::seats::Seat;

/// How much waits in a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gauges {
    /// Questions under way.
    pub asks: usize,
    /// Workers whose `start` runs.
    pub starts: usize,
    /// Names that leave.
    pub moves: usize,
    /// Workers of other nodes that are built or wait here.
    pub standbys: usize,
    /// Copies of names that are to end.
    pub conflicts: usize,
    /// What the shell has not asked for yet.
    pub outputs: usize,
    /// Members that have not acknowledged the present ring.
    pub disagreeing: usize,
}

impl Node {
    /// Whether the node is one of those that a quorum counts in a scope.
    pub(crate) fn has_seat(&self, scope: Option<&str>) -> bool {
        self.meta.seat(scope) == Seat::Taken
    }

    pub(crate) fn gauges(&self) -> Gauges {
        Gauges {
            asks: self.asks.len(),
            starts: self.names.starts(),
            moves: self.moves.in_flight(),
            standbys: self.standbys.len(),
            conflicts: self.conflicts.len(),
            outputs: self.outputs.len() + self.answers.len(),
            disagreeing: self.agreement.waiting_for().count(),
        }
    }
}
