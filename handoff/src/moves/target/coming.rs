//! A state that comes in chunks: its standby is built once all of it is here.

use super::standbys::{Standby, TargetPhase};
use crate::message::{MoveId, MoveMessage, Offer, Refusal};
use crate::moves::event::MoveEvent;
use crate::moves::machine::Moves;
use bytes::Bytes;
use std::collections::BTreeMap;
use swarm_base::{Instant, NodeId};

/// What there is of a state and of the offer that it belongs to.
#[derive(Debug)]
pub(super) struct Coming {
    /// Without the state.
    offer: Offer,
    /// How many bytes the state will have.
    len: usize,
    /// The state, as far as there is no gap in it.
    state: Vec<u8>,
    /// Chunks behind a gap, by where they begin.
    ahead: BTreeMap<usize, Bytes>,
}

impl Coming {
    const fn new(offer: Offer, len: usize) -> Self {
        Self { offer, len, state: Vec::new(), ahead: BTreeMap::new() }
    }

    /// Puts a chunk where it belongs. One that was there before changes nothing, and one that
    /// cannot be part of the state does not either.
    fn put(&mut self, at: u64, bytes: Bytes) {
        let Ok(at) = usize::try_from(at) else { return };
        if at.checked_add(bytes.len()).is_none_or(|end| end > self.len) {
            return;
        }
        if at > self.state.len() {
            return self.put_ahead(at, bytes);
        }
        self.append(at, &bytes);
        while let Some(entry) = self.ahead.first_entry()
            && *entry.key() <= self.state.len()
        {
            let (at, bytes) = entry.remove_entry();
            self.append(at, &bytes);
        }
    }

    /// Keeps a chunk behind a gap: streams have no order among each other. No more of them than
    /// the state has room for; whatever is left out is sent again.
    fn put_ahead(&mut self, at: usize, bytes: Bytes) {
        let kept: usize = self.ahead.values().map(Bytes::len).sum();
        let fits = self.state.len() + kept + bytes.len() <= self.len;
        if fits && self.ahead.len() < AHEAD_MAX {
            self.ahead.entry(at).or_insert(bytes);
        }
    }

    /// Appends what is new of a chunk that begins within the state or at its end.
    fn append(&mut self, at: usize, bytes: &[u8]) {
        if self.state.capacity() == 0 {
            // At once: what grows by doubling holds up to three times as much on the way.
            self.state.reserve_exact(self.len);
        }
        let known = self.state.len() - at;
        self.state.extend_from_slice(bytes.get(known..).unwrap_or_default());
    }

    const fn is_whole(&self) -> bool {
        self.state.len() == self.len
    }

    fn into_offer(self) -> Offer {
        Offer { state: Some(self.state.into()), ..self.offer }
    }
}

impl Moves {
    /// What can be refused is refused before any of the state is sent.
    pub(super) fn handle_announce(
        &mut self,
        now: Instant,
        from: NodeId,
        id: MoveId,
        offer: Offer,
        len: u64,
    ) {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let size = offer.size().saturating_add(len);
        if self.takes(now, &from, id, &offer, size) {
            let name = offer.name.clone();
            let coming = Some(Coming::new(offer, len));
            let standby = Standby::new(now, from.clone(), name, size, coming, &self.config);
            self.target.insert(id, standby, &self.config);
            self.reply_taken(from, id);
            self.build_whole(id);
        }
    }

    pub(super) fn handle_chunk(
        &mut self,
        now: Instant,
        from: NodeId,
        id: MoveId,
        at: u64,
        bytes: Bytes,
    ) {
        // One of a move that is over says nothing: the announcement is repeated, and answered.
        let Some(standby) = self.target.standbys.get_mut(&id) else { return };
        let Some(coming) = &mut standby.coming else { return };
        let before = coming.state.len();
        coming.put(at, bytes);
        if coming.state.len() > before {
            standby.ask = now + self.config.standby_ttl;
        }
        self.reply_taken(from, id);
        self.build_whole(id);
    }

    /// Tells the source where to go on.
    pub(super) fn reply_taken(&mut self, to: NodeId, id: MoveId) {
        let coming = self.target.standbys.get(&id).and_then(|standby| standby.coming.as_ref());
        if let Some(coming) = coming {
            let upto = coming.state.len() as u64;
            self.reply(to, MoveMessage::ChunkTaken { id, upto });
        }
    }

    /// Builds the standby, if all of its state is here.
    fn build_whole(&mut self, id: MoveId) {
        let Some(standby) = self.target.standbys.get_mut(&id) else { return };
        if let Some(coming) = standby.coming.take_if(|coming| coming.is_whole()) {
            standby.phase = TargetPhase::Building;
            let (from, offer) = (standby.from.clone(), coming.into_offer());
            self.emit(MoveEvent::Build { id, from, offer });
        }
    }

    /// The rest of the states from `node` will not come: it is dead.
    pub(super) fn drop_coming(&mut self, now: Instant, node: &NodeId) {
        let is_coming = |standby: &Standby| standby.from == *node && standby.coming.is_some();
        let standbys = self.target.standbys.iter().filter(|(_, standby)| is_coming(standby));
        let coming: Vec<MoveId> = standbys.map(|(id, _)| *id).collect();
        for id in coming {
            // Should it live after all, its process goes on there.
            self.target.close(now, id, Refusal::Gone);
        }
    }
}

/// How many chunks of a state are kept behind a gap: more than are under way at once.
const AHEAD_MAX: usize = 64;
