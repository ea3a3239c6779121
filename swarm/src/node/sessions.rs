//! Members and sessions: who is there, and who can be talked to.

use super::event::Gone;
use super::{Event, Node, NodeMeta};
use crate::Event as Public;
use std::net::SocketAddr;
use swarm_base::{Instant, NodeId, Session};
use swarm_link::{Cause, Identity};
use swarm_swim::{Event as Swim, Member};

impl Node {
    /// The transport of a session is up at this end.
    pub(crate) fn session_opened(
        &mut self,
        now: Instant,
        session: Session,
        identity: Identity,
        peer: SocketAddr,
    ) {
        self.links.handle_opened(now, session, identity, peer);
        self.settle_peers(now);
        self.touch(now);
    }

    /// A session could not be opened.
    pub(crate) fn session_failed(&mut self, now: Instant, session: Session, why: Cause) {
        self.links.handle_failed(now, session, why);
        self.settle_peers(now);
        self.touch(now);
    }

    /// A session is no more.
    pub(crate) fn session_closed(&mut self, now: Instant, session: Session, why: Cause) {
        self.links.handle_closed(now, session, why);
        self.settle_peers(now);
        self.touch(now);
    }

    /// The idle stream to a member was closed by its system.
    pub(crate) fn stream_closed(&mut self, now: Instant, member: &NodeId) {
        self.swim.hint_closed(now, member);
        self.settle_peers(now);
        self.touch(now);
    }

    /// A packet to a member was refused by its system.
    pub(crate) fn packet_refused(&mut self, now: Instant, member: &NodeId) {
        self.swim.hint_refused(now, member);
        self.settle_peers(now);
        self.touch(now);
    }

    pub(super) fn on_member(&mut self, now: Instant, event: Swim) {
        match event {
            Swim::Joined(member) => {
                let up = self.member_up(now, &member);
                if up {
                    self.tell(Public::NodeUp { node: member.id.clone() });
                }
            }
            Swim::Updated(member) => {
                self.member_up(now, &member);
            }
            Swim::Suspected { node, .. } | Swim::Refuted { node }
                if self.kept_out.contains(&node) => {}
            Swim::Suspected { node, by } => self.tell(Public::NodeSuspected { node, by }),
            Swim::Refuted { node } => self.tell(Public::NodeRefuted { node }),
            Swim::Failed { node, .. } | Swim::Left { node } if self.kept_out.remove(&node) => {
                self.links.member_gone(now, &node);
            }
            Swim::Failed { node, .. } => {
                self.member_down(now, &node, Gone::Dead);
                self.tell(Public::NodeDown { node });
            }
            Swim::Left { node } => {
                self.member_down(now, &node, Gone::Left);
                self.tell(Public::NodeLeft { node });
            }
            Swim::Merged if self.waits_for_settings(now) => (),
            Swim::Merged => {
                self.emit(Event::Merged);
                if self.alone_until.take().is_some() {
                    self.ring_changed(now);
                }
            }
            Swim::NameTaken { holder } => self.emit(Event::NameTaken { holder }),
            Swim::BootBehind { remembered } => self.emit(Event::BootBehind { remembered }),
            Swim::Departed => self.emit(Event::Departed),
            // What a later version of the layer tells is nothing that this one waits for.
            #[allow(unreachable_patterns)]
            _ => (),
        }
        self.emit(Event::Members);
    }

    /// A member is alive. Tells whether it is one of ours; what is not is left alone.
    fn member_up(&mut self, now: Instant, member: &Member) -> bool {
        if member.id == self.me {
            return false;
        }
        let Ok(meta) = NodeMeta::decode(member.metadata.as_bytes()) else { return false };
        self.links.member_up(now, member.id.clone(), meta.link);
        self.kept_out.retain(|node| node.name != member.id.name);
        if !self.shares_settings(&meta) {
            self.kept_out.insert(member.id.clone());
            return false;
        }
        self.registry.node_up(now, member.id.clone());
        self.moves.node_up(now, &member.id);
        let known = self.placing.member(&member.id).is_some();
        let name = &member.id.name;
        let took_names = self.placing.takes_names(name);
        if self.placing.update(&member.id, meta) {
            match (took_names, self.placing.takes_names(name)) {
                (false, true) => self.reconciler.node_joined(now, name),
                (true, false) => self.reconciler.node_left(now, name),
                _ => (),
            }
            self.moves.target_changed(&member.id);
            self.ring_changed(now);
        }
        !known
    }

    fn member_down(&mut self, now: Instant, node: &NodeId, how: Gone) {
        // Before whoever waits for the node hears of it: nobody looks for it any more.
        self.emit(Event::Members);
        self.links.member_gone(now, node);
        self.registry.node_dead(now, node);
        // A claim of the dead node that is known here is its acknowledgement of a move.
        self.settle_facts(now);
        self.moves.node_dead(now, node);
        self.conflicts_of_dead(now, node);
        self.asks_of_dead(now, node);
        if how == Gone::Left {
            self.hold_no_longer(node);
        }
        let took_names = self.placing.takes_names(&node.name);
        if self.placing.remove(node) {
            if took_names {
                self.reconciler.node_left(now, &node.name);
            }
            self.ring_changed(now);
        }
        self.emit(Event::NodeDown { boot: node.boot, how });
    }

    pub(super) fn on_link(&mut self, now: Instant, event: swarm_link::Event) {
        use swarm_link::Event as Link;
        match event {
            Link::Dial { session, node, address } => {
                self.emit(Event::Dial { session, node, address });
            }
            Link::Close { session, reason } => self.emit(Event::Close { session, reason }),
            Link::Up { node, session } => {
                self.registry.session_up(now, node.clone());
                self.agreement.session_up(now, &node);
                for under in &mut self.under {
                    under.machine.session_up(now, &node);
                }
                self.moves.session_up(now, &node);
                self.emit(Event::SessionUp { node: node.clone(), session });
                self.conflicts_session_up(now, &node);
                self.reconsider_all(now);
            }
            Link::Down { node, session, why } => {
                self.registry.session_down(now, &node);
                self.agreement.session_down(now, &node);
                for under in &mut self.under {
                    under.machine.session_down(now, &node);
                }
                self.moves.session_down(now, &node);
                self.swim.hint_silent(now, &node);
                self.emit(Event::SessionDown { node: node.clone(), session, why });
                self.asks_unsent(now, &node);
            }
            Link::Refused { name, address, why, .. } => {
                self.refused(now, &name, &why);
                let reason = why.to_string();
                self.tell(Public::LinkRefused { peer: name, address, reason });
            }
        }
    }
}
