//! Which life has read what of which log: what G4, G6 and P2 have in common.

use crate::member::Member;
use crate::news::News;
use std::collections::BTreeMap;
use swarm_base::{NodeId, Pid};
use swarm_registry::Event;

/// The ends of processes as they stand in logs, and who has read of them.
///
/// Who lets a dead node's log go lets that go too: should the node return, its log is read anew
/// from the beginning.
#[derive(Default)]
pub(super) struct Reading {
    /// Where each end stands.
    written: BTreeMap<Pid, (NodeId, u64)>,
    /// How far each life has read each log.
    read: BTreeMap<NodeId, BTreeMap<NodeId, u64>>,
}

impl Reading {
    /// A log says at this position that a process ended.
    pub(super) fn written(&mut self, log: &NodeId, position: u64, pid: Pid) {
        self.written.insert(pid, (log.clone(), position));
    }

    /// Follows what `member` tells.
    pub(super) fn observe(&mut self, member: &Member, news: &News) {
        let News::Log(Event::Applied { log, position }) = news else { return };
        self.read.entry(member.me().clone()).or_default().insert(log.clone(), *position);
    }

    /// Forgets what `member` has let go of.
    pub(super) fn step(&mut self, member: &Member) {
        if let Some(of_life) = self.read.get_mut(member.me()) {
            of_life.retain(|log, _| member.registry.position(log) > 0);
        }
    }

    /// Whether a life has read of the end of a process.
    pub(super) fn has_read(&self, member: &Member, pid: Pid) -> bool {
        let Some((log, position)) = self.written.get(&pid) else { return false };
        let read = self.read.get(member.me()).and_then(|of_life| of_life.get(log));
        read.is_some_and(|read| read >= position)
    }
}
