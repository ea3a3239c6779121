//! What the layer above learns about moves, and what it answers.

use crate::message::{MoveId, Offer, Refusal};
use bytes::Bytes;
use std::time::Duration;
use swarm_base::{Instant, Name, NodeId, Token};

/// What a move wants from the layer above (imperative: answered by the method that it names), or
/// has to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MoveEvent {
    /// Source: run `begin_handoff`, then let the process handle nothing and buffer its mail.
    /// Answer [`frozen`](crate::Moves::frozen).
    Freeze {
        /// Which move.
        id: MoveId,
        /// Whose process.
        name: Name,
    },
    /// Source: log that the name is moving, before the offer that follows goes out. After this
    /// node's death its log then says where the standby is.
    LogMoving {
        /// Which move.
        id: MoveId,
        /// Whose process.
        name: Name,
        /// The target.
        to: NodeId,
    },
    /// Source: the process goes on as before; log that it runs, where
    /// [`LogMoving`](Self::LogMoving) had been asked. Comes for a process that is still in
    /// `begin_handoff`, too.
    Thaw {
        /// Which move.
        id: MoveId,
        /// Whose process.
        name: Name,
        /// Why it does not move.
        why: MoveOutcome,
    },
    /// Source: end the frozen process without `begin_handoff` again, and take its buffered mail.
    /// Answer [`stopped`](crate::Moves::stopped) once nothing of it runs, or
    /// [`exited`](crate::Moves::exited) where it died meanwhile by itself.
    Stop {
        /// Which move.
        id: MoveId,
        /// Whose process.
        name: Name,
    },
    /// Source: the target runs it, or did. Log that the name has gone there, and forward late
    /// mail; but not where this node's claim is no longer the one that this move logged: the
    /// target can have passed the name on, and it can have come back, before this is heard.
    Moved {
        /// Which move.
        id: MoveId,
        /// Whose process.
        name: Name,
        /// The target.
        to: NodeId,
        /// The token of the target's claim.
        token: Token,
        /// Where in the target's log the claim stands.
        position: u64,
    },
    /// Source: the target died, or does not run it after all. Start it here again from the kept
    /// snapshot, under a token above `above`, with its mail in front; or end it here, where a stop
    /// was asked for meanwhile. Not where this node's claim is no longer the one that this move
    /// logged.
    Resume {
        /// Which move.
        id: MoveId,
        /// Whose process.
        name: Name,
        /// The token that the target may have used.
        above: Token,
        /// What it is started from.
        offer: Offer,
        /// What the old process had not handled, in order.
        mails: Vec<Bytes>,
    },
    /// Target: start a standby: decode the state, start, and handle nothing. Answer
    /// [`built`](crate::Moves::built).
    Build {
        /// Which move.
        id: MoveId,
        /// The source.
        from: NodeId,
        /// What it is built from.
        offer: Offer,
    },
    /// Target: give the standby its state and these mails, run it, and claim the name with this
    /// token. Answer [`promoted`](crate::Moves::promoted).
    Promote {
        /// Which move.
        id: MoveId,
        /// Whose process.
        name: Name,
        /// The token to claim the name with.
        token: Token,
        /// What comes before all other mail, in order.
        mails: Vec<Bytes>,
    },
    /// Target: throw the standby away, also one that is being built.
    Discard {
        /// Which move.
        id: MoveId,
        /// Whose process.
        name: Name,
        /// Why.
        why: DiscardReason,
    },
    /// Target: a standby is ready, and its source died without a commit that arrived. Once the
    /// ring is agreed: if the source's log ends in this move and nobody claims the name above it,
    /// answer [`promote_orphan`](crate::Moves::promote_orphan), else
    /// [`discard`](crate::Moves::discard). Asked again every [`retry`](crate::Config::retry)
    /// until then.
    SourceDied {
        /// Which move.
        id: MoveId,
        /// Whose process.
        name: Name,
    },
    /// Target: mail of a process that was promoted as an orphan, from its source, which lives
    /// after all. Append it to the mailbox.
    Deliver {
        /// Which move.
        id: MoveId,
        /// Whose process.
        name: Name,
        /// What the old process had not handled, in order.
        mails: Vec<Bytes>,
    },
    /// Source: the move is over, exactly once for each that began. The name may be looked at
    /// again.
    Ended {
        /// Which move.
        id: MoveId,
        /// Whose process.
        name: Name,
        /// How it ended.
        outcome: MoveOutcome,
        /// From [`begin`](crate::Moves::begin) until now.
        took: Duration,
    },
}

