//! Both ends of the move protocol in one machine.
//!
//! ```text
//! source                                   target
//! begin → Freeze … frozen → LogMoving
//!                          Offer ────────→ Build … built
//!                          (or, where the state is large, in chunks:
//!                          Announce ─────→
//!                          ←── ChunkTaken
//!                          Chunk, Chunk …→
//!                          ←── ChunkTaken  Build … built, when all of it is here)
//!   Stop … stopped ←────── Ready (Refused)
//!                          Mails ────────→
//!                          ←── MailsTaken       (as long as more than one part is left)
//!                          Commit ───────→ Promote … promoted
//!   Moved ←─────────────── Ack   (Nack)
//!                          Done ─────────→ forgets
//! ```
//!
//! The source alone decides while it lives: until it has read `Ready` it can take everything back
//! (`Abort`), afterwards it keeps the snapshot until it has read `Ack`. The target promotes on a
//! commit, never on a timer of its own. After the source's death its log decides: see
//! [`MoveEvent::SourceDied`].
//!
//! Nothing relies on order: what is large travels on another stream than its abort or commit.

use super::event::MoveEvent;
use super::source::{Source, SourcePhase};
use super::target::{Target, TargetPhase};
use crate::config::Checked;
use crate::message::{MoveId, MoveMessage};
use std::collections::{BTreeSet, VecDeque};
use swarm_base::{Instant, Machine, Name, NodeId, Output, Rng};

/// The moves of this node's processes to others, and of others' to here.
///
/// Answers to events carry the move's id; an answer about a move that is over does nothing.
#[derive(Debug)]
pub struct Moves {
    pub(super) config: Checked,
    pub(super) me: NodeId,
    pub(super) rng: Rng,
    pub(super) sessions: BTreeSet<NodeId>,
    pub(super) source: Source,
    pub(super) target: Target,
    outputs: VecDeque<Output<NodeId, MoveMessage, MoveEvent>>,
}

impl Moves {
    /// A machine without moves, which accepts offers.
    #[must_use]
    pub fn new(now: Instant, config: Checked, me: NodeId, rng: Rng) -> Self {
        Self {
            config,
            me,
            rng,
            sessions: BTreeSet::new(),
            source: Source::default(),
            target: Target::new(now),
            outputs: VecDeque::new(),
        }
    }

    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &Checked {
        &self.config
    }

    /// A session with `node` is up: what is due is said again.
    pub fn session_up(&mut self, now: Instant, node: &NodeId) {
        self.sessions.insert(node.clone());
        self.source_session_up(now, node);
        self.target_session_up(now, node);
    }

    /// The session with `node` is gone. Its moves wait for the next one, or for a timeout.
    pub fn session_down(&mut self, _now: Instant, node: &NodeId) {
        self.sessions.remove(node);
    }

    /// `node` lives after all, on a session that has stayed up: its offers are taken again.
    /// [`session_up`](Self::session_up) says the same.
    pub fn node_up(&mut self, _now: Instant, node: &NodeId) {
        self.target.exhume(node);
    }

    /// `node` is dead: moves to it are taken back, or resumed where the commit was out. Standbys
    /// from it wait for a decision ([`MoveEvent::SourceDied`]). Claims in its log that are known
    /// count as acknowledgements: tell them first ([`claim_seen`](Self::claim_seen)).
    pub fn node_dead(&mut self, now: Instant, node: &NodeId) {
        self.target_died(now, node);
        self.source_died(now, node);
    }

    /// Which end of a move of `name` this node is, if any.
    #[must_use]
    pub fn of(&self, name: &Name) -> Option<Role> {
        self.role_of_source(name).or_else(|| self.role_of_target(name))
    }

    pub(super) fn emit(&mut self, event: MoveEvent) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Answers whoever has just said something: a session is there.
    pub(super) fn reply(&mut self, to: NodeId, message: MoveMessage) {
        self.outputs.push_back(Output::Send { to, message });
    }

    /// Sends on a session that is up. Otherwise it is said again when one comes up.
    pub(super) fn send(&mut self, to: &NodeId, message: MoveMessage) {
        if self.sessions.contains(to) {
            self.reply(to.clone(), message);
        }
    }
}

impl Machine for Moves {
    type Peer = NodeId;
    type Message = MoveMessage;
    type Event = MoveEvent;

    fn handle_message(&mut self, now: Instant, from: NodeId, message: MoveMessage) {
        // Who numbered the move tells who may say what about it.
        let source = message.id().source;
        match message {
            MoveMessage::Offer { .. }
            | MoveMessage::Announce { .. }
            | MoveMessage::Chunk { .. }
            | MoveMessage::Mails { .. }
            | MoveMessage::Commit { .. }
            | MoveMessage::Abort { .. }
            | MoveMessage::Done { .. }
                if source == from.boot =>
            {
                self.handle_as_target(now, from, message);
            }
            MoveMessage::Ready { .. }
            | MoveMessage::Refused { .. }
            | MoveMessage::ChunkTaken { .. }
            | MoveMessage::MailsTaken { .. }
            | MoveMessage::Ack { .. }
            | MoveMessage::Nack { .. }
            | MoveMessage::Query { .. }
                if source == self.me.boot =>
            {
                self.handle_as_source(now, from, message);
            }
            _ => (),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.source_timeout(now);
        self.target_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let source = self.source.poll_timeout();
        source.into_iter().chain(self.target.poll_timeout(&self.config)).min()
    }

    fn poll_output(&mut self) -> Option<Output<NodeId, MoveMessage, MoveEvent>> {
        self.outputs.pop_front()
    }
}

/// Whether this node takes processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accepting {
    /// It does.
    #[default]
    Yes,
    /// Not at the moment. Standbys that are here may still be run.
    NotReady,
    /// No more: standbys are thrown away, and a late commit is declined.
    Leaving,
}

/// Which end of a move this node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// The process leaves this node.
    Source {
        /// Which move.
        id: MoveId,
        /// The target.
        to: NodeId,
        /// How far it is.
        phase: SourcePhase,
    },
    /// The process comes to this node.
    Target {
        /// Which move.
        id: MoveId,
        /// The source.
        from: NodeId,
        /// How far it is.
        phase: TargetPhase,
    },
}
