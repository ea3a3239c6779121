//! One node's log, as far as this node holds it, and the table of all of them.

use crate::history::History;
use crate::members::Members;
use crate::message;
use crate::snapshot::{Assembly, Building, Snapshot};
use crate::staged::Takeover;
use std::collections::BTreeMap;
use std::sync::Weak;
use swarm_base::{Boot, Instant, NodeId};

/// A log in this node's tables. Used again once its log is gone from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogId(u32);

impl LogId {
    pub(crate) const fn idx(self) -> usize {
        self.0 as usize
    }
}

/// This node's own log.
pub(crate) const OWN: LogId = LogId(0);

/// Whether what a log says counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Its node lives.
    Live,
    /// Its node is dead: its claims are orphans.
    Closed,
    /// Nobody has said yet that the node lives, or that it does not: its claims are kept and do
    /// not count.
    Unseen,
}

/// The log of one node, and the state that its facts make.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) node: NodeId,
    pub(crate) standing: Standing,
    /// How far it is applied.
    pub(crate) position: u64,
    /// The digest of its facts up to there.
    pub(crate) digest: u64,
    /// How far it goes, as its writer has said.
    pub(crate) written: u64,
    /// The groups of each process.
    pub(crate) members: Members,
    /// Its recent facts, to pass on.
    pub(crate) history: History,
    /// A snapshot that is arriving.
    pub(crate) assembly: Option<Assembly>,
    /// What arrived, on its way to be the state.
    pub(crate) takeover: Option<Box<Takeover>>,
    /// A snapshot that is being made.
    pub(crate) building: Option<Box<Building>>,
    /// A snapshot that is being handed out, for as long as it is.
    pub(crate) snapshot: Weak<Snapshot>,
    /// Who was asked for more of it.
    pub(crate) asked: Option<Asked>,
}

/// A peer was asked for more of a log.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) peer: NodeId,
    /// An answer is waited for until then.
    pub(crate) until: Instant,
    /// How far the answer is to go.
    pub(crate) upto: u64,
}

impl Log {
    pub(crate) fn new(node: NodeId, standing: Standing) -> Self {
        Self {
            node,
            standing,
            position: 0,
            digest: 0,
            written: 0,
            members: Members::default(),
            history: History::default(),
            assembly: None,
            takeover: None,
            building: None,
            snapshot: Weak::new(),
            asked: None,
        }
    }

    /// The groups of a process are about to change: a snapshot that is being made has to know.
    pub(crate) fn touch_member(&mut self, serial: u64) {
        if let Some(building) = &mut self.building {
            building.touch_member(serial);
        }
    }

    pub(crate) fn mark(&self) -> message::Mark {
        let state = match self.standing {
            Standing::Closed => message::Held::Closed,
            Standing::Live | Standing::Unseen => message::Held::Open,
        };
        let (log, position, digest) = (self.node.clone(), self.position, self.digest);
        message::Mark { log, position, digest, state }
    }
}

/// All logs that are held here.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    slots: Vec<Option<Box<Log>>>,
    ids: BTreeMap<NodeId, LogId>,
    free: Vec<LogId>,
}

impl Logs {
    pub(crate) fn id(&self, node: &NodeId) -> Option<LogId> {
        self.ids.get(node).copied()
    }

    pub(crate) fn of(&self, node: &NodeId) -> Option<&Log> {
        self.id(node).map(|id| &self[id])
    }

    pub(crate) fn standing(&self, node: &NodeId) -> Option<Standing> {
        self.of(node).map(|log| log.standing)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (LogId, &Log)> {
        self.ids.values().map(|&id| (id, &self[id]))
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The newest life of the same node whose log is here.
    pub(crate) fn newest(&self, node: &NodeId) -> Option<&NodeId> {
        let least = NodeId::new(node.name.clone(), Boot::default());
        let lives = self.ids.range(least..).take_while(|(other, _)| other.name == node.name);
        lives.last().map(|(other, _)| other)
    }

    /// The older lives of the same node whose logs are here.
    pub(crate) fn older(&self, node: &NodeId) -> Vec<NodeId> {
        let least = NodeId::new(node.name.clone(), Boot::default());
        self.ids.range(least..node.clone()).map(|(other, _)| other.clone()).collect()
    }

    pub(crate) fn insert(&mut self, log: Log) -> LogId {
        let node = log.node.clone();
        let id = match self.free.pop() {
            Some(id) => {
                self.slots[id.idx()] = Some(Box::new(log));
                id
            }
            None => {
                self.slots.push(Some(Box::new(log)));
                LogId(self.slots.len() as u32 - 1)
            }
        };
        let before = self.ids.insert(node, id);
        assert!(before.is_none(), "a node has one log");
        id
    }

    /// The log is found no more, but for its id.
    pub(crate) fn detach(&mut self, id: LogId) {
        let node = self[id].node.clone();
        self.ids.remove(&node);
    }

    /// The id of a detached log goes to another one.
    pub(crate) fn free(&mut self, id: LogId) {
        self.slots[id.idx()] = None;
        self.free.push(id);
    }
}

impl std::ops::Index<LogId> for Logs {
    type Output = Log;

    fn index(&self, id: LogId) -> &Log {
        self.slots[id.idx()].as_ref().expect("an id lives as long as its log")
    }
}

impl std::ops::IndexMut<LogId> for Logs {
    fn index_mut(&mut self, id: LogId) -> &mut Log {
        self.slots[id.idx()].as_mut().expect("an id lives as long as its log")
    }
}
