//! What nodes say to each other about rings and moves.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use swarm_base::{Boot, Name, Token};

/// A question and an answer about the ring, on the fact stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Agree {
    /// The sender's ring has this hash, in this round of its own. Asks for an [`Ack`](Self::Ack).
    #[serde(rename = "r")]
    Ring {
        /// The hash of its members and weights.
        #[serde(rename = "h")]
        hash: u64,
        /// The sender's count of changes. It only grows.
        #[serde(rename = "n")]
        round: u64,
    },
    /// The sender's own ring has the asker's hash, and every earlier fact of the sender is ahead
    /// of this message on the same stream.
    #[serde(rename = "a")]
    Ack {
        /// The hash asked about.
        #[serde(rename = "h")]
        hash: u64,
        /// The asker's round.
        #[serde(rename = "n")]
        round: u64,
    },
}

/// A question and an answer about the quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Vote {
    /// The sender's ring has this hash. Asks for a [`Grant`](Self::Grant).
    #[serde(rename = "q")]
    Ask {
        /// The hash of its members and weights.
        #[serde(rename = "h")]
        hash: u64,
        /// When it was sent, in microseconds of the sender's.
        #[serde(rename = "t")]
        sent: u64,
    },
    /// The sender's own ring has the asker's hash: it stands with the asker for a lease from then.
    #[serde(rename = "g")]
    Grant {
        /// The hash asked about.
        #[serde(rename = "h")]
        hash: u64,
        /// When it was asked, in microseconds of the asker's.
        #[serde(rename = "t")]
        sent: u64,
        /// How often the sender's own ring has changed.
        #[serde(rename = "n")]
        round: u64,
    },
}

/// Which move: the life of the source, and a number that this life uses once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MoveId {
    /// The source's life.
    #[serde(rename = "b")]
    pub source: Boot,
    /// Counted from 1.
    #[serde(rename = "s")]
    pub serial: u64,
}

impl fmt::Display for MoveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "move {}.{}", self.source, self.serial)
    }
}

impl fmt::Debug for MoveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Everything that a standby is built from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// What the process is called.
    #[serde(rename = "n")]
    pub name: Name,
    /// The kind of worker.
    #[serde(rename = "k")]
    pub kind: Arc<str>,
    /// The arguments of its start.
    #[serde(rename = "a")]
    pub args: Bytes,
    /// The source's claim on the name.
    #[serde(rename = "t")]
    pub token: Token,
    /// The groups that it is in, each with its metadata.
    #[serde(rename = "g", default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<(Name, Bytes)>,
    /// What `begin_handoff` gave; `None`: it starts again from its arguments.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Bytes>,
}

impl Offer {
    /// The bytes that it holds in memory, about: what the bounds on snapshots count.
    #[must_use]
    pub fn size(&self) -> usize {
        let groups: usize =
            self.groups.iter().map(|(name, meta)| name.as_bytes().len() + meta.len()).sum();
        let state = self.state.as_ref().map_or(0, Bytes::len);
        self.name.as_bytes().len() + self.kind.len() + self.args.len() + groups + state
    }
}

