//! A log's state in pieces, for a peer that misses more than the recent facts.

use crate::encoding;
use crate::{Encoded, Fact};
use swarm_base::NodeId;

/// The bytes of facts that a piece of a snapshot has: one fact at least.
const CHUNK_LEN: usize = 256 * 1024;

/// The most pieces of a snapshot.
pub(crate) const CHUNKS_MAX: u32 = 64 * 1024;

/// The state of a log at a position, encoded once for all peers.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) position: u64,
    pub(crate) digest: u64,
    pub(crate) chunks: Vec<(u32, Encoded)>,
}

impl Snapshot {
    /// Encodes the state that `facts` make.
    pub(crate) fn new(position: u64, digest: u64, facts: impl Iterator<Item = Fact>) -> Self {
        let mut chunks = Vec::new();
        let (mut bytes, mut count, mut end) = (Vec::new(), 0, 0);
        for fact in facts {
            encoding::write(&mut bytes, &fact, 0);
            if bytes.len() > CHUNK_LEN && count > 0 {
                chunks.push((count, Encoded::new(&bytes[..end])));
                bytes.drain(..end);
                count = 0;
            }
            (count, end) = (count + 1, bytes.len());
        }
        // A log without any state is one empty piece: its receiver learns the position.
        chunks.push((count, Encoded::new(&bytes)));
        Self { position, digest, chunks }
    }
}

/// A snapshot on its way to a peer.
#[derive(Debug)]
pub(crate) struct Transfer {
    pub(crate) snapshot: std::sync::Arc<Snapshot>,
    /// The next piece to send.
    pub(crate) next: u32,
    /// How many pieces the peer has taken in.
    pub(crate) got: u32,
}

/// A snapshot that is arriving. Its pieces come in order, on one session.
#[derive(Debug)]
pub(crate) struct Assembly {
    pub(crate) from: NodeId,
    pub(crate) position: u64,
    pub(crate) digest: u64,
    pub(crate) of: u32,
    pieces: Vec<(u32, Encoded)>,
    len: usize,
}

/// What a piece did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    More,
    Complete,
    /// Out of order, or over the bound.
    Refused,
}

impl Assembly {
    pub(crate) fn new(from: NodeId, position: u64, digest: u64, of: u32) -> Self {
        Self { from, position, digest, of, pieces: Vec::new(), len: 0 }
    }

    pub(crate) fn n_pieces(&self) -> u32 {
        self.pieces.len() as u32
    }

    pub(crate) fn add(&mut self, index: u32, count: u32, facts: Encoded, len_max: usize) -> Added {
        if index != self.n_pieces() || self.len.saturating_add(facts.len()) > len_max {
            return Added::Refused;
        }
        self.len += facts.len();
        self.pieces.push((count, facts));
        if self.n_pieces() == self.of { Added::Complete } else { Added::More }
    }

    /// All facts, and how many of them cannot be read here. `None` where a piece is malformed.
    pub(crate) fn facts(&self) -> Option<(Vec<Fact>, u64)> {
        let (mut facts, mut n_unread) = (Vec::new(), 0);
        for (count, piece) in &self.pieces {
            for fact in encoding::split(piece, *count)? {
                match encoding::read(fact) {
                    Some(fact) => facts.push(fact),
                    None => n_unread += 1,
                }
            }
        }
        Some((facts, n_unread))
    }
}
