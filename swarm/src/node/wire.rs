//! What nodes say to each other on the control stream of a session.

use crate::reference::Target;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use swarm_base::codec::{self, DecodeError, EncodeError, Limits};
use swarm_base::{Boot, Name, NodeId, NodeName, Pid, Scope, Token};
use swarm_process::Stage;
use swarm_registry::{Bytes, Encoded, Request, Spec};

/// One control frame.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Wire {
    /// The hello that makes a session one of the cluster's.
    #[serde(rename = "h")]
    Hello(swarm_link::Hello),
    /// Replication of facts.
    #[serde(rename = "f")]
    Facts(swarm_registry::Message),
    /// The same for facts of the sender's own log, which most are.
    #[serde(rename = "o")]
    Own(OwnFacts),
    /// Agreement on the ring.
    #[serde(rename = "g")]
    Agree(AgreeFrame),
    /// Who stands with whom, where a strategy wants a quorum.
    #[serde(rename = "v")]
    Vote(VoteFrame),
    /// Which nodes a quorum counts.
    #[serde(rename = "st")]
    Seats(SeatsFrame),
    /// The receiver is to start a name.
    #[serde(rename = "ad")]
    Adopt(Adopt),
    /// The sender does not take over the name that it was asked to.
    #[serde(rename = "na")]
    NotAdopted(NotAdopted),
    /// A move of a name.
    #[serde(rename = "m")]
    Move(swarm_handoff::MoveMessage),
    /// A question that its receiver answers, or knows another node for.
    #[serde(rename = "q")]
    Ask(AskFrame),
    /// Who is to be asked instead of the sender.
    #[serde(rename = "qr")]
    Referral(Referral),
    /// The answer to a question.
    #[serde(rename = "a")]
    Answer(AnswerFrame),
    /// The asker no longer waits for its receiver to answer the question with this number: it has
    /// its answer, gave up, or asks another node.
    #[serde(rename = "w")]
    Withdrawn(u64),
    /// One copy of a name too many is to end.
    #[serde(rename = "c")]
    Conflict(Conflict),
    /// The same, for a node that the sender has no session with: its receiver passes it on.
    #[serde(rename = "cr")]
    Relay(Relay),
    /// The same, passed on.
    #[serde(rename = "cp")]
    Relayed(Relayed),
}

impl Wire {
    /// What `me` has to say about facts.
    pub(crate) fn facts(message: swarm_registry::Message, me: &NodeId) -> Self {
        match message {
            swarm_registry::Message::Facts { log, first, count, facts } if log == *me => {
                Self::Own(OwnFacts { first, count, facts })
            }
            other => Self::Facts(other),
        }
    }

    /// The most bytes of a frame: the mail of a worker that moves, one message of which may have
    /// 16 MiB, or the state that a conflict hands over.
    pub(crate) const LEN_MAX: usize = 17 << 20;

    /// The bytes of the frame.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        codec::encode(self)
    }

    /// Reads a frame from a peer.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, Limits { items: 262_144, ..Limits::of_bytes(Self::LEN_MAX) })
    }
}

/// A name that its receiver is to start: because it waits at the sender, where it has crashed too
/// often, or because nobody runs it and it belongs there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Adopt {
    #[serde(rename = "n")]
    pub name: Name,
    /// Where it was tried before.
    #[serde(rename = "t", default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<NodeName>,
    /// How often it was asked before.
    #[serde(rename = "r", default)]
    pub round: u32,
}

/// The name waits where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct NotAdopted {
    #[serde(rename = "n")]
    pub name: Name,
    /// Of the question: a no to a former one is void, for the next may have had a yes.
    #[serde(rename = "r")]
    pub round: u32,
}

/// Who stands with whom, in a scope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct VoteFrame {
    #[serde(rename = "s", default, skip_serializing_if = "is_none")]
    pub scope: Scope,
    #[serde(rename = "m")]
    pub message: swarm_handoff::Vote,
}

