//! The move of one name between two ends: two moves, of which the second can go back, while any
//! message is lost, doubled or overtaken, and one end crashes anywhere.
//!
//! It mirrors `swarm-handoff`'s `moves/source/protocol.rs` and `moves/target/protocol.rs`, what
//! `swarm/src/node/moving.rs` and `resuming.rs` do about their events, and the decision about a
//! dead source's log (ownership, consequence 1). Left out: mail, limits, states in chunks, which are
//! those of [`chunks`](crate::chunks), and the time that anything takes. A deadline may pass at any moment in which it is set; what is repeated by a timer may be
//! repeated whenever it is not under way. Facts are known everywhere at once; how they get around
//! is the subject of [`ownership`](crate::ownership). A crash is noticed some time later, and
//! nobody is held dead who lives: that is a partition, in which two may run.
//!
//! `tests/conformance.rs` walks through the model at random, and through two machines of the crate
//! beside it: both must always be in the same phase and have the same messages under way.

mod promises;
mod source;
mod state;
mod step;
mod target;

pub use promises::{LOST, NOBODY, STALE, STUCK, TWICE, TWO_OUTCOMES};
pub use state::{End, Message, Process, Role, Sent, State};
pub use step::Step;

use stateright::{Model, Property};

/// The move protocol, or a variant that is known to be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moves {
    /// What the crate does.
    Sound,
    /// A target runs its standby when it has waited for long.
    OwnTimer,
    /// An abort does not say which move it means: whatever there is of the name goes.
    AbortWithoutId,
    /// The source ends the process as soon as it has its state.
    KillBeforeReady,
    /// A target takes an offer of a move that is over, and a source any answer as one to the
    /// present move.
    StaleOffer,
    /// The source ends the process, sends its state once, and forgets it (Swarm's way).
    SentOnce,
}

/// How many moves there can be.
const MOVES: usize = 2;

/// How many ends there are.
const ENDS: usize = 2;

impl Model for Moves {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State::new()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        state.faults(actions);
        state.steps(*self, actions);
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut next = state.clone();
        next.take(*self, step);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = promises::all();
        if *self == Self::Sound {
            properties.extend(promises::seen());
        }
        properties
    }
}