/// How a move ended, for its source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MoveOutcome {
    /// The target runs it, with its state.
    #[error("moved with its state")]
    Moved,
    /// The target runs it, started anew: `begin_handoff` said `Restart`.
    #[error("moved without state")]
    Restarted,
    /// `begin_handoff` said `Ignore`. It stays.
    #[error("the process stays: it ignores the handoff")]
    Ignored,
    /// `begin_handoff` panicked, or its answer cannot be used. It stays.
    #[error("the process stays: its handoff failed: {reason}")]
    NotFrozen {
        /// What went wrong.
        reason: String,
    },
    /// The target does not take it. It stays.
    #[error("the process stays: {0}")]
    Refused(Refusal),
    /// The move was given up before the commit. It stays, where it has not ended.
    #[error("given up: {0}")]
    Aborted(AbortReason),
    /// The target did not run it after the commit. It is started here again.
    #[error("started again on the source: {0}")]
    Resumed(ResumeReason),
}

/// Why a move was given up before its commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AbortReason {
    /// `begin_handoff` gave no answer in time.
    #[error("begin_handoff gave no answer in time")]
    FreezeTimeout,
    /// The target was not ready in time.
    #[error("the target was not ready in time")]
    OfferTimeout,
    /// The target died.
    #[error("the target died")]
    TargetDied,
    /// The process is to be stopped.
    #[error("the process is to be stopped")]
    Stopped,
    /// The name was taken away from the process.
    #[error("the name was unregistered")]
    Unregistered,
    /// Too few nodes stand with this one for the process to run.
    #[error("too few nodes are there for a quorum")]
    Quorum,
    /// Another process claims the name: conflict goes before moves.
    #[error("another process claims the name")]
    Conflict,
    /// The process ended by itself.
    #[error("the process ended by itself")]
    Exited,
    /// The name belongs somewhere else by now.
    #[error("the name belongs elsewhere by now")]
    Superseded,
    /// The snapshot does not fit beside those of other moves. It is tried again soon.
    #[error("no room for another snapshot")]
    NoRoom,
    /// The snapshot is larger than one may be.
    #[error("the snapshot is too large")]
    TooLarge,
}

/// Why a process is started again on its source after the commit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeReason {
    /// The target died before its acknowledgement.
    #[error("the target died")]
    TargetDied,
    /// The target said that it does not run it.
    #[error("{0}")]
    Refused(Refusal),
}

/// Why a standby is thrown away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiscardReason {
    /// The source gave the move up.
    #[error("the source gave the move up")]
    Aborted,
    /// The source offers the name anew.
    #[error("a later move of the same name began")]
    Superseded,
    /// This node is leaving.
    #[error("this node is leaving")]
    Leaving,
    /// Its mail does not fit beside what is kept for others.
    #[error("no room for its mail")]
    NoRoom,
    /// The source cannot be asked whether the move is still on: no session with it is up.
    #[error("the source cannot be reached")]
    SourceSilent,
    /// The source died and the layer above decided against this standby.
    #[error("the source died")]
    SourceDied,
}

/// What `begin_handoff` came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frozen {
    /// The process wants to stay. It handles mail again.
    Ignore,
    /// It panicked, or its state cannot be encoded. Asks for a [`MoveEvent::Thaw`].
    Failed(String),
    /// It is frozen, and this is what its standby is built from.
    Ready(Offer),
}

/// What a promotion came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promoted {
    /// The token that the name was claimed with.
    pub token: Token,
    /// Where in this node's log the claim stands.
    pub position: u64,
}

/// Why a move cannot begin now. Nothing has happened to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Busy {
    /// As many moves as may are under way.
    #[error("{max} moves are under way, as many as may")]
    Full {
        /// How many that is.
        max: usize,
    },
    /// The snapshots in flight fill the room for them.
    #[error("snapshots fill the {max} bytes that they may")]
    NoRoom {
        /// How much that is.
        max: usize,
    },
    /// The name is on a move already, from here or to here.
    #[error("the name is on a move already")]
    Moving,
    /// No session with the target is up, or it is held dead.
    #[error("no session with the target is up, or it is held dead")]
    Unreachable,
    /// This target has refused or failed a short while ago.
    #[error("the target is not tried again before {until}")]
    Backoff {
        /// When it may be tried again, unless the target changes.
        until: Instant,
    },
    /// The target is this node.
    #[error("the target is this node")]
    Here,
}

impl Busy {
    /// When it is worth trying again, where that is known. Otherwise: when a move ends, or a
    /// session comes up.
    #[must_use]
    pub const fn until(&self) -> Option<Instant> {
        match self {
            Self::Backoff { until } => Some(*until),
            _ => None,
        }
    }
}

/// Whether a call-off came in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// The name was not leaving this node.
    NotMoving,
    /// The move is off. A [`MoveEvent::Thaw`] follows where the process lives.
    Aborted,
    /// The old process is ended or about to be: the target answers for the name from now on. If
    /// it dies first, [`MoveEvent::Resume`] comes.
    Committed,
}
