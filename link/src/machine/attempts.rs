//! Dialling, ending, and dialling again.

use super::{Link, Links, Stage};
use crate::{Cause, Event, Reason};
use std::time::Duration;
use swarm_base::{Instant, NodeName, Session};

impl Links {
    /// Sets the time of the first dial to `name`, unless it is connected or connecting.
    pub(super) fn schedule(&mut self, now: Instant, name: &NodeName) {
        let wait = if self.is_arbiter(name) { Duration::ZERO } else { self.config.larger_waits };
        let dialling = self.is_dialling(name);
        if let Some(peer) = self.peers.get_mut(name).filter(|peer| peer.up.is_none() && !dialling) {
            peer.dial_at = Some(now + wait);
        }
        if wait.is_zero() {
            self.dial(now, name);
        }
    }

    /// Dials anew where the node is now said to be.
    pub(super) fn redial(&mut self, now: Instant, name: &NodeName) {
        let under_way =
            |link: &Link| link.name == *name && matches!(link.stage, Stage::Dialling { .. });
        let old: Vec<_> =
            self.links.iter().filter(|(_, l)| under_way(l)).map(|(s, _)| *s).collect();
        for session in old {
            self.close(now, session, Reason::GivenUp, Cause::Here(Reason::GivenUp));
        }
        self.schedule(now, name);
    }

    pub(super) fn is_dialling(&self, name: &NodeName) -> bool {
        self.links.iter().any(|(session, link)| session.is_dialled() && link.name == *name)
    }

    pub(super) fn dial(&mut self, now: Instant, name: &NodeName) {
        let dialling = self.is_dialling(name);
        let Some(peer) = self.peers.get_mut(name) else { return };
        peer.dial_at = None;
        if dialling || peer.up.is_some() {
            return;
        }
        self.dials += 1;
        let session = Session::dialled(self.dials);
        let (node, address) = (peer.node.clone(), peer.address);
        let stage = Stage::Dialling { deadline: now + self.config.dial_timeout };
        self.links.insert(session, Link { name: name.clone(), address, stage });
        self.emit(Event::Dial { session, node, address });
    }

    /// Closes a session and forgets it.
    pub(super) fn close(&mut self, now: Instant, session: Session, reason: Reason, why: Cause) {
        if self.links.contains_key(&session) {
            // Down comes first: nothing may be sent on a session that is being closed.
            self.end(now, session, why);
            self.emit(Event::Close { session, reason });
        }
    }

    /// Forgets a session, and sets the time of the next dial.
    pub(super) fn end(&mut self, now: Instant, session: Session, why: Cause) {
        let Some(Link { name, address, stage }) = self.links.remove(&session) else { return };
        let was_up = matches!(stage, Stage::Up);
        let turned_away = matches!(
            why,
            Cause::Here(Reason::Duplicate | Reason::GivenUp)
                | Cause::There(Reason::Duplicate | Reason::GivenUp)
        );
        let event = match self.peers.get_mut(&name).filter(|_| was_up) {
            Some(peer) => {
                if let Some(up) = peer.up.take() {
                    peer.lost = Some(up.number);
                    peer.backoff.end(&self.config, up.since, now);
                }
                Some(Event::Down { node: peer.node.clone(), session, why })
            }
            None => {
                let name = name.clone();
                (!turned_away).then_some(Event::Refused { session, name, address, why })
            }
        };
        if was_up || session.is_dialled() {
            self.retry(now, &name);
        }
        if let Some(event) = event {
            self.emit(event);
        }
    }

    /// Sets the time of the next dial after a failure.
    pub(super) fn retry(&mut self, now: Instant, name: &NodeName) {
        let extra = if self.is_arbiter(name) { Duration::ZERO } else { self.config.larger_waits };
        if let Some(peer) = self.peers.get_mut(name).filter(|peer| peer.up.is_none()) {
            let wait = peer.backoff.fail(&self.config, &mut self.rng);
            peer.dial_at = Some(now + extra + wait);
        }
    }

    pub(super) fn sessions_of(&self, name: &NodeName) -> Vec<Session> {
        let of = self.links.iter().filter(|(_, link)| link.name == *name);
        of.map(|(session, _)| *session).collect()
    }
}
