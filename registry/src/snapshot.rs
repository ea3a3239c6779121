//! A log's state in pieces, for a peer that misses more than the recent facts.

use crate::encoding;
use crate::log::{Log, LogId};
use crate::record::{Entry, Record};
use crate::replica::Replica;
use crate::staged::Staged;
use crate::stored::Kinds;
use crate::{Encoded, Fact, Why};
use std::sync::Arc;
use swarm_base::{Boot, Index, Name, NodeId, Pid, Token};

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

/// A snapshot that is made in slices, while the log goes on: it is of the position where it ends.
/// What changes meanwhile is told once more behind the rest.
#[derive(Debug)]
pub(crate) struct Building {
    pieces: Pieces,
    /// The next of the log's names, by its place in the log's list.
    next_name: usize,
    /// The processes in groups that have not been told, once all names have.
    members: Option<Vec<u64>>,
    touched: Index<Name, ()>,
    touched_members: Index<u64, ()>,
}

impl Building {
    pub(crate) fn new(writer: Boot) -> Self {
        let pieces = Pieces { writer, chunks: Vec::new(), bytes: Vec::new(), count: 0, end: 0 };
        let (touched, touched_members) = (Index::default(), Index::default());
        Self { pieces, next_name: 0, members: None, touched, touched_members }
    }

    /// What the log says about a name is not what it was, or the name stands elsewhere in the
    /// log's list.
    pub(crate) fn touch(&mut self, name: Name) {
        self.touched.insert(name, ());
    }

    /// The groups of a process are not what they were.
    pub(crate) fn touch_member(&mut self, serial: u64) {
        self.touched_members.insert(serial, ());
    }

    /// Goes on, by so many names and processes at most. Returns whether that was the last of it.
    pub(crate) fn step(&mut self, replica: &Replica, id: LogId, budget: usize) -> bool {
        let log = &replica.logs[id];
        let places = replica.table.places(id);
        let end = places.len().min(self.next_name + budget);
        let slice = places.get(self.next_name..end).unwrap_or_default();
        for place in slice {
            if let Some((name, record)) = replica.table.at(*place) {
                self.pieces.push_name(id, name, record);
            }
        }
        self.next_name = end;
        if end < places.len() {
            return false;
        }
        let left = budget - slice.len();
        let serials = || log.members.iter().map(|(serial, _)| serial).collect();
        let members = self.members.get_or_insert_with(serials);
        for serial in members.drain(members.len().saturating_sub(left)..) {
            self.pieces.push_member(log, serial);
        }
        members.is_empty()
    }

    /// The snapshot at the log's present position, after the last step.
    pub(crate) fn finish(mut self, replica: &Replica, id: LogId) -> Snapshot {
        let log = &replica.logs[id];
        let pieces = &mut self.pieces;
        // First out with all that changed. A pointer may take its groups from the memberships
        // before it, and must find none.
        for serial in self.touched_members.keys() {
            pieces.push(&Fact::Exited { pid: Pid::new(pieces.writer, *serial) });
        }
        for name in self.touched.keys() {
            let top = Boot { millis: u64::MAX, random: u64::MAX };
            let token = Token::new(u64::MAX, top);
            pieces.push(&Fact::Ended { name: name.clone(), token, why: Why::Settled });
            if let Some(record) = replica.table.get(name) {
                pieces.push_name(id, name, record);
            }
        }
        for serial in self.touched_members.keys() {
            pieces.push_member(log, *serial);
        }
        Snapshot { position: log.position, digest: log.digest, chunks: self.pieces.finish() }
    }
}

/// Facts as they are put into pieces.
#[derive(Debug)]
struct Pieces {
    writer: Boot,
    chunks: Vec<(u32, Encoded)>,
    bytes: Vec<u8>,
    count: u32,
    end: usize,
}

impl Pieces {
    fn push(&mut self, fact: &Fact) {
        encoding::write(&mut self.bytes, fact, self.writer, 0);
        if self.bytes.len() > CHUNK_LEN && self.count > 0 {
            self.chunks.push((self.count, Encoded::new(&self.bytes[..self.end])));
            self.bytes.drain(..self.end);
            self.count = 0;
        }
        (self.count, self.end) = (self.count + 1, self.bytes.len());
    }

    /// What the log says about a name.
    fn push_name(&mut self, log: LogId, name: &Name, record: &Record) {
        match record.of(log) {
            Some(Entry::Claim(claim)) => self.push(&Fact::Named(claim.claim(name, self.writer))),
            Some(Entry::Gone(gone)) => {
                self.push(&Fact::Named(gone.claim.claim(name, self.writer)));
                let why = Why::GoneTo { log: gone.to.clone(), token: gone.token };
                self.push(&Fact::Ended { name: name.clone(), token: gone.claim.token, why });
            }
            Some(Entry::Stopped(token)) => {
                let why = Why::Stopped;
                self.push(&Fact::Ended { name: name.clone(), token: *token, why });
            }
            None => {}
        }
    }

    /// The groups of a process.
    fn push_member(&mut self, log: &Log, serial: u64) {
        for (group, meta) in log.members.get(serial).into_iter().flatten() {
            let pid = Pid::new(self.writer, serial);
            self.push(&Fact::Joined { group: group.clone(), pid, meta: meta.clone() });
        }
    }

    fn finish(mut self) -> Vec<(u32, Encoded)> {
        // A log without any state is one empty piece: its receiver learns the position.
        self.chunks.push((self.count, Encoded::new(&self.bytes)));
        self.chunks
    }
}

/// A snapshot on its way to a peer.
#[derive(Debug)]
pub(crate) struct Transfer {
    pub(crate) snapshot: Arc<Snapshot>,
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
    pub(crate) staged: Staged,
    /// How many facts could not be read.
    pub(crate) n_unread: u64,
    pieces: u32,
    len: usize,
}

/// What a piece did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    More,
    Complete,
    /// Out of order, malformed, or over the bound.
    Refused,
}

impl Assembly {
    pub(crate) fn new(from: NodeId, position: u64, digest: u64, of: u32) -> Self {
        let staged = Staged::default();
        Self { from, position, digest, of, staged, n_unread: 0, pieces: 0, len: 0 }
    }

    /// Takes in a piece with so many facts of the life `writer`.
    pub(crate) fn add(
        &mut self,
        index: u32,
        (count, facts): (u32, &Encoded),
        writer: Boot,
        kinds: &mut Kinds,
        len_max: usize,
    ) -> Added {
        if index != self.pieces || self.len.saturating_add(facts.len()) > len_max {
            return Added::Refused;
        }
        let Some(split) = encoding::split(facts, count) else { return Added::Refused };
        for fact in split {
            match encoding::read(fact, writer) {
                Some(fact) => self.staged.apply(fact, kinds),
                None => self.n_unread += 1,
            }
        }
        self.len += facts.len();
        self.pieces += 1;
        if self.pieces == self.of { Added::Complete } else { Added::More }
    }
}
