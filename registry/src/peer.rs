//! A peer with a session: what it holds, and what is on its way to it.

use crate::log::{Log, LogId};
use crate::message::{Mark, Message};
use crate::quota::Quota;
use crate::snapshot::{Snapshot, Transfer};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use swarm_base::{Instant, NodeId};

/// See the module. It lasts as long as the session.
#[derive(Debug)]
pub(crate) struct Peer {
    /// What is sent of each log: this node's own from the peer's first compare on, another's
    /// while the peer asked for it.
    pub(crate) feeds: BTreeMap<LogId, Feed>,
    /// What the peer last said it holds.
    pub(crate) held: BTreeMap<NodeId, Mark>,
    /// Whether it has sent a full list.
    pub(crate) listed: bool,
    /// Closed logs that it was asked about and has not answered for.
    pub(crate) questions: BTreeSet<NodeId>,
    /// A full list that is arriving.
    pub(crate) listing: BTreeMap<NodeId, Mark>,
    /// Acknowledgements that are due to the peer, with the bytes that they are for.
    pub(crate) acks: BTreeMap<LogId, usize>,
    /// What it may send.
    pub(crate) quota: Quota,
    /// The logs of which it was told to send nothing, until when.
    pub(crate) slowed: BTreeMap<LogId, Instant>,
}

impl Peer {
    pub(crate) const fn new(quota: Quota) -> Self {
        Self {
            feeds: BTreeMap::new(),
            held: BTreeMap::new(),
            listed: false,
            questions: BTreeSet::new(),
            listing: BTreeMap::new(),
            acks: BTreeMap::new(),
            quota,
            slowed: BTreeMap::new(),
        }
    }
}

/// One log on its way to one peer.
#[derive(Debug)]
pub(crate) struct Feed {
    /// The last position sent.
    pub(crate) sent: u64,
    /// The last position that the peer acknowledged.
    pub(crate) acked: u64,
    /// What is not acknowledged: the last position of each batch, and its bytes.
    on_way: VecDeque<(u64, usize)>,
    len_on_way: usize,
    transfer: Option<Transfer>,
    /// Set until it is known whether the peer lacks the whole log.
    is_new: bool,
    /// Until when the peer asked to be sent nothing.
    pub(crate) slowed: Option<Instant>,
    /// The position and the pieces at the peer's last compare: if neither has moved by the next
    /// one, what was sent has been lost.
    compared: Option<(u64, u32)>,
}

impl Feed {
    /// Begins behind `position`, which the peer holds.
    pub(crate) fn new(position: u64) -> Self {
        Self {
            sent: position,
            acked: position,
            on_way: VecDeque::new(),
            len_on_way: 0,
            transfer: None,
            is_new: position == 0,
            slowed: None,
            compared: None,
        }
    }

    /// Begins anew behind `position`.
    fn restart(&mut self, position: u64) {
        *self = Self { slowed: self.slowed, ..Self::new(position) };
    }

    /// The peer holds `position`, and takes nothing until then.
    pub(crate) fn slow(&mut self, position: u64, until: Instant) {
        *self = Self { slowed: Some(until), ..Self::new(position) };
    }

    pub(crate) fn acknowledge(&mut self, position: u64) {
        self.acked = self.acked.max(position).min(self.sent);
        while let Some((last, len)) = self.on_way.front()
            && *last <= self.acked
        {
            self.len_on_way -= len;
            self.on_way.pop_front();
        }
    }

    /// The peer compared, and holds `position`. Begins anew from there where nothing that was
    /// sent has arrived since its last compare, and where the peer has let go of what it had: it
    /// took this node for dead.
    pub(crate) fn compare(&mut self, position: u64) {
        if position < self.acked {
            self.restart(position);
        }
        self.acknowledge(position);
        let got = self.transfer.as_ref().map_or(0, |transfer| transfer.got);
        let is_waiting = position < self.sent || self.transfer.is_some();
        if is_waiting && self.compared == Some((position, got)) {
            self.restart(position);
        }
        self.compared = Some((position, got));
    }

    /// The peer has taken in pieces of a snapshot.
    pub(crate) fn got(&mut self, position: u64, pieces: u32) {
        let Some(transfer) = &mut self.transfer else { return };
        if transfer.snapshot.position != position {
            return;
        }
        transfer.got = transfer.got.max(pieces.min(transfer.next));
        if transfer.got as usize == transfer.snapshot.chunks.len() {
            *self = Self::new(position);
        }
    }

    /// Whether `position` is reached and nothing is on its way in pieces.
    pub(crate) fn has_sent(&self, position: u64) -> bool {
        self.transfer.is_none() && self.sent >= position
    }

    pub(crate) const fn is_transferring(&self) -> bool {
        self.transfer.is_some()
    }

    /// Up to where the peer needs no more facts: it has them, or a snapshot brings it there.
    pub(crate) fn taken(&self) -> u64 {
        self.transfer.as_ref().map_or(self.acked, |transfer| transfer.snapshot.position)
    }

    pub(crate) fn begin(&mut self, snapshot: Arc<Snapshot>) {
        self.is_new = false;
        self.transfer = Some(Transfer { snapshot, next: 0, got: 0 });
    }

    /// The next message of `log`, up to a position, within the bounds on what may be on its way.
    pub(crate) fn next(&mut self, log: &Log, upto: u64, len_max: usize, window: u32) -> Next {
        if let Some(transfer) = &mut self.transfer {
            return match next_piece(transfer, log, window) {
                Some(message) => Next::Send(message),
                None => Next::Nothing,
            };
        }
        // Who has nothing is not led through all that was, in which names come back that have long
        // been gone: it gets what is.
        if self.is_new && upto > 0 {
            return Next::Snapshot;
        }
        self.is_new = false;
        if self.sent >= upto || self.len_on_way >= len_max {
            return Next::Nothing;
        }
        let Some(batch) = log.history.after(self.sent) else { return Next::Snapshot };
        self.sent = batch.last();
        self.len_on_way += batch.facts.len();
        self.on_way.push_back((batch.last(), batch.facts.len()));
        Next::Send(Message::Facts {
            log: log.node.clone(),
            first: batch.first,
            count: batch.count,
            facts: batch.facts,
        })
    }
}

/// What a feed wants.
#[derive(Debug)]
pub(crate) enum Next {
    Send(Message),
    /// The recent facts do not reach back far enough: it takes a snapshot.
    Snapshot,
    Nothing,
}

fn next_piece(transfer: &mut Transfer, log: &Log, window: u32) -> Option<Message> {
    if transfer.next >= transfer.got.saturating_add(window) {
        return None;
    }
    let snapshot = &transfer.snapshot;
    let (count, facts) = snapshot.chunks.get(transfer.next as usize)?.clone();
    let index = transfer.next;
    transfer.next += 1;
    Some(Message::Chunk {
        log: log.node.clone(),
        position: snapshot.position,
        digest: snapshot.digest,
        index,
        of: snapshot.chunks.len() as u32,
        count,
        facts,
    })
}