/// Which nodes the quorum of a scope counts, as its sender knows them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SeatsFrame {
    #[serde(rename = "s", default, skip_serializing_if = "is_none")]
    pub scope: Scope,
    #[serde(rename = "m")]
    pub step: SeatsStep,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum SeatsStep {
    /// The sender waits for a seat, and wants to know whose are known.
    #[serde(rename = "a")]
    Ask,
    /// The answer.
    #[serde(rename = "t")]
    Told {
        /// That of the sender's ring.
        #[serde(rename = "h")]
        hash: u64,
        /// Who has a seat, live or not.
        #[serde(rename = "t", default)]
        taken: Vec<NodeId>,
        /// The first of those who wait.
        #[serde(rename = "w", default)]
        waiting: Vec<NodeId>,
    },
}

fn is_none(scope: &Scope) -> bool {
    scope.as_str().is_none()
}

/// What a node says about the ring, which counts only behind what it had written by then.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct AgreeFrame {
    /// How far the sender's own log went.
    #[serde(rename = "p")]
    pub position: u64,
    #[serde(rename = "m")]
    pub message: swarm_handoff::Agree,
}

/// A run of the sender's own log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OwnFacts {
    #[serde(rename = "p")]
    first: u64,
    #[serde(rename = "n")]
    count: u32,
    #[serde(rename = "f")]
    facts: Encoded,
}

impl OwnFacts {
    /// What `from` sent.
    pub(crate) fn message(self, from: &NodeId) -> swarm_registry::Message {
        let Self { first, count, facts } = self;
        swarm_registry::Message::Facts { log: from.clone(), first, count, facts }
    }
}

/// A question, on its way to the node that can answer it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ask {
    /// Who asked, and gets the answer.
    pub origin: NodeId,
    /// The origin's number for it.
    pub id: u64,
    /// How long the asker still waits, in milliseconds.
    pub left_ms: u64,
    /// How many nodes were asked, with the receiver.
    pub hops: u8,
    /// Whether the node that decides between several that want a name has let this one through.
    pub is_reserved: bool,
    /// What is asked.
    pub what: What,
}

impl Ask {
    /// How many nodes a question is put to at most, one after the other.
    pub(crate) const HOPS_MAX: u8 = 3;

    /// The id that makes a repeated `register` the same one.
    pub(crate) fn request(&self) -> Request {
        Request::new(self.origin.boot, self.id)
    }

    /// Which question it is, on every node.
    pub(crate) const fn key(&self) -> (Boot, u64) {
        (self.origin.boot, self.id)
    }

    /// How long the asker still waits.
    pub(crate) const fn left(&self) -> Duration {
        Duration::from_millis(self.left_ms)
    }
}

/// An [`Ask`] between two nodes: it is of the one that sends it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AskFrame {
    #[serde(rename = "i")]
    id: u64,
    #[serde(rename = "t", default = "usual_left_ms", skip_serializing_if = "is_usual_left_ms")]
    left_ms: u64,
    #[serde(rename = "p", default = "usual_hops", skip_serializing_if = "is_usual_hops")]
    hops: u8,
    #[serde(rename = "r", default, skip_serializing_if = "std::ops::Not::not")]
    is_reserved: bool,
    #[serde(rename = "w")]
    what: What,
}

