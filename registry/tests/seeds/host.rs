//! A whole node in the world: the machine on its sessions, and a failure detector that is wrong
//! whenever the network makes it so.

use crate::member::Member;
use crate::news::{Frame, News};
use crate::truth::Shared;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Instant, NodeId, Session};
use swarm_sim::{Effect, Host, Meshed, SessionInput};

pub(crate) struct SimNode {
    mesh: Meshed<Member>,
    truth: Shared,
    others: Vec<SocketAddr>,
    /// When each life that is held alive was heard last.
    heard: BTreeMap<NodeId, Instant>,
    beat_at: Instant,
    beats: VecDeque<SocketAddr>,
}

impl SimNode {
    /// A node at `addr` among nodes at `addrs`.
    pub(crate) fn new(
        now: Instant,
        addr: SocketAddr,
        addrs: &[SocketAddr],
        member: Member,
        truth: Shared,
    ) -> Self {
        let id = member.me().clone();
        Self {
            mesh: Meshed::new(now, addr, id, member, addrs.iter().copied()),
            truth,
            others: addrs.iter().copied().filter(|other| *other != addr).collect(),
            heard: BTreeMap::new(),
            beat_at: now,
            beats: VecDeque::new(),
        }
    }

    pub(crate) const fn member(&self) -> &Member {
        &self.mesh.machine
    }

    pub(crate) const fn member_mut(&mut self) -> &mut Member {
        &mut self.mesh.machine
    }

    /// A life says that it is there. Of a life that is over it comes too late, and is passed over
    /// as membership does it.
    fn hear(&mut self, now: Instant, from: NodeId) {
        let newest = self.heard.keys().filter(|other| other.name == from.name).max();
        if newest.is_some_and(|newest| *newest > from) || !self.truth.borrow().runs(&from) {
            return;
        }
        self.heard.retain(|other, _| other.name != from.name || *other == from);
        if self.heard.insert(from.clone(), now).is_none() {
            self.mesh.machine.node_up(now, from);
        }
    }

    /// Who has been silent for too long is dead, one after the other.
    fn bury(&mut self, now: Instant) {
        let first = self.heard.iter().min_by_key(|(_, last)| **last);
        let silent = first.filter(|(_, last)| **last + DEAD_AFTER <= now);
        if let Some(node) = silent.map(|(node, _)| node.clone()) {
            self.heard.remove(&node);
            self.mesh.machine.node_dead(now, &node);
        }
    }
}

impl Host for SimNode {
    /// A sign of life.
    type Datagram = NodeId;
    type Frame = Frame;
    type Identity = NodeId;
    type Event = News;

    fn identity(&self) -> NodeId {
        self.mesh.identity()
    }

    fn handle_datagram(&mut self, now: Instant, _: SocketAddr, from: NodeId) {
        self.hear(now, from);
    }

    fn handle_session(
        &mut self,
        now: Instant,
        session: Session,
        input: SessionInput<Frame, NodeId>,
    ) {
        self.mesh.handle_session(now, session, input);
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.beat_at <= now {
            self.beat_at = now + BEAT;
            self.beats.extend(&self.others);
        }
        self.bury(now);
        self.mesh.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let silent = self.heard.values().min().map(|last| *last + DEAD_AFTER);
        self.mesh.poll_timeout().into_iter().chain(silent).chain([self.beat_at]).min()
    }

    fn poll_effect(&mut self) -> Option<Effect<NodeId, Frame, News>> {
        if let Some(to) = self.beats.pop_front() {
            return Some(Effect::Datagram { to, datagram: self.identity() });
        }
        Some(match self.mesh.poll_effect()? {
            Effect::Datagram { .. } => unreachable!("a mesh has sessions only"),
            Effect::Dial { session, to } => Effect::Dial { session, to },
            Effect::Frame { session, frame } => Effect::Frame { session, frame },
            Effect::Close { session } => Effect::Close { session },
            Effect::Event(event) => Effect::Event(event),
        })
    }
}

const BEAT: Duration = Duration::from_millis(250);

/// Long enough for all but the worst networks.
const DEAD_AFTER: Duration = Duration::from_millis(2_500);
