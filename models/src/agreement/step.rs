//! What can happen next, and what it does.

use super::state::{Node, State, Wire, id, members, others, position};
use super::{NODES, Rule};
use swarm_base::{Instant, Machine, Output};
use swarm_handoff::Agree;

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A node's view changes.
    Change {
        /// Which node.
        node: usize,
        /// Its ring from now on.
        ring: u8,
    },
    /// What is first on the stream from one to another arrives.
    Deliver {
        /// Who sent it.
        from: usize,
        /// Who gets it.
        to: usize,
    },
    /// A node starts the name, which it owns.
    Start(usize),
    /// The session of two nodes breaks, and comes back.
    Break(usize, usize),
}

impl State {
    pub(super) fn steps(&self, model: &super::Agreement, steps: &mut Vec<Step>) {
        steps.extend(self.pairs_with_mail().map(|(from, to)| Step::Deliver { from, to }));
        for at in 0..NODES {
            let node = &self.nodes[at];
            if self.may_start(model.rule, at) {
                steps.push(Step::Start(at));
            }
            if node.changes < model.changes {
                let rings = (0..NODES as u8).filter(|ring| *ring != node.ring);
                steps.extend(rings.map(|ring| Step::Change { node: at, ring }));
            }
            if self.broken < model.breaks {
                steps.extend((at + 1..NODES).map(|with| Step::Break(at, with)));
            }
        }
    }

    pub(super) fn take(&mut self, rule: Rule, step: Step) {
        match step {
            Step::Change { node, ring } => {
                self.nodes[node].change(|node| node.changes += 1);
                self.set_ring(rule, node, ring);
            }
            Step::Deliver { from, to } => self.deliver(rule, from, to),
            Step::Start(at) => {
                self.nodes[at].change(|node| (node.started, node.knows) = (true, true));
                for other in others(at) {
                    self.streams[at][other].push(Wire::Fact);
                }
            }
            Step::Break(a, b) => {
                self.broken += 1;
                for (at, with) in [(a, b), (b, a)] {
                    self.streams[at][with] = Vec::new();
                    self.agreement(at, |agreement| {
                        agreement.session_down(Instant::START, &id(with));
                    });
                }
                for (at, with) in [(a, b), (b, a)] {
                    self.streams[at][with].extend(self.nodes[at].started.then_some(Wire::Fact));
                    let up = self.nodes[at].change(|node| {
                        node.agreement.session_up(Instant::START, &id(with));
                        said(node)
                    });
                    self.send(rule, at, up);
                }
            }
        }
    }

    fn may_start(&self, rule: Rule, at: usize) -> bool {
        let node = &self.nodes[at];
        let owns = usize::from(node.ring) == at && !node.knows;
        owns && match rule {
            Rule::Rounds => node.agreement.agreed(),
            Rule::LastHash => others(at).all(|other| node.heard[other] == Some(node.ring)),
            Rule::Nothing => true,
        }
    }

    pub(super) fn set_ring(&mut self, rule: Rule, at: usize, ring: u8) {
        let said = self.nodes[at].change(|node| {
            node.ring = ring;
            node.agreement.set_ring(Instant::START, u64::from(ring), members());
            said(node)
        });
        if rule == Rule::LastHash {
            let told = Agree::Ring { hash: u64::from(ring), round: 0 };
            for other in others(at) {
                self.streams[at][other].push(Wire::Agree(told));
            }
        }
        self.send(rule, at, said);
    }

    pub(super) fn deliver(&mut self, rule: Rule, from: usize, to: usize) {
        if self.streams[from][to].is_empty() {
            return;
        }
        match self.streams[from][to].remove(0) {
            Wire::Fact => self.nodes[to].change(|node| node.knows = true),
            Wire::Agree(Agree::Ring { hash, .. }) if rule == Rule::LastHash => {
                self.nodes[to].change(|node| node.heard[from] = u8::try_from(hash).ok());
            }
            Wire::Agree(agree) => {
                let said = self.nodes[to].change(|node| {
                    node.agreement.handle_message(Instant::START, id(from), agree);
                    said(node)
                });
                self.send(rule, to, said);
            }
        }
    }

    /// The weaker rules say what they say by themselves.
    fn send(&mut self, rule: Rule, at: usize, said: Vec<(usize, Agree)>) {
        for (to, message) in said.into_iter().filter(|_| rule == Rule::Rounds) {
            self.streams[at][to].push(Wire::Agree(message));
        }
    }
}

/// What a node's machine wants to be sent, and to whom.
fn said(node: &mut Node) -> Vec<(usize, Agree)> {
    let outputs = std::iter::from_fn(|| node.agreement.poll_output());
    let sent = outputs.filter_map(|output| match output {
        Output::Send { to, message } => Some((position(&to)?, message)),
        Output::Event(_) => None,
    });
    sent.collect()
}
