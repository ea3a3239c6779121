//! One end of moves, which hears what it is told, and what it said.

use super::{at, id, name, node, token};
use bytes::Bytes;
use swarm_base::{Machine, NodeId, Output, Rng, Token};
use swarm_handoff::{
    AbortReason, Busy, Cancelled, Config, DiscardReason, Frozen, MoveEvent, MoveId, MoveMessage,
    MoveOutcome, Moves, Offer,
};

/// An output without what every event repeats.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    Send(MoveMessage),
    Freeze,
    LogMoving,
    Thaw(MoveOutcome),
    Stop,
    Moved,
    Resume { above: Token, mails: usize },
    Build,
    Promote { mails: usize },
    Discard(DiscardReason),
    SourceDied,
    Deliver { mails: usize },
    Ended(MoveOutcome),
}

/// One end of moves.
pub(crate) struct Node {
    pub(crate) moves: Moves,
}

impl Node {
    pub(crate) fn new(text: &str) -> Self {
        Self::with(text, Config::default())
    }

    pub(crate) fn with(text: &str, config: Config) -> Self {
        let config = config.check().expect("sound settings");
        let mut moves = Moves::new(at(0), config, node(text), Rng::new(1));
        for other in ["s", "t", "u"].into_iter().filter(|other| *other != text) {
            moves.session_up(at(0), &node(other));
        }
        Self { moves }
    }

    /// Two mails make a part.
    pub(crate) fn parts(text: &str) -> Self {
        Self::with(text, Config { mails_max: 2, ..Config::default() })
    }

    /// A move whose process has ended, with five mails.
    pub(crate) fn stopped(&mut self, text: &str, to: &str) -> MoveId {
        let id = self.offered(text, to);
        self.hears(to, MoveMessage::Ready { id });
        self.said();
        self.moves.stopped(at(0), id, token(2), five_mails());
        id
    }

    pub(crate) fn begin(&mut self, text: &str, to: &str) -> Result<MoveId, Busy> {
        self.moves.begin(at(0), name(text), node(to))
    }

    pub(crate) fn frozen(&mut self, id: MoveId, outcome: Frozen) {
        self.moves.frozen(at(0), id, outcome);
    }

    pub(crate) fn cancel(&mut self, text: &str) -> Cancelled {
        self.moves.cancel(at(0), &name(text), AbortReason::Stopped)
    }

    pub(crate) fn hears(&mut self, from: &str, message: MoveMessage) {
        self.moves.handle_message(at(0), node(from), message);
    }

    pub(crate) fn said(&mut self) -> Vec<Said> {
        std::iter::from_fn(|| self.moves.poll_output()).map(said).collect()
    }

    /// A move whose offer is out.
    pub(crate) fn offered(&mut self, text: &str, to: &str) -> MoveId {
        let id = self.begin(text, to).expect("begins");
        self.frozen(id, Frozen::Ready(offer(text, 1)));
        self.said();
        id
    }

    /// A move whose commit is out, with one mail and token 2.
    pub(crate) fn committed(&mut self, text: &str, to: &str) -> MoveId {
        let id = self.offered(text, to);
        self.hears(to, MoveMessage::Ready { id });
        self.moves.stopped(at(0), id, token(2), vec![Bytes::new()]);
        self.said();
        id
    }

    /// A standby of the name `n` that is ready.
    pub(crate) fn standby(&mut self, from: &str, serial: u64) -> MoveId {
        self.standby_of("n", from, serial)
    }

    pub(crate) fn standby_of(&mut self, text: &str, from: &str, serial: u64) -> MoveId {
        let id = id(from, serial);
        self.hears(from, MoveMessage::Offer { id, offer: offer(text, 1) });
        self.moves.built(at(0), id, Ok(()));
        self.said();
        id
    }
}

pub(crate) fn five_mails() -> Vec<Bytes> {
    ["0", "1", "2", "3", "4"].map(Bytes::from).to_vec()
}

fn said(output: Output<NodeId, MoveMessage, MoveEvent>) -> Said {
    match output {
        Output::Send { message, .. } => Said::Send(message),
        Output::Event(event) => match event {
            MoveEvent::Freeze { .. } => Said::Freeze,
            MoveEvent::LogMoving { .. } => Said::LogMoving,
            MoveEvent::Thaw { why, .. } => Said::Thaw(why),
            MoveEvent::Stop { .. } => Said::Stop,
            MoveEvent::Moved { .. } => Said::Moved,
            MoveEvent::Resume { above, mails, .. } => Said::Resume { above, mails: mails.len() },
            MoveEvent::Build { .. } => Said::Build,
            MoveEvent::Promote { mails, .. } => Said::Promote { mails: mails.len() },
            MoveEvent::Discard { why, .. } => Said::Discard(why),
            MoveEvent::SourceDied { .. } => Said::SourceDied,
            MoveEvent::Deliver { mails, .. } => Said::Deliver { mails: mails.len() },
            MoveEvent::Ended { outcome, .. } => Said::Ended(outcome),
        },
    }
}

pub(crate) fn offer(text: &str, len: usize) -> Offer {
    Offer {
        name: name(text),
        kind: "kind".into(),
        args: Bytes::new(),
        token: token(1),
        groups: Vec::new(),
        state: Some(Bytes::from(vec![0; len])),
    }
}
