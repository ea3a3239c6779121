//! What a node tells its shell.

use super::Stop;
use super::settings::Differs;
use super::wire::Outcome;
use crate::Escalation;
use std::net::SocketAddr;
use std::sync::Arc;
use swarm_base::{Boot, Name, NodeId, Pid, Session, Token};
use swarm_handoff::MoveId;
use swarm_process::{Intensity, Restart, Rival};

/// What a node tells its shell.
#[derive(Debug)]
pub(crate) enum Event {
    /// Open a connection; `Node::session_opened` or `session_failed` answers.
    Dial { session: Session, node: NodeId, address: SocketAddr },
    /// Close a connection.
    Close { session: Session, reason: swarm_link::Reason },
    /// Messages for the processes of `node` can go over `session`.
    SessionUp { node: NodeId, session: Session },
    /// They no longer can; and why.
    SessionDown { node: NodeId, session: Session, why: swarm_link::Cause },
    /// A node is dead, or has left, for good: whoever waits for it learns so.
    NodeDown { boot: Boot, how: Gone },
    /// The member list changed.
    Members,
    /// Something changed that the views of names and groups show.
    Facts(swarm_registry::Event),
    /// A command for the processes of this node.
    Process(Command),
    /// A caller's question is answered.
    Answer { id: u64, outcome: Outcome },
    /// Something that users hear of.
    Public(crate::Event),
    /// This many managed names are still here, of so many at the start of the drain; and how it
    /// ended, once it has.
    Draining { left: usize, total: usize, end: Option<Drained> },
    /// A seed has handed over the whole member list.
    Merged,
    /// The others know that this node has left.
    Departed,
    /// Another live node has this node's name: it must stop.
    NameTaken { holder: SocketAddr },
    /// All nodes of the cluster differ from this one in a setting that all must share: it must stop.
    SettingsDiffer(Differs),
    /// Most nodes of the cluster differ from this one, and it is not known yet in what.
    MeetsOthers,
    /// Peers remember a later life of this node's name: it must take a boot above it.
    BootBehind { remembered: Boot },
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drained {
    /// Nothing is left.
    Empty,
    /// Nobody takes what is left.
    Nowhere,
    /// The time was over.
    Overdue,
    /// It was called off: the node is to be ready, or not ready, without it.
    Cancelled,
}

/// How a node went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// Without a word: calls to it fail.
    Dead,
    /// After a goodbye: what it had not answered itself it has passed on.
    Left,
}

/// A command for the processes of this node.
#[derive(Debug)]
pub(crate) enum Command {
    /// Start a worker; `Node::started` answers with the ticket.
    Start { ticket: u64, name: Name, kind: Arc<str>, args: Vec<u8>, token: Token, mode: Mode },
    /// Nobody waits for this start any more: end it.
    Abandon { ticket: u64 },
    /// Ask the worker for its state and let it handle nothing more; `Node::frozen` answers.
    Freeze { freeze: Freeze, pid: Pid },
    /// Go on as before.
    Thaw { pid: Pid },
    /// End the process and hand over its messages, in order; `Node::taken` answers. What is
    /// still sent to it goes to `name` on `to`.
    Take { id: MoveId, pid: Pid, name: Name, to: NodeId },
    /// Run a standby, with these messages before its own; `Node::promoted` answers.
    Promote { id: MoveId, pid: Pid, token: Token, mails: Vec<Vec<u8>> },
    /// Hand more messages of its old process to a process.
    Deliver { pid: Pid, mails: Vec<Vec<u8>> },
    /// End a standby.
    Discard { pid: Pid },
    /// End a process.
    Stop { pid: Pid, how: Stop },
    /// The process has a higher token.
    Retoken { pid: Pid, token: Token },
    /// Give the surviving copy of a name the state of the one that ends; `Node::resolved` answers.
    Resolve { name: Name, loser: Pid, pid: Pid, state: Vec<u8>, rival: Rival },
}

/// How a worker begins.
#[derive(Debug)]
pub(crate) enum Mode {
    /// For the first time, or again without state.
    Fresh,
    /// Held back until it is promoted, with the state of the process that it replaces.
    Standby { state: Option<Vec<u8>> },
    /// Again on this node, with the state that its move had taken and the messages it had left.
    Resumed { state: Option<Vec<u8>>, mails: Vec<Vec<u8>> },
}

/// What a process is frozen for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Freeze {
    /// A move of this name.
    Move(MoveId, Name),
    /// It is the copy of this name that ends, as it was asked to so many times.
    Conflict(Name, u64),
}

/// What a frozen process answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frozen {
    /// It stays where it is.
    Ignore,
    /// It starts anew elsewhere.
    Restart,
    /// It goes on elsewhere, with this state.
    Resume(Vec<u8>),
    /// It did not answer in time, or its answer panicked or could not be encoded.
    Failed(String),
}

/// The restart policy of a kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) restart: Restart,
    pub(crate) intensity: Intensity,
    pub(crate) escalation: Escalation,
}
