//! A statement about one node.

use super::{Reader, address_len, id_len, put_address, put_id};
use crate::{Metadata, Record, State};
use std::net::SocketAddr;
use std::sync::Arc;
use swarm_base::NodeId;

/// A statement about one boot of a node, at one of its incarnations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Update {
    pub(crate) incarnation: u64,
    pub(crate) claim: Claim,
}

/// What is stated, and of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Comes from the node itself: nobody else makes one up.
    Alive(Arc<Record>),
    /// `by` had no answer from it.
    Suspect { id: NodeId, by: NodeId },
    /// It did not refute. With its address, so that whoever hears of it for the first time can
    /// try it later.
    Dead { id: NodeId, address: SocketAddr },
    /// The system of its host refuses what is sent to it.
    Refused { id: NodeId, address: SocketAddr },
    /// It said goodbye.
    Left { id: NodeId, address: SocketAddr },
}

impl Update {
    /// Of whom.
    pub(crate) fn id(&self) -> &NodeId {
        match &self.claim {
            Claim::Alive(record) => &record.id,
            Claim::Suspect { id, .. }
            | Claim::Dead { id, .. }
            | Claim::Refused { id, .. }
            | Claim::Left { id, .. } => id,
        }
    }

    /// Whether it is that `id` lives.
    pub(crate) fn is_alive(&self, id: &NodeId) -> bool {
        matches!(&self.claim, Claim::Alive(record) if record.id == *id)
    }

    pub(crate) const fn state(&self) -> State {
        match self.claim {
            Claim::Alive(_) => State::Alive,
            Claim::Suspect { .. } => State::Suspect,
            Claim::Dead { .. } | Claim::Refused { .. } => State::Dead,
            Claim::Left { .. } => State::Left,
        }
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match &self.claim {
            Claim::Alive(record) => Some(record.address),
            Claim::Suspect { .. } => None,
            Claim::Dead { address, .. }
            | Claim::Refused { address, .. }
            | Claim::Left { address, .. } => Some(*address),
        }
    }

    /// How many bytes [`encode`](Self::encode) appends.
    pub(crate) fn len(&self) -> usize {
        let rest = match &self.claim {
            Claim::Alive(record) => address_len(&record.address) + record.metadata.as_bytes().len(),
            Claim::Suspect { by, .. } => id_len(by),
            Claim::Dead { address, .. }
            | Claim::Refused { address, .. }
            | Claim::Left { address, .. } => address_len(address),
        };
        HEAD_LEN + id_len(self.id()) + 8 + rest
    }

    /// Appends kind, length and content to `body`.
    pub(crate) fn encode(&self, body: &mut Vec<u8>) {
        body.push(match self.claim {
            Claim::Alive(_) => ALIVE,
            Claim::Suspect { .. } => SUSPECT,
            Claim::Dead { .. } => DEAD,
            Claim::Left { .. } => LEFT,
            Claim::Refused { .. } => REFUSED,
        });
        body.extend(((self.len() - HEAD_LEN) as u16).to_be_bytes());
        put_id(body, self.id());
        body.extend(self.incarnation.to_be_bytes());
        match &self.claim {
            Claim::Alive(record) => {
                put_address(body, &record.address);
                body.extend(record.metadata.as_bytes());
            }
            Claim::Suspect { by, .. } => put_id(body, by),
            Claim::Dead { address, .. }
            | Claim::Refused { address, .. }
            | Claim::Left { address, .. } => put_address(body, address),
        }
    }

    /// The next update, or `Some(None)` where its kind is unknown.
    #[expect(clippy::option_option, reason = "malformed, skipped and decoded are three outcomes")]
    pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Option<Self>> {
        let kind = reader.u8()?;
        let len = reader.u16()?;
        let mut reader = Reader(reader.take(usize::from(len))?);
        if !(ALIVE..=REFUSED).contains(&kind) {
            return Some(None);
        }
        let (id, incarnation) = (reader.id()?, reader.u64()?);
        let claim = match kind {
            ALIVE => {
                let address = reader.address()?;
                let metadata = Metadata::new(std::mem::take(&mut reader.0)).ok()?;
                Claim::Alive(Arc::new(Record { id, address, metadata }))
            }
            SUSPECT => Claim::Suspect { id, by: reader.id()? },
            DEAD => Claim::Dead { id, address: reader.address()? },
            REFUSED => Claim::Refused { id, address: reader.address()? },
            _ => Claim::Left { id, address: reader.address()? },
        };
        reader.0.is_empty().then_some(Some(Self { incarnation, claim }))
    }
}

/// Kind and length.
const HEAD_LEN: usize = 1 + 2;

/// The longest update: an `Alive` with the longest name and metadata, from IPv6.
pub(super) const LEN_MAX: usize = HEAD_LEN + (1 + 255 + 16) + 8 + (1 + 16 + 2) + 512;

const ALIVE: u8 = 1;
const SUSPECT: u8 = 2;
const DEAD: u8 = 3;
const LEFT: u8 = 4;
const REFUSED: u8 = 5;
