//! A connection between two nodes, as one of them numbers it.

use std::fmt;

/// One connection to another node. Local to the node that holds it, and never used again.
///
/// Whoever opens a connection numbers it, and both may do so without asking each other: the
/// machine numbers what it [dials](Self::dialled), the shell what it [accepts](Self::accepted).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Session(u64);

impl Session {
    /// The `count`th connection that this node opens.
    #[must_use]
    pub const fn dialled(count: u64) -> Self {
        Self(count * 2)
    }

    /// The `count`th connection that this node accepts.
    #[must_use]
    pub const fn accepted(count: u64) -> Self {
        Self(count * 2 + 1)
    }

    /// Whether this node opened it.
    #[must_use]
    pub const fn is_dialled(self) -> bool {
        self.0.is_multiple_of(2)
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {}", self.0)
    }
}