/// The default deadline of a question that has just been asked.
const fn usual_left_ms() -> u64 {
    5_000
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_usual_left_ms(left_ms: &u64) -> bool {
    *left_ms == usual_left_ms()
}

/// Its asker named its receiver.
const fn usual_hops() -> u8 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_usual_hops(hops: &u8) -> bool {
    *hops == usual_hops()
}

impl AskFrame {
    /// The question as its asker sends it.
    pub(crate) fn new(ask: Ask) -> Self {
        let Ask { origin: _, id, left_ms, hops, is_reserved, what } = ask;
        Self { id, left_ms, hops, is_reserved, what }
    }

    /// The question that `origin` sent.
    pub(crate) fn ask(self, origin: NodeId) -> Ask {
        let Self { id, left_ms, hops, is_reserved, what } = self;
        Ask { origin, id, left_ms, hops, is_reserved, what }
    }
}

/// The sender does not answer a question: another node is to be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Referral {
    /// The asker's number of the question.
    #[serde(rename = "i")]
    pub id: u64,
    /// Who is to be asked.
    #[serde(rename = "t")]
    pub to: NodeId,
    /// Whether the sender decides between several that want the name, and lets this one through.
    #[serde(rename = "r", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_reserved: bool,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum What {
    /// Start and register a worker.
    #[serde(rename = "r")]
    Register {
        /// Its name.
        #[serde(rename = "n")]
        name: Name,
        /// Its kind and arguments.
        #[serde(rename = "s")]
        spec: Spec,
    },
    /// Register a process that runs at the receiver.
    #[serde(rename = "p")]
    RegisterPid {
        /// Its name.
        #[serde(rename = "n")]
        name: Name,
        /// The process.
        #[serde(rename = "p")]
        pid: Pid,
    },
    /// Take the name from the process that has it.
    #[serde(rename = "u")]
    Unregister {
        /// The name.
        #[serde(rename = "n")]
        name: Name,
    },
    /// End the process that has the name.
    #[serde(rename = "s")]
    Stop {
        /// The name.
        #[serde(rename = "n")]
        name: Name,
        /// How.
        #[serde(rename = "h")]
        how: Stop,
    },
    /// End a process of the receiver, which need not have a name.
    #[serde(rename = "k")]
    StopPid {
        /// The process.
        #[serde(rename = "p")]
        pid: Pid,
        /// How.
        #[serde(rename = "h")]
        how: Stop,
    },
    /// Who has the name, as its owner knows it.
    #[serde(rename = "w")]
    Whereis {
        /// The name.
        #[serde(rename = "n")]
        name: Name,
    },
    /// What is known only at the owner of the name of its starts.
    #[serde(rename = "e")]
    Explain {
        /// The name.
        #[serde(rename = "n")]
        name: Name,
    },
    /// Let a process join a group: whoever has the name, or one of the receiver.
    #[serde(rename = "j")]
    Join {
        /// The process.
        #[serde(rename = "p")]
        member: Target,
        /// The group.
        #[serde(rename = "g")]
        group: Name,
        /// What it says of itself in the group.
        #[serde(rename = "m", with = "serde_bytes")]
        meta: Vec<u8>,
    },
    /// Let a process that is in a group say something else of itself there, or whoever has a name
    /// something else of the name, if what is said is still this.
    #[serde(rename = "c")]
    Swap {
        /// The process.
        #[serde(rename = "p")]
        member: Target,
        /// The group; without one it is about the name.
        #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
        group: Option<Name>,
        /// What is said.
        #[serde(rename = "o")]
        old: Bytes,
        /// What is to be said.
        #[serde(rename = "m")]
        new: Bytes,
    },
    /// Let a process leave a group: whoever has the name, or one of the receiver.
    #[serde(rename = "l")]
    Leave {
        /// The process.
        #[serde(rename = "p")]
        member: Target,
        /// The group.
        #[serde(rename = "g")]
        group: Name,
    },
}

/// How a process is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stop {
    /// It takes no more messages, handles those that wait, for at most half of this time, and runs
    /// `die`; after this time it is killed.
    Graceful(Duration),
    /// At once, at its next await.
    Kill,
}

/// An answer, on its way to the asker.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    /// The asker's number of the question.
    pub id: u64,
    /// The asker has read its own write once it has read this log so far.
    pub at: Option<(NodeId, u64)>,
    /// What came of it.
    pub outcome: Outcome,
}

/// An [`Answer`] between two nodes: most speak of the log of the one that sends them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AnswerFrame {
    #[serde(rename = "i")]
    id: u64,
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    log: Option<NodeId>,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    #[serde(rename = "o", default, skip_serializing_if = "Outcome::is_registered")]
    outcome: Outcome,
}

