//! Ring agreement on three nodes whose views change at will: nobody starts a name that another
//! one has started (ownership, R2).
//!
//! Each node has the machine of `swarm-handoff` itself, and one name. Of a ring only its owner
//! counts here, so that ring `n` is the one in which node `n` owns the name. A node's view changes
//! to any other ring, at any moment, in whatever order: that is more than membership does. Facts
//! and agreement share one ordered stream for each pair, as they do on a session; where sessions
//! break, what is under way is lost, and the facts are sent again on the next one. Left out:
//! deadlines, after which a node goes on without agreement and with the promise of a partition.

mod state;
mod step;

pub use state::{Node, State, Wire};
pub use step::Step;

use stateright::{Model, Property};

/// What a node asks before it starts a name that it owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Whether every member has acknowledged the present round of its ring: what the crate does.
    Rounds,
    /// Whether the last hash that each member told is its own. Known to be broken.
    LastHash,
    /// Nothing. Known to be broken.
    Nothing,
}

/// Nodes that change their views, and what they may do as owners.
#[derive(Clone, Copy, Debug)]
pub struct Agreement {
    /// What a node asks.
    pub rule: Rule,
    /// How often the view of each node changes.
    pub changes: u8,
    /// How many sessions break.
    pub breaks: u8,
}

/// How many nodes there are.
pub const NODES: usize = 3;

/// What agreement is for.
pub const TWO_START: &str = "one node starts the name";
/// What it must not cost.
pub const WAITS: &str = "nodes with one ring have agreed when all is quiet";

impl Model for Agreement {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(self.rule)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        state.steps(self, actions);
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut next = state.clone();
        next.take(self.rule, step);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![Property::always(TWO_START, |_, state| one_starts(state))];
        if self.rule == Rule::Rounds {
            properties.extend([
                Property::always(WAITS, |_, state| has_agreed_when_quiet(state)),
                Property::sometimes(
                    "a node starts the name behind a change",
                    |_, state: &State| {
                        state.nodes.iter().any(|node| node.started && node.changes > 0)
                    },
                ),
            ]);
        }
        properties
    }
}

/// A node that starts the name has heard of whoever started it before.
fn one_starts(state: &State) -> bool {
    state.nodes.iter().filter(|node| node.started).count() <= 1
}

/// Agreement needs no timer: once everything has arrived, whoever agrees knows it.
fn has_agreed_when_quiet(state: &State) -> bool {
    let same = state.nodes.iter().all(|node| node.ring == state.nodes[0].ring);
    !same || !state.is_quiet() || state.nodes.iter().all(|node| node.agreement.agreed())
}