/// The move protocol. Everything carries the move's id; what is stale is ignored, what is
/// repeated is answered as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MoveMessage {
    /// Source: build a standby of this.
    #[serde(rename = "of")]
    Offer {
        /// Which move.
        #[serde(rename = "i")]
        id: MoveId,
        /// What to build.
        #[serde(rename = "o")]
        offer: Offer,
    },
    /// Source: build a standby of this, whose state is too large to stand in it and follows in
    /// chunks. The target asks for them by [`ChunkTaken`](Self::ChunkTaken).
    #[serde(rename = "an")]
    Announce {
        /// Which move.
        #[serde(rename = "i")]
        id: MoveId,
        /// What to build, without the state.
        #[serde(rename = "o")]
        offer: Offer,
        /// The bytes of the state.
        #[serde(rename = "l")]
        len: u64,
    },
    /// Source: a piece of the state.
    #[serde(rename = "ch")]
    Chunk {
        /// Which move.
        #[serde(rename = "i")]
        id: MoveId,
        /// Where in the state it begins.
        #[serde(rename = "p")]
        at: u64,
        /// What stands there.
        #[serde(rename = "b")]
        bytes: Bytes,
    },
    /// Target: it has the state up to here, and wants what follows.
    #[serde(rename = "ct")]
    ChunkTaken {
        /// Which move.
        #[serde(rename = "i")]
        id: MoveId,
        /// How many bytes it has, without a gap.
        #[serde(rename = "u")]
        upto: u64,
    },
    /// Target: the standby is built.
    #[serde(rename = "re")]
    Ready {
        /// Which move.
        #[serde(rename = "i")]
        id: MoveId,
    },
    /// Target: there will be no standby.
    #[serde(rename = "no")]
    Refused {
        /// Which move.
        #[serde(rename = "i")]
        id: MoveId,
        /// Why not.
        #[serde(rename = "w")]
        why: Refusal,
    },
    /// Source: the old process has ended; keep these for the standby. Goes before a commit that
    /// would be too large with all of them.
    #[serde(rename = "ma")]
    Mails {
        /// Which move.
        #[serde(rename = "i")]
        id: MoveId,
        /// Which part of the mail, from 0.
        #[serde(rename = "p")]
        part: u32,
        /// What the old process had not handled, in order.
        #[serde(rename = "m")]
        mails: Vec<Bytes>,
    },
    /// Target: it has this part, and wants the next one.
    #[serde(rename = "mt")]
    MailsTaken {
        /// Which move.
        #[serde(rename = "i")]
        id: MoveId,
        /// Which part.
        #[serde(rename = "p")]
        part: u32,
    },
    /// Source: the old process has ended; run the standby.
    #[serde(rename = "co")]
    Commit {
        /// Which move.
        #[serde(rename = "i")]
        id: MoveId,
        /// The token to claim the name with.
        #[serde(rename = "t")]
        token: Token,
        /// What the old process had not handled, in order, behind the parts that went before.
        /// Handled before anything else.
        #[serde(rename = "m", default, skip_serializing_if = "Vec::is_empty")]
        mails: Vec<Bytes>,
    },
    /// Target: it runs here.
    #[serde(rename = "ok")]
    Ack {
        /// Which move.
        #[serde(rename = "i")]
        id: MoveId,
        /// The token of its claim.
        #[serde(rename = "t")]
        token: Token,
        /// Where in the target's log the claim stands.
        #[serde(rename = "p")]
        position: u64,
    },
    /// Target: it does not run here and never will by this move. Answers a commit only.
    #[serde(rename = "nk")]
    Nack {
        /// Which move.
        #[serde(rename = "i")]
        id: MoveId,
        /// Why not.
        #[serde(rename = "w")]
        why: Refusal,
    },
    /// Source: the move is off, or unknown here.
    #[serde(rename = "ab")]
    Abort {
        /// Which move.
        #[serde(rename = "i")]
        id: MoveId,
    },
    /// Target: is this move still on?
    #[serde(rename = "qu")]
    Query {
        /// Which move.
        #[serde(rename = "i")]
        id: MoveId,
    },
    /// Source: the acknowledgement has arrived; the target need not remember it.
    #[serde(rename = "do")]
    Done {
        /// Which move.
        #[serde(rename = "i")]
        id: MoveId,
    },
}

impl MoveMessage {
    /// Which move it belongs to.
    #[must_use]
    pub const fn id(&self) -> MoveId {
        match self {
            Self::Offer { id, .. }
            | Self::Announce { id, .. }
            | Self::Chunk { id, .. }
            | Self::ChunkTaken { id, .. }
            | Self::Ready { id }
            | Self::Refused { id, .. }
            | Self::Mails { id, .. }
            | Self::MailsTaken { id, .. }
            | Self::Commit { id, .. }
            | Self::Ack { id, .. }
            | Self::Nack { id, .. }
            | Self::Abort { id }
            | Self::Query { id }
            | Self::Done { id } => *id,
        }
    }

    /// What it is called in traces and counters.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Offer { .. } => "offer",
            Self::Announce { .. } => "announce",
            Self::Chunk { .. } => "chunk",
            Self::ChunkTaken { .. } => "chunk-ok",
            Self::Ready { .. } => "ready",
            Self::Refused { .. } => "refused",
            Self::Mails { .. } => "mails",
            Self::MailsTaken { .. } => "taken",
            Self::Commit { .. } => "commit",
            Self::Ack { .. } => "ack",
            Self::Nack { .. } => "nack",
            Self::Abort { .. } => "abort",
            Self::Query { .. } => "query",
            Self::Done { .. } => "done",
        }
    }
}

