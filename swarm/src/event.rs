//! What a node tells its users about the cluster.

use crate::hub::{Next, Reader};
use crate::scope::InScope;
use futures_core::Stream;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use swarm_base::{Boot, Name, NodeId, NodeName, Pid};

/// Something that happened, as this node saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A node joined, or is back after it had been held dead.
    NodeUp {
        /// The node.
        node: NodeId,
    },
    /// A node does not answer. It stays a member until it is declared dead.
    NodeSuspected {
        /// The node.
        node: NodeId,
        /// The first that suspected it.
        by: NodeId,
    },
    /// A suspected node has answered.
    NodeRefuted {
        /// The node.
        node: NodeId,
    },
    /// A node is held dead: its names are started elsewhere.
    NodeDown {
        /// The node.
        node: NodeId,
    },
    /// A node said goodbye.
    NodeLeft {
        /// The node.
        node: NodeId,
    },
    /// A live node of the cluster has this node's name: this node stops. Only where no seed had
    /// answered by the end of its start, which otherwise fails with this.
    NameTaken {
        /// Where its holder gossips.
        holder: SocketAddr,
    },
    /// The nodes of the cluster differ from this one in a setting that all must share: this node
    /// stops. Only where none of them had said so by the end of its start, which otherwise fails with
    /// this.
    SettingsDiffer {
        /// One of them.
        peer: NodeName,
        /// The setting.
        setting: String,
        /// What it is set to on this node.
        here: String,
        /// What it is set to on the other.
        there: String,
    },
    /// The cluster remembers a later life of this node, whose clock was set back: this node stops,
    /// and can be started again. Only where no seed had answered by the end of its start.
    BootBehind {
        /// The latest that is remembered.
        remembered: Boot,
    },
    /// A peer was refused, or refused this node: also one that differs in a setting that all must
    /// share, whenever it is tried again.
    LinkRefused {
        /// Who was dialled, or whose certificate it is.
        peer: NodeName,
        /// Where it is.
        address: SocketAddr,
        /// What is wrong, in a sentence.
        reason: String,
    },
    /// A worker was registered on this node.
    NameRegistered {
        /// Its name.
        name: Name,
        /// The process.
        pid: Pid,
    },
    /// A worker was started again on this node: it had crashed, or its node had died.
    NameRestarted {
        /// Its name.
        name: Name,
        /// The new process.
        pid: Pid,
    },
    /// A worker of this node ended, and its name with it.
    NameReleased {
        /// Its name.
        name: Name,
        /// The process that had it.
        pid: Pid,
    },
    /// A worker of this node crashed too often, or could not be started again: its name is free.
    NameLost {
        /// Its name.
        name: Name,
        /// What it died of last.
        reason: String,
    },
    /// A worker of this node crashed too often, and another node is to run it, as the kind's
    /// [`ESCALATION`](crate::Worker::ESCALATION) says.
    NameEscalated {
        /// Its name.
        name: Name,
        /// What it died of last.
        reason: String,
        /// Who is asked to.
        to: NodeId,
    },
    /// A process joined a group.
    GroupJoined {
        /// The group.
        group: Name,
        /// The process.
        pid: Pid,
    },
    /// A process left a group, or died.
    GroupLeft {
        /// The group.
        group: Name,
        /// The process.
        pid: Pid,
    },
    /// A worker of this node is on its way to another.
    MoveBegun {
        /// Its name.
        name: Name,
    },
    /// A worker of this node runs on another one now.
    NameMoved {
        /// Its name.
        name: Name,
        /// Where.
        to: NodeId,
        /// From the first step to the last.
        took: Duration,
    },
    /// A worker stays on this node after all.
    MoveEnded {
        /// Its name.
        name: Name,
        /// Why, in words.
        outcome: String,
        /// From the first step to the last.
        took: Duration,
    },
    /// Two processes had one name, and the one on this node ended or lost it.
    ConflictResolved {
        /// The name.
        name: Name,
        /// The node whose process has it.
        kept: NodeId,
    },
    /// Two processes had one name, one of them ended, and its state is lost: the other one on this
    /// node could not take it in, or it was on this node and too large to be handed over.
    ConflictStateLost {
        /// The name.
        name: Name,
        /// Why, in words.
        reason: String,
    },
    /// The resolver of a kind panicked. The claims decide which copy of the name stays, as they do
    /// without one.
    ResolverFailed {
        /// The name.
        name: Name,
        /// What it said.
        reason: String,
    },
    /// Not all nodes agreed on who owns what in time. This one goes on without them.
    AgreementOverdue {
        /// Those that did not answer.
        missing: Vec<NodeId>,
    },
    /// Too few nodes stand with this one: what the ring had placed here stops, and its names are
    /// kept.
    QuorumLost {
        /// The scope whose names are meant; `None` for those in none.
        scope: Option<String>,
        /// How many nodes it sees, itself among them. As many as it takes or more, where they do
        /// not see each other alike.
        have: usize,
        /// How many it takes.
        want: usize,
    },
    /// Enough nodes stand with this one again: the names that were kept run again.
    QuorumRegained {
        /// The scope whose names are meant; `None` for those in none.
        scope: Option<String>,
    },
    /// There are more nodes than 2 · quorum − 1, with which two sides of a partition could both
    /// hold the quorum. The newest beyond that many host nothing in the scope and do not count; one
    /// of them takes the seat of a node that says goodbye. Told by every node, whenever the number
    /// changes. Choose a larger quorum, or stop nodes.
    TooManyNodes {
        /// The scope whose nodes are meant; `None` for the nodes of the cluster.
        scope: Option<String>,
        /// How many nodes there are, with those that have died and not said goodbye: they may be
        /// on the other side of a partition.
        have: usize,
        /// How many count, and may host names.
        most: usize,
    },
    /// The strategy of this node panicked. Asked who owns a name, it is taken to have said nobody;
    /// told of nodes, it is replaced by a new one. Where that panics, too, no name of the kind has
    /// an owner here until a node comes or goes. What runs is left alone. Told once for each change
    /// of the kind's nodes.
    StrategyFailed {
        /// The scope of the kind; `None` for one in none.
        scope: Option<String>,
        /// The kind whose names it places.
        kind: String,
        /// What it said first.
        reason: String,
    },
    /// The subscriber was too slow, and the oldest events were dropped.
    Lagged {
        /// How many.
        missed: u64,
    },
}

