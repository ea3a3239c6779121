//! What travels on the sessions of the world: bytes, as on the wire.

use crate::node::Wire;
use serde::{Deserialize, Serialize};
use std::fmt;
use swarm_base::codec::{self, Limits};
use swarm_base::{Name, Pid};

/// A packet of gossip.
#[derive(Clone)]
pub(crate) struct Packet(pub(crate) Vec<u8>);

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gossip of {} bytes", self.0.len())
    }
}

/// A frame on one of the lanes of a session.
#[derive(Clone)]
pub(crate) struct Frame {
    pub(crate) lane: Lane,
    pub(crate) bytes: Vec<u8>,
}

/// The lanes of a session. They have no order among each other: a bulk frame is a stream of its
/// own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Control,
    Bulk,
    Message,
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lane {
            Lane::Message => match Message::decode(&self.bytes) {
                Some(message) => write!(f, "{message:?}"),
                None => f.write_str("a message that does not decode"),
            },
            lane => match Wire::decode(&self.bytes) {
                Ok(wire) => write!(f, "{lane:?} {wire:?}"),
                Err(error) => write!(f, "{lane:?} that does not decode: {error}"),
            },
        }
    }
}

/// A message for a process: raises its count by one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Message {
    /// Given once in a world.
    pub(crate) id: u64,
    /// The name that it was sent to.
    pub(crate) name: Name,
    /// The process that the sender's view said; none once that process has moved on.
    pub(crate) pid: Option<Pid>,
    /// How many nodes have passed it on.
    pub(crate) hops: u8,
}

impl Message {
    /// How often a message follows its process.
    pub(crate) const HOPS_MAX: u8 = 3;

    pub(crate) fn encode(&self) -> Vec<u8> {
        codec::encode(self).expect("numbers and a name encode")
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        codec::decode(bytes, Limits::of_bytes(4096)).ok()
    }
}
