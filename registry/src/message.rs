//! What nodes tell each other about their logs.

use crate::Encoded;
use serde::{Deserialize, Serialize};
use swarm_base::NodeId;

/// A message between two registries. It travels on the session of the two, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// A run of a log.
    #[serde(rename = "f")]
    Facts {
        /// Whose log.
        #[serde(rename = "l")]
        log: NodeId,
        /// The position of the first fact, from 1.
        #[serde(rename = "p")]
        first: u64,
        /// How many facts.
        #[serde(rename = "n")]
        count: u32,
        /// The facts.
        #[serde(rename = "f")]
        facts: Encoded,
    },
    /// How far the sender has applied what it was sent.
    #[serde(rename = "a")]
    Ack {
        /// Whose log.
        #[serde(rename = "l")]
        log: NodeId,
        /// The last position applied.
        #[serde(rename = "p")]
        position: u64,
    },
    /// How far the sender holds some logs, or all.
    #[serde(rename = "c")]
    Compare {
        /// Which logs are listed.
        #[serde(rename = "s")]
        scope: Scope,
        /// What is held of each.
        #[serde(rename = "m")]
        marks: Vec<Mark>,
    },
    /// The highest epoch of the claims that the sender has seen go: who has one of their names next
    /// stands above it, also on a node that came later. Ahead of a full list.
    #[serde(rename = "r")]
    Released {
        /// The epoch.
        #[serde(rename = "e")]
        epoch: u64,
    },
    /// The sender wants what follows a position.
    #[serde(rename = "q")]
    Ask {
        /// Whose log.
        #[serde(rename = "l")]
        log: NodeId,
        /// The last position that the sender holds.
        #[serde(rename = "p")]
        after: u64,
    },
    /// A piece of a snapshot.
    #[serde(rename = "s")]
    Chunk {
        /// Whose log.
        #[serde(rename = "l")]
        log: NodeId,
        /// Which position the snapshot is of.
        #[serde(rename = "p")]
        position: u64,
        /// The digest of the log there.
        #[serde(rename = "d")]
        digest: u64,
        /// Which piece, from 0.
        #[serde(rename = "i")]
        index: u32,
        /// How many pieces there are.
        #[serde(rename = "o")]
        of: u32,
        /// How many facts the piece has.
        #[serde(rename = "n")]
        count: u32,
        /// Facts that, together with those of the other pieces, make the log's state.
        #[serde(rename = "f")]
        facts: Encoded,
    },
    /// The sender has taken in pieces of a snapshot.
    #[serde(rename = "g")]
    Got {
        /// Whose log.
        #[serde(rename = "l")]
        log: NodeId,
        /// Which position the snapshot is of.
        #[serde(rename = "p")]
        position: u64,
        /// How many pieces, from the first on.
        #[serde(rename = "i")]
        pieces: u32,
    },
    /// The sender takes no more facts for a while: more came in a second than it takes from one
    /// peer. What it did not take changed nothing.
    #[serde(rename = "w")]
    Slow {
        /// Whose log.
        #[serde(rename = "l")]
        log: NodeId,
        /// The last position that the sender holds.
        #[serde(rename = "p")]
        after: u64,
        /// When it takes what follows, in milliseconds from now.
        #[serde(rename = "t")]
        wait_ms: u64,
    },
}

impl Message {
    /// The most bytes that a message takes, encoded: what a receiver's frames must allow for.
    pub const LEN_MAX: usize = 1024 * 1024;
}

/// Which logs a [`Message::Compare`] lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// Some; more of a full list follow.
    #[serde(rename = "p")]
    Part,
    /// The rest of a full list: what is not listed, the sender does not hold.
    #[serde(rename = "a")]
    All,
    /// Some. The receiver is asked for its own marks of them.
    #[serde(rename = "q")]
    Question,
    /// Some, as an answer.
    #[serde(rename = "r")]
    Answer,
}

/// How far a node holds a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Whose log.
    #[serde(rename = "l")]
    pub log: NodeId,
    /// The last position held.
    #[serde(rename = "p")]
    pub position: u64,
    /// The digest of the log there.
    #[serde(rename = "d")]
    pub digest: u64,
    /// What the node thinks of the log's writer.
    #[serde(rename = "s")]
    pub state: Held,
}

/// What a node thinks of a log's writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Held {
    /// It lives, or nothing is known of it.
    #[serde(rename = "l")]
    Open,
    /// It is dead.
    #[serde(rename = "c")]
    Closed,
    /// It is dead, nothing of its log is needed any more, and the log is gone.
    #[serde(rename = "b")]
    Buried,
}

/// The most marks in one message: with node names at their bound it stays below 64 KiB.
pub(crate) const MARKS_MAX: usize = 128;
