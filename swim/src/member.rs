//! A node as another node sees it.

use crate::Metadata;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use swarm_base::NodeId;

/// What a node says about itself. Shared, not copied, between everything that speaks of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its name and which of its lives.
    pub id: NodeId,
    /// Where it wants its packets: the address that it advertises.
    pub address: SocketAddr,
    /// What it tells about itself.
    pub metadata: Metadata,
}

/// A node as this node sees it: its [`Record`], to which it derefs, and what is believed of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What it said about itself.
    pub record: Arc<Record>,
    /// What is believed of it.
    pub state: State,
    /// Which of its own statements, or of the accusations against it, is the latest known. Only
    /// the node itself raises it.
    pub incarnation: u64,
}

impl Member {
    /// Whether it counts as part of the group: alive, or suspected and not yet given up.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.state.is_live()
    }
}

impl Deref for Member {
    type Target = Record;

    fn deref(&self) -> &Record {
        &self.record
    }
}

/// What is believed of a node. Of two beliefs at one incarnation the greater holds (SWIM §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It answers.
    Alive,
    /// Somebody had no answer from it. It has until the suspicion's timeout to refute.
    Suspect,
    /// It did not refute in time. Remembered, because it may have been a false alarm.
    Dead,
    /// It said goodbye.
    Left,
}

impl State {
    /// Whether a node in this state counts as part of the group.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Alive | Self::Suspect)
    }
}
