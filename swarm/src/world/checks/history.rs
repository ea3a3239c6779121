//! Histories for checkers: what happened, written down by hand.

use crate::Event as Public;
use crate::node::Outcome;
use crate::world::host::SimNode;
use crate::world::news::{Asked, Change, How, News};
use crate::world::truth::{Hosts, Shared, Truth, Witness};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use swarm_base::{Boot, Instant, Name, NodeId, NodeName, Pid};
use swarm_process::ExitReason;
use swarm_registry::State;
use swarm_sim::{Action, Check, Violation, addr};

/// One checker and the witness that it asks, told of a world without nodes.
pub(super) struct History<C> {
    pub(super) check: C,
    witness: Witness,
    now: Instant,
    hosts: Hosts,
    pids: BTreeMap<(u16, Name), Pid>,
    serials: u64,
    violation: Option<Violation>,
}

pub(super) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) fn name(name: &str) -> Name {
    Name::new(name).expect("a short name")
}

fn boot(node: u16) -> Boot {
    Boot { millis: u64::from(node), random: u64::from(node) }
}

fn node_name(node: u16) -> NodeName {
    NodeName::new(format!("n{node}")).expect("a short name")
}

impl<C: Check<SimNode>> History<C> {
    /// Of a world whose names want a quorum.
    pub(super) fn new(want: usize, check: impl FnOnce(Shared) -> C) -> Self {
        let history = Self::without_quorum(check);
        history.witness.truth.borrow_mut().want = Some(want);
        history
    }

    pub(super) fn without_quorum(check: impl FnOnce(Shared) -> C) -> Self {
        let truth: Shared = Rc::new(RefCell::new(Truth::default()));
        Self {
            check: check(truth.clone()),
            witness: Witness { truth, seen: 0 },
            now: Instant::START,
            hosts: Hosts::new(),
            pids: BTreeMap::new(),
            serials: 0,
            violation: None,
        }
    }

    /// What was violated first.
    pub(super) fn verdict(&self) -> Option<&'static str> {
        self.violation.as_ref().map(|violation| violation.property)
    }

    /// Time goes on until then, in steps as nodes have them.
    pub(super) fn at(&mut self, since_start: Duration) {
        while self.now < Instant::after_start(since_start) {
            self.now = (self.now + ms(1)).min(Instant::after_start(since_start));
            let verdict = self.check.step(self.now, addr(1), &self.hosts);
            self.note(verdict);
        }
    }

    pub(super) fn finish(&mut self) {
        let verdict = self.check.finish(self.now, &self.hosts);
        self.note(verdict);
    }

    fn note(&mut self, verdict: Result<(), Violation>) {
        if let Err(violation) = verdict {
            self.violation.get_or_insert(violation);
        }
    }

    pub(super) fn act(&mut self, action: &Action) {
        self.witness.act(self.now, action);
        self.check.act(self.now, action);
    }

    pub(super) fn news(&mut self, node: u16, news: &News) {
        let kept = self.witness.observe(self.now, addr(node), news, &self.hosts);
        kept.expect("the witness judges nothing");
        let verdict = self.check.observe(self.now, addr(node), news, &self.hosts);
        self.note(verdict);
    }

    /// So many nodes start, and reach each other.
    pub(super) fn start(&mut self, nodes: u16) {
        for node in 1..=nodes {
            self.act(&Action::Start(addr(node)));
        }
        self.divide(&[]);
    }

    /// Each group reaches only itself; who is in none reaches all.
    pub(super) fn divide(&mut self, groups: &[&[u16]]) {
        let group = |at: SocketAddr| {
            groups.iter().position(|group| group.iter().any(|node| addr(*node) == at))
        };
        let reaches = |from: SocketAddr, to: SocketAddr| match (group(from), group(to)) {
            (Some(from), Some(to)) => from == to,
            _ => true,
        };
        self.witness.reach(self.now, &reaches);
        self.check.reach(self.now, &reaches);
    }

    /// A name is registered, and its process runs on a node.
    pub(super) fn registered(&mut self, node: u16, of: &str) {
        self.serials += 1;
        let id = self.serials;
        self.news(node, &News::Asked { id, what: Asked::Register(name(of)) });
        self.begins(node, of);
        self.news(node, &News::Answered { id, outcome: Outcome::Registered });
    }

    pub(super) fn stopped(&mut self, node: u16, of: &str) {
        self.serials += 1;
        let id = self.serials;
        self.news(node, &News::Asked { id, what: Asked::Stop(name(of)) });
        self.news(node, &News::Answered { id, outcome: Outcome::Done });
    }

    pub(super) fn begins(&mut self, node: u16, of: &str) -> Pid {
        self.serials += 1;
        let pid = Pid::new(boot(node), self.serials);
        self.pids.insert((node, name(of)), pid);
        self.news(node, &News::Began { name: name(of), pid, how: How::Fresh, count: 0 });
        pid
    }

    /// The process of a name on a node.
    pub(super) fn pid(&self, node: u16, of: &str) -> Pid {
        self.pids[&(node, name(of))]
    }

    pub(super) fn node(&self, node: u16) -> NodeId {
        NodeId::new(node_name(node), boot(node))
    }

    pub(super) fn ends(&mut self, node: u16, of: &str) {
        let pid = self.pids.remove(&(node, name(of))).expect("it runs");
        self.news(node, &News::Ended { name: Some(name(of)), pid, why: ExitReason::Stopped });
    }

    pub(super) fn fails_to_start(&mut self, node: u16, of: &str) {
        self.serials += 1;
        let (pid, message) = (Pid::new(boot(node), self.serials), "it did not want to".into());
        let why = ExitReason::StartFailed { message };
        self.news(node, &News::Ended { name: Some(name(of)), pid, why });
    }

    pub(super) fn seat(&mut self, node: u16, has: bool) {
        self.news(node, &News::Seat { scope: None, has });
    }

    /// A node's view of a name: its process on another one.
    pub(super) fn saw(&mut self, node: u16, of: &str, on: u16) {
        let pid = self.pids.get(&(on, name(of))).copied();
        let state = State::Held;
        self.news(node, &News::Saw { name: name(of), pid, state });
    }

    /// What a node says of another one.
    pub(super) fn peer(&mut self, node: u16, other: u16, change: Change) {
        let name = node_name(other);
        self.news(node, &News::Peer { boot: boot(other), name, incarnation: 1, change });
    }

    pub(super) fn loses_quorum(&mut self, node: u16) {
        let lost = Public::QuorumLost { scope: None, have: 1, want: 2 };
        self.news(node, &News::Public(lost));
    }

    pub(super) fn regains_quorum(&mut self, node: u16) {
        self.news(node, &News::Public(Public::QuorumRegained { scope: None }));
    }
}
