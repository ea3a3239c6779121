//! A statement about one node.

use super::{Reader, put_address, put_id};
use crate::{Metadata, State};
use std::net::SocketAddr;
use swarm_base::NodeId;

/// A statement about one boot of a node, at one of its incarnations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Update {
    pub(crate) id: NodeId,
    pub(crate) incarnation: u64,
    pub(crate) claim: Claim,
}

/// What is stated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Comes from the node itself: nobody else makes one up.
    Alive { address: SocketAddr, metadata: Metadata },
    /// `by` had no answer from it.
    Suspect { by: NodeId },
    /// It did not refute. With its address, so that whoever hears of it for the first time can
    /// try it later.
    Dead { address: SocketAddr },
    /// It said goodbye.
    Left { address: SocketAddr },
}

impl Update {
    pub(crate) const fn state(&self) -> State {
        match self.claim {
            Claim::Alive { .. } => State::Alive,
            Claim::Suspect { .. } => State::Suspect,
            Claim::Dead { .. } => State::Dead,
            Claim::Left { .. } => State::Left,
        }
    }

    /// Appends kind, length and content to `body`.
    pub(crate) fn encode(&self, body: &mut Vec<u8>) {
        body.push(match self.state() {
            State::Alive => ALIVE,
            State::Suspect => SUSPECT,
            State::Dead => DEAD,
            State::Left => LEFT,
        });
        let len_at = body.len();
        body.extend([0; 2]);
        put_id(body, &self.id);
        body.extend(self.incarnation.to_be_bytes());
        match &self.claim {
            Claim::Alive { address, metadata } => {
                put_address(body, address);
                body.extend(metadata.as_bytes());
            }
            Claim::Suspect { by } => put_id(body, by),
            Claim::Dead { address } | Claim::Left { address } => put_address(body, address),
        }
        let len = (body.len() - len_at - 2) as u16;
        body[len_at..len_at + 2].copy_from_slice(&len.to_be_bytes());
    }

    /// The next update, or `Some(None)` where its kind is unknown.
    #[expect(clippy::option_option, reason = "malformed, skipped and decoded are three outcomes")]
    pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Option<Self>> {
        let kind = reader.u8()?;
        let len = reader.u16()?;
        let mut reader = Reader(reader.take(usize::from(len))?);
        if !(ALIVE..=LEFT).contains(&kind) {
            return Some(None);
        }
        let (id, incarnation) = (reader.id()?, reader.u64()?);
        let claim = match kind {
            ALIVE => Claim::Alive {
                address: reader.address()?,
                metadata: Metadata::new(std::mem::take(&mut reader.0)).ok()?,
            },
            SUSPECT => Claim::Suspect { by: reader.id()? },
            DEAD => Claim::Dead { address: reader.address()? },
            _ => Claim::Left { address: reader.address()? },
        };
        reader.0.is_empty().then_some(Some(Self { id, incarnation, claim }))
    }
}

/// The longest update: an `Alive` with the longest name and metadata, from IPv6.
pub(super) const LEN_MAX: usize = 1 + 2 + (1 + 255 + 16) + 8 + (1 + 16 + 2) + 512;

const ALIVE: u8 = 1;
const SUSPECT: u8 = 2;
const DEAD: u8 = 3;
const LEFT: u8 = 4;
