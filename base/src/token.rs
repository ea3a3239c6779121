//! Fencing tokens.

use crate::Boot;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A fencing token: every start and move of a name takes a higher one.
///
/// Tokens are unique and totally ordered. They rise along each side of a partition; between the
/// sides, while it lasts, either can hold the higher one. After a heal the surviving process holds
/// the highest that any live node knows.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Token {
    /// Above the highest that the node had seen for the name, and above what a node that died may
    /// have handed out without anybody else hearing of it.
    #[serde(rename = "e")]
    pub epoch: u64,
    /// The node's life: orders two sides of a partition that chose the same epoch.
    #[serde(rename = "b")]
    pub boot: Boot,
}

impl Token {
    /// The token `epoch` handed out by `boot`.
    #[must_use]
    pub const fn new(epoch: u64, boot: Boot) -> Self {
        Self { epoch, boot }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.epoch, self.boot)
    }
}