impl AnswerFrame {
    /// The answer as `me` sends it.
    pub(crate) fn new(answer: Answer, me: &NodeId) -> Self {
        let Answer { id, at, outcome } = answer;
        let (log, position) = at.unzip();
        Self { id, log: log.filter(|log| log != me), position, outcome }
    }

    /// The answer that `from` sent.
    pub(crate) fn answer(self, from: &NodeId) -> Answer {
        let Self { id, log, position, outcome } = self;
        let at = position.map(|position| (log.unwrap_or_else(|| from.clone()), position));
        Answer { id, at, outcome }
    }
}

/// What came of a question.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// The worker runs, or the process has the name.
    #[default]
    #[serde(rename = "r")]
    Registered,
    /// Somebody else has the name.
    #[serde(rename = "a")]
    Already(Pid, Option<Arc<str>>),
    /// No node may run it.
    #[serde(rename = "n")]
    NoNode,
    /// `start` failed or panicked.
    #[serde(rename = "s")]
    StartFailed(String),
    /// The time was over; the text is the stage where it was spent.
    #[serde(rename = "t")]
    Timeout(Stage),
    /// Nobody has the name, or the process does not live.
    #[serde(rename = "f")]
    NotFound,
    /// Done.
    #[serde(rename = "d")]
    Done,
    /// Who has it.
    #[serde(rename = "w")]
    At(Option<Pid>),
    /// The process is not in the group.
    #[serde(rename = "m")]
    NotMember,
    /// This is said, and not what was expected.
    #[serde(rename = "x")]
    Differs(Bytes),
    /// There are as many names, or the process is in as many groups, as may be.
    #[serde(rename = "u")]
    Full(u64),
    /// What is known of the starts of the name.
    #[serde(rename = "e")]
    Told(Option<Told>),
}

/// What a node knows of the starts of a name, and its log does not say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// The node.
    #[serde(rename = "n")]
    pub node: NodeId,
    /// Whether it is starting the name.
    #[serde(rename = "s")]
    pub is_starting: bool,
    /// How many milliseconds ago nobody waited for a start any more, and whether it has ended.
    #[serde(rename = "l")]
    pub late: Option<(u64, bool)>,
}

impl Outcome {
    const fn is_registered(&self) -> bool {
        matches!(self, Self::Registered)
    }
}

/// The handshake that ends one of two copies of a name. It is bound to both exact claims:
/// anything about other claims is ignored, and so nobody stops for a process that ended meanwhile
/// (a model of the unbound handshake ends with nobody running).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Conflict {
    /// The name.
    #[serde(rename = "n")]
    pub name: Name,
    /// The claim that loses.
    #[serde(rename = "l")]
    pub loser: (Pid, Token),
    /// The claim that wins.
    #[serde(rename = "w")]
    pub winner: (Pid, Token),
    /// Which step this is.
    #[serde(rename = "s")]
    pub step: ConflictStep,
}

impl Conflict {
    /// The most bytes of a state that is handed over: it goes in one frame.
    pub(crate) const STATE_LEN_MAX: usize = 16 << 20;
}

/// A conflict message that its receiver is to pass on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Relay {
    #[serde(rename = "t")]
    pub to: NodeId,
    #[serde(rename = "c")]
    pub conflict: Conflict,
}

/// A conflict message that its sender has passed on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Relayed {
    #[serde(rename = "f")]
    pub from: NodeId,
    #[serde(rename = "c")]
    pub conflict: Conflict,
}

/// A step of the conflict handshake.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum ConflictStep {
    /// The loser is frozen; this is its state, if it hands one over.
    #[serde(rename = "s")]
    State(Option<serde_bytes::ByteBuf>),
    /// A resolver keeps neither: the loser is about to end, and the winner is to end as well.
    #[serde(rename = "b")]
    Neither,
    /// The winner runs and has what it was sent: the loser may stop.
    #[serde(rename = "y")]
    Yes,
    /// That process does not run: the loser goes on, and looks again.
    #[serde(rename = "n")]
    No,
}