impl Event {
    /// Whether those hear of it who listen in `scope`: of its own names and groups, and of nodes.
    pub(crate) fn is_for(&self, scope: &InScope) -> bool {
        match self {
            Self::NameRegistered { name, .. }
            | Self::NameRestarted { name, .. }
            | Self::NameReleased { name, .. }
            | Self::NameLost { name, .. }
            | Self::NameEscalated { name, .. }
            | Self::GroupJoined { group: name, .. }
            | Self::GroupLeft { group: name, .. }
            | Self::MoveBegun { name }
            | Self::NameMoved { name, .. }
            | Self::MoveEnded { name, .. }
            | Self::ConflictResolved { name, .. }
            | Self::ConflictStateLost { name, .. }
            | Self::ResolverFailed { name, .. } => scope.holds(name.as_bytes()),
            Self::QuorumLost { scope: of, .. }
            | Self::QuorumRegained { scope: of }
            | Self::TooManyNodes { scope: of, .. }
            | Self::StrategyFailed { scope: of, .. } => scope.is(of.as_deref()),
            Self::NodeUp { .. }
            | Self::NodeSuspected { .. }
            | Self::NodeRefuted { .. }
            | Self::NodeDown { .. }
            | Self::NodeLeft { .. }
            | Self::NameTaken { .. }
            | Self::SettingsDiffer { .. }
            | Self::BootBehind { .. }
            | Self::LinkRefused { .. }
            | Self::AgreementOverdue { .. }
            | Self::Lagged { .. } => true,
        }
    }
}

/// A subscription to the events of a node. Holds at most 4,096 events that were not read yet.
#[derive(Debug)]
pub struct Events(pub(crate) Reader<Event>);

/// How many events wait for a slow subscriber.
pub(crate) const EVENTS_MAX: usize = 4_096;

impl Events {
    /// The next event; `None` once the node has stopped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        Poll::Ready(match ready!(self.0.poll_next(cx)) {
            Next::Item(event) => Some(event),
            Next::Missed(missed) => Some(Event::Lagged { missed }),
            Next::Closed => None,
        })
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.get_mut().poll(cx)
    }
}
