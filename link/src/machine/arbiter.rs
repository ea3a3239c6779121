//! Whose hello makes a session count.

use super::{Link, Links, Stage, Up};
use crate::backoff::Backoff;
use crate::{Cause, Event, Hello, Reason};
use swarm_base::{Instant, NodeId, NodeName, Output, Session};

impl Links {
    pub(super) fn is_arbiter(&self, other: &NodeName) -> bool {
        self.me.name < *other
    }

    /// Says hello on an open session, once, and only to a member: a hello tells the other that its
    /// traffic is welcome.
    pub(super) fn say_hello(&mut self, session: Session) {
        if self.links.get(&session).is_some_and(|link| self.peers.contains_key(&link.name)) {
            self.write_hello(session);
        }
    }

    /// Says hello on an open session, once, to whomever.
    pub(super) fn write_hello(&mut self, session: Session) {
        let Some(Link { name, stage: Stage::Open { sent, .. }, .. }) = self.links.get_mut(&session)
        else {
            return;
        };
        if sent.is_some() {
            return;
        }
        let lost = self.peers.get(name).and_then(|peer| peer.lost);
        let number = self.rng.next_u64();
        *sent = Some(number);
        let message = Hello {
            version: Hello::VERSION,
            oldest: Hello::OLDEST,
            cluster: self.cluster.clone(),
            node: self.me.clone(),
            link: number,
            lost,
            settings: self.settings.clone(),
        };
        self.outputs.push_back(Output::Send { to: session, message });
    }

    /// Goes on with the sessions of a node that has just become a member.
    pub(super) fn greet_waiting(&mut self, now: Instant, name: &NodeName) {
        for session in self.sessions_of(name) {
            if !self.is_arbiter(name) {
                self.say_hello(session);
            }
            self.consider(now, session);
        }
    }

    /// Looks at an open session whose valid hello may be there.
    pub(super) fn consider(&mut self, now: Instant, session: Session) {
        let Some(Link { name, stage: Stage::Open { theirs: Some(hello), sent, .. }, .. }) =
            self.links.get(&session)
        else {
            return;
        };
        let Some(peer) = self.peers.get(name) else { return };
        let (name, node, sent) = (name.clone(), hello.node.clone(), *sent);
        let (link, lost) = (hello.link, hello.lost);
        if node.boot < peer.node.boot {
            let why = Cause::StaleBoot { found: node.boot, newest: peer.node.boot };
            return self.close(now, session, Reason::StaleBoot, why);
        }
        if node.boot > peer.node.boot {
            self.renew(now, &node);
        }
        let number = match (self.is_arbiter(&name), sent) {
            (false, _) => link,
            (true, Some(number)) => number,
            // The other dialled. Its session is turned away where another one has our hello,
            // unless the other says that it has lost that very session.
            (true, None) => {
                let up = self.peers[&name].up.filter(|up| Some(up.number) != lost);
                if up.is_some() || self.has_said_hello(&name) {
                    let why = Cause::Here(Reason::Duplicate);
                    return self.close(now, session, Reason::Duplicate, why);
                }
                self.say_hello(session);
                match self.links.get(&session) {
                    Some(Link { stage: Stage::Open { sent: Some(number), .. }, .. }) => *number,
                    _ => return,
                }
            }
        };
        self.raise(now, session, &name, number);
    }

    /// Whether the arbiter's own dial to `name` is through and decided.
    pub(super) fn has_said_hello(&self, name: &NodeName) -> bool {
        let said = |stage: &Stage| matches!(stage, Stage::Open { sent: Some(_), .. });
        self.links.values().any(|link| link.name == *name && said(&link.stage))
    }

    /// Makes `session` the one that carries the traffic with `name`.
    pub(super) fn raise(&mut self, now: Instant, session: Session, name: &NodeName, number: u64) {
        for other in self.sessions_of(name) {
            if other != session {
                let was_up = matches!(self.links[&other].stage, Stage::Up);
                let reason = if was_up { Reason::Replaced } else { Reason::Duplicate };
                self.close(now, other, reason, Cause::Here(reason));
            }
        }
        let (Some(link), Some(peer)) = (self.links.get_mut(&session), self.peers.get_mut(name))
        else {
            return;
        };
        link.stage = Stage::Up;
        peer.up = Some(Up { session, since: now, number });
        peer.dial_at = None;
        let node = peer.node.clone();
        self.emit(Event::Up { node, session });
    }

    /// A newer life of a known name: what belongs to the old one ends.
    pub(super) fn renew(&mut self, now: Instant, node: &NodeId) {
        let up = self.peers.get(&node.name).and_then(|peer| peer.up);
        if let Some(Up { session, .. }) = up {
            self.close(now, session, Reason::Replaced, Cause::Here(Reason::Replaced));
        }
        if let Some(peer) = self.peers.get_mut(&node.name) {
            peer.node = node.clone();
            peer.lost = None;
            peer.backoff = Backoff::default();
        }
    }
}
