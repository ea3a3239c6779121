//! A state that is too large for its offer: it is announced, and goes in chunks.
//!
//! The target says how much of the state it has, and is sent what follows: never more than a
//! window of chunks to each node, of all moves to it in turn. So one large state does not hold up
//! the others, and what is under way is bounded however many and however large they are. A chunk
//! that is lost is sent again: the announcement is repeated, as an offer is, and its answer says
//! where to go on.

use super::leaving::{Leaving, Phase, Source};
use crate::config::Checked;
use crate::message::{MoveId, MoveMessage, Offer};
use crate::moves::machine::Moves;
use bytes::Bytes;
use swarm_base::{Instant, NodeId};

/// How far a state is that goes in chunks.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    /// How many bytes of it the target has.
    taken: usize,
    /// How many bytes of it the target has or are under way.
    sent: usize,
    /// Whether the target has answered the last announcement.
    is_wanted: bool,
    /// When the last chunk was sent, counted in chunks.
    turn: u64,
}

impl Chunks {
    /// Of an offer whose state does not stand in it.
    pub(super) fn of(offer: &Offer, config: &Checked) -> Option<Self> {
        (state_len(offer) > config.chunk_bytes).then(Self::default)
    }

    /// The first message about the state, or the first after those under way may have been lost.
    pub(super) fn announce(&mut self, id: MoveId, offer: &Offer) -> MoveMessage {
        (self.sent, self.is_wanted) = (self.taken, false);
        let len = state_len(offer) as u64;
        let Offer { name, kind, args, token, groups, state: _ } = offer.clone();
        let offer = Offer { name, kind, args, token, groups, state: None };
        MoveMessage::Announce { id, offer, len }
    }

    /// The target has this much. Tells whether that is more than before.
    fn taken(&mut self, upto: usize) -> bool {
        let is_more = upto > self.taken;
        self.is_wanted = true;
        self.taken = self.taken.max(upto);
        self.sent = self.sent.max(upto);
        is_more
    }

    const fn under_way(&self) -> usize {
        self.sent - self.taken
    }
}

impl Moves {
    pub(super) fn chunk_taken(&mut self, now: Instant, id: MoveId, upto: u64) {
        let (retry_after, timeout) = (self.config.retry, self.config.offer_timeout);
        let Some(leaving) = self.source.moves.get_mut(&id) else { return };
        let Phase::Offered { offer, chunks: Some(chunks), deadline, retry } = &mut leaving.phase
        else {
            return;
        };
        let len = state_len(offer);
        let Some(upto) = usize::try_from(upto).ok().filter(|upto| *upto <= len) else { return };
        if chunks.taken(upto) {
            (*deadline, *retry) = (now + timeout, now + retry_after);
        }
        let to = leaving.to.clone();
        self.send_chunks(&to);
    }

    /// Sends chunks to `to` until the window is full, or there are none.
    pub(super) fn send_chunks(&mut self, to: &NodeId) {
        if !self.sessions.contains(to) {
            return;
        }
        let chunk = self.config.chunk_bytes;
        let mut under_way = self.source.under_way(to);
        while under_way < CHUNKS_AT_ONCE * chunk {
            let Some((id, at, bytes)) = self.source.next_chunk(to, chunk) else { return };
            under_way += bytes.len();
            self.send(to, MoveMessage::Chunk { id, at: at as u64, bytes });
        }
    }
}

impl Source {
    /// The bytes of states that are under way to `to`.
    fn under_way(&self, to: &NodeId) -> usize {
        let theirs = self.moves.values().filter(|leaving| leaving.to == *to);
        theirs.filter_map(Leaving::chunks).map(Chunks::under_way).sum()
    }

    /// The next chunk for `to`: of the state whose last one was sent the longest ago. It is a slice
    /// of the snapshot, which is not held twice.
    fn next_chunk(&mut self, to: &NodeId, len: usize) -> Option<(MoveId, usize, Bytes)> {
        let theirs = self.moves.iter_mut().filter(|(_, leaving)| leaving.to == *to);
        let due = theirs.filter_map(|(id, leaving)| match &mut leaving.phase {
            Phase::Offered {
                offer: Offer { state: Some(state), .. },
                chunks: Some(chunks),
                ..
            } if chunks.is_wanted && chunks.sent < state.len() => Some((*id, state, chunks)),
            _ => None,
        });
        let (id, state, chunks) = due.min_by_key(|(id, _, chunks)| (chunks.turn, *id))?;
        let at = chunks.sent;
        self.turns += 1;
        chunks.turn = self.turns;
        chunks.sent = at.saturating_add(len).min(state.len());
        Some((id, at, state.slice(at..chunks.sent)))
    }
}

impl Leaving {
    const fn chunks(&self) -> Option<&Chunks> {
        match &self.phase {
            Phase::Offered { chunks, .. } => chunks.as_ref(),
            _ => None,
        }
    }
}

fn state_len(offer: &Offer) -> usize {
    offer.state.as_ref().map_or(0, Bytes::len)
}

/// How many chunks are under way to one node: at 64 KiB each enough for 100 MB/s at a round trip of
/// 10 ms, and few enough that what else a session carries does not wait for them.
const CHUNKS_AT_ONCE: usize = 16;