/// Why a target does not take a process. The source goes on with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No worker of this kind is known there.
    #[error("the target does not know the kind")]
    #[serde(rename = "kind")]
    UnknownKind,
    /// It takes no names at the moment.
    #[error("the target is not ready")]
    #[serde(rename = "ready")]
    NotReady,
    /// It is about to leave.
    #[error("the target is leaving")]
    #[serde(rename = "leaving")]
    Leaving,
    /// It has as many standbys, or as many bytes of them, as it takes.
    #[error("the target has no room for another standby")]
    #[serde(rename = "full")]
    Full,
    /// The state cannot be decoded there.
    #[error("the target cannot decode the state: {reason}")]
    #[serde(rename = "state")]
    CannotDecode {
        /// What is wrong with it.
        #[serde(rename = "r")]
        reason: String,
    },
    /// It did not start.
    #[error("the start failed on the target: {reason}")]
    #[serde(rename = "start")]
    StartFailed {
        /// What it said.
        #[serde(rename = "r")]
        reason: String,
    },
    /// The name runs there already: a conflict, which goes before a move.
    #[error("the target runs the name already, token {token}")]
    #[serde(rename = "runs")]
    RunsIt {
        /// Its claim there.
        #[serde(rename = "t")]
        token: Token,
    },
    /// The name is on another move there.
    #[error("the name is on another move at the target")]
    #[serde(rename = "busy")]
    Busy,
    /// The snapshot is larger than the target takes.
    #[error("{size} bytes are more than the target takes")]
    #[serde(rename = "size")]
    TooLarge {
        /// How large it is.
        #[serde(rename = "n")]
        size: usize,
    },
    /// The target holds the source dead. It will hear otherwise.
    #[error("the target holds the source dead")]
    #[serde(rename = "dead")]
    SourceDead,
    /// The target has no such standby (any more).
    #[error("the target has no such standby")]
    #[serde(rename = "gone")]
    Gone,
}

#[cfg(test)]
mod tests {
    use super::*;
    use swarm_base::codec::{self, Limits};

    #[test]
    fn messages_survive_the_wire_and_tolerate_new_fields() {
        let id = MoveId { source: Boot { millis: 5, random: 9 }, serial: 3 };
        let offer = Offer {
            name: Name::new("device-1").expect("a name"),
            kind: "device".into(),
            args: Bytes::from_static(b"args"),
            token: Token::new(4, id.source),
            groups: vec![(Name::new("foo").expect("a name"), Bytes::new())],
            state: Some(Bytes::from_static(&[0xff; 40])),
        };
        for message in [
            MoveMessage::Announce {
                id,
                offer: Offer { state: None, ..offer.clone() },
                len: 1 << 40,
            },
            MoveMessage::Offer { id, offer },
            MoveMessage::Chunk { id, at: 1 << 20, bytes: Bytes::from_static(&[0; 40]) },
            MoveMessage::ChunkTaken { id, upto: 0 },
            MoveMessage::Commit { id, token: Token::new(5, id.source), mails: vec![Bytes::new()] },
            MoveMessage::Mails { id, part: 3, mails: vec![Bytes::from_static(b"mail")] },
            MoveMessage::MailsTaken { id, part: 3 },
            MoveMessage::Refused { id, why: Refusal::RunsIt { token: Token::default() } },
            MoveMessage::Nack { id, why: Refusal::Gone },
        ] {
            let bytes = codec::encode(&message).expect("encodes");
            assert_eq!(codec::decode(&bytes, Limits::default()), Ok(message));
        }

        #[derive(Serialize)]
        struct Newer {
            i: MoveId,
            extra: u8,
        }
        #[derive(Serialize)]
        enum Wire {
            #[serde(rename = "re")]
            Ready(Newer),
        }
        let bytes = codec::encode(&Wire::Ready(Newer { i: id, extra: 1 })).expect("encodes");
        assert_eq!(codec::decode(&bytes, Limits::default()), Ok(MoveMessage::Ready { id }));
    }
}
