//! Which nodes live, who has a session with whom, and what crashes and breaks do to both.

use super::toy::Toy;
use super::{NODES, Step, World, ms};
use std::collections::BTreeMap;
use swarm_base::{Instant, Machine, NodeId};

#[derive(Default)]
pub(crate) struct Nodes {
    slots: BTreeMap<usize, Toy>,
    /// One end's view: the session that it holds up.
    ends: BTreeMap<(NodeId, NodeId), u64>,
    /// When the last message of a lane arrives: a session keeps order.
    lanes: BTreeMap<(NodeId, NodeId, bool), Instant>,
    sessions: u64,
    /// Every life there has been.
    lives: Vec<NodeId>,
}

impl Nodes {
    pub(crate) fn insert(&mut self, slot: usize, toy: Toy) {
        self.lives.push(toy.id.clone());
        self.slots.insert(slot, toy);
    }

    pub(crate) fn at(&self, slot: usize) -> Option<NodeId> {
        self.slots.get(&slot).map(|toy| toy.id.clone())
    }

    pub(crate) fn slot(&self, id: &NodeId) -> Option<usize> {
        self.slots.iter().find(|(_, toy)| toy.id == *id).map(|(slot, _)| *slot)
    }

    pub(crate) fn get(&self, id: &NodeId) -> Option<&Toy> {
        self.slots.values().find(|toy| toy.id == *id)
    }

    pub(crate) fn get_mut(&mut self, id: &NodeId) -> Option<&mut Toy> {
        self.slots.values_mut().find(|toy| toy.id == *id)
    }

    pub(crate) fn live(&self) -> Vec<NodeId> {
        self.slots.values().map(|toy| toy.id.clone()).collect()
    }

    pub(crate) fn toys(&self) -> impl Iterator<Item = &Toy> {
        self.slots.values()
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.slots.values().filter_map(|toy| toy.moves.poll_timeout()).min()
    }

    pub(crate) fn session(&self, at: &NodeId, with: &NodeId) -> Option<u64> {
        self.get(at)?;
        self.ends.get(&(at.clone(), with.clone())).copied()
    }

    pub(crate) fn in_order(
        &mut self,
        from: &NodeId,
        to: &NodeId,
        large: bool,
        at: Instant,
    ) -> Instant {
        let lane = self.lanes.entry((from.clone(), to.clone(), large)).or_default();
        *lane = at.max(*lane);
        *lane
    }
}

impl World {
    pub(super) fn boot(&mut self, slot: usize) {
        let id = self.new_node(slot);
        // It joins with the list of members: whoever is not on it is dead.
        let dead: Vec<NodeId> = self
            .nodes
            .lives
            .iter()
            .filter(|life| self.nodes.get(life).is_none())
            .cloned()
            .collect();
        for node in dead {
            self.learn_death(&id, &node);
        }
        for other in (0..NODES).filter(|other| *other != slot) {
            self.connect(slot, other);
        }
    }

    pub(super) fn connect(&mut self, a: usize, b: usize) {
        let (Some(a), Some(b)) = (self.nodes.at(a), self.nodes.at(b)) else { return };
        self.nodes.sessions += 1;
        let session = self.nodes.sessions;
        for (at, with) in [(a.clone(), b.clone()), (b, a)] {
            let delay = self.rng.duration(ms(1)..=ms(30));
            self.after(delay, Step::SessionUp { at, with, session });
        }
    }

    pub(super) fn session_up(&mut self, at: &NodeId, with: &NodeId, session: u64) {
        let ends = (at.clone(), with.clone());
        if self.nodes.get(at).is_none() || self.nodes.ends.get(&ends) >= Some(&session) {
            return;
        }
        if self.nodes.ends.insert(ends, session).is_some() {
            self.with(at, |moves, now| moves.session_down(now, with));
        }
        // A newer boot of a node proves the older one dead.
        let superseded: Vec<NodeId> = self.known_before(at, with);
        for node in superseded {
            self.learn_death(at, &node);
        }
        self.learn_life(at, with);
        self.with(at, |moves, now| moves.session_up(now, with));
    }

    pub(super) fn session_down(&mut self, at: &NodeId, with: &NodeId, session: u64) {
        let ends = (at.clone(), with.clone());
        if self.nodes.ends.get(&ends) == Some(&session) {
            self.nodes.ends.remove(&ends);
            self.with(at, |moves, now| moves.session_down(now, with));
        }
    }

    /// Both ends notice at their own time; what is under way is lost at the end that has noticed.
    pub(super) fn break_session(&mut self, a: &NodeId, b: &NodeId) {
        for (at, with) in [(a, b), (b, a)] {
            if let Some(session) = self.nodes.session(at, with) {
                let delay = self.rng.duration(ms(0)..=ms(200));
                let (at, with) = (at.clone(), with.clone());
                self.after(delay, Step::SessionDown { at, with, session });
            }
        }
        if let (Some(a), Some(b)) = (self.nodes.slot(a), self.nodes.slot(b)) {
            let delay = self.rng.duration(ms(1)..=ms(3000));
            self.after(delay, Step::Connect(a, b));
        }
    }

    pub(super) fn crash(&mut self, node: &NodeId) {
        let Some(slot) = self.nodes.slot(node) else { return };
        self.note(format!("{node} crashes"));
        self.wipe(node);
        self.nodes.slots.remove(&slot);
        for at in self.nodes.live() {
            if let Some(session) = self.nodes.session(&at, node) {
                let delay = self.rng.duration(ms(0)..=ms(3000));
                let (at, with) = (at.clone(), node.clone());
                self.after(delay, Step::SessionDown { at, with, session });
            }
            let delay = self.rng.duration(ms(100)..=ms(3000));
            self.after(delay, Step::Dead { at, node: node.clone() });
        }
        let delay = self.rng.duration(ms(500)..=ms(6000));
        self.after(delay, Step::Restart(slot));
    }

    /// One node holds another dead for a while, though it lives.
    pub(super) fn mistake(&mut self, a: usize, b: usize) {
        let (Some(at), Some(node)) = (self.nodes.at(a), self.nodes.at(b)) else { return };
        let known = self.nodes.get(&at).is_some_and(|toy| toy.dead.contains(&node));
        if at == node || known {
            return;
        }
        self.strike("nothing", "false death");
        self.note(format!("{at} holds {node} dead"));
        self.learn_death(&at, &node);
        let delay = self.rng.duration(ms(100)..=ms(6000));
        self.after(delay, Step::Alive { at, node });
    }

    pub(super) fn learn_life(&mut self, at: &NodeId, node: &NodeId) {
        if self.nodes.get(node).is_none() {
            return;
        }
        if let Some(toy) = self.nodes.get_mut(at)
            && toy.dead.remove(node)
        {
            self.with(at, |moves, now| moves.node_up(now, node));
        }
    }

    /// The lives of `with`'s name before it that `at` has not buried.
    fn known_before(&self, at: &NodeId, with: &NodeId) -> Vec<NodeId> {
        let Some(toy) = self.nodes.get(at) else { return Vec::new() };
        let superseded = |life: &&NodeId| life.name == with.name && life.boot < with.boot;
        let unburied = |life: &&NodeId| !toy.dead.contains(*life);
        self.nodes.lives.iter().filter(superseded).filter(unburied).cloned().collect()
    }
}
