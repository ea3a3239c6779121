//! One name on three nodes that crash, come back with a new boot, and are held dead while they
//! live: it is not lost, not doubled and not brought back (ownership, R1, R3, R4, R5 and
//! consequence 2).
//!
//! It mirrors `swarm-registry`'s `record.rs` (who has the name), `compare.rs` (what is passed on)
//! and `settle.rs` (what is let go), and of `swarm/src/node` the files `planning.rs` (who starts an
//! orphan), `moving.rs` (`claim_above`), `losing.rs` and `winning.rs`. Of membership there is what
//! they build on: deaths get around, and whoever is held dead and lives says so.
//!
//! Left out: moves, which are a [model](crate::moves) of their own, so that claims either run or
//! are gone; the way that an acknowledgement of the ring takes ([`agreement`](crate::agreement)):
//! here it comes with the facts in front of it, in one step; deadlines; and sessions that break
//! while both ends hold each other alive, since what a node reads of another's log it reads at any
//! later moment or never. The tombstones and pointers of a live log stay. A snapshot is a step in
//! which a node reads all of a log that it has read nothing of.
//!
//! Bounded: a node writes a handful of entries. Two that hold each other dead while a third passes
//! the log of each on to the other claim above each other again and again, until they know better.
//!
//! Assumed: who joins is heard of by all before its cluster lets a closed log go. Where a member
//! that has not heard of it is the last that holds a tombstone, the two are sides of a partition,
//! on one of which the stop holds.

mod handshake;
mod promises;
mod settling;
mod starting;
mod state;
mod step;
mod view;

pub use promises::{BACK, NOBODY, TOKEN, TWO, TWO_BY_ITSELF};
pub use state::{Seen, State};
pub use step::Step;

use stateright::{Model, Property};

/// The rules, or one of them broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// What the crates do.
    Sound,
    /// The log of a dead node is not passed on (without R1).
    LogsNotRelayed,
    /// A new boot of a node voids the names of the old one (without R1's last sentence).
    BootVoids,
    /// Who has seen an orphan run elsewhere marks it as settled, and the mark goes around
    /// (without R4).
    SettledByFlag,
    /// A log is let go while more of another dead one is still to come, whose claims it may outrank.
    SettledBehind,
    /// The handshake of a conflict does not say which claims it is about (without consequence 2).
    Unbound,
}

/// A name, and what may happen to the nodes.
#[derive(Clone, Copy, Debug)]
pub struct Ownership {
    /// Which rules hold.
    pub rule: Rule,
    /// How many nodes there are: two or three.
    pub nodes: u8,
    /// How many nodes crash.
    pub crashes: u8,
    /// How many of those come back.
    pub reboots: u8,
    /// How many times a node is held dead that lives.
    pub false_deaths: u8,
    /// How many times the name is stopped.
    pub stops: u8,
}

/// How many nodes there are at most.
const NODES: usize = 3;

/// How many logs there are: every boot has its own.
const LOGS: usize = 2 * NODES;

impl Model for Ownership {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(self.nodes.into())]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        state.faults(self, actions);
        state.steps(self.rule, actions);
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut next = *state;
        next.take(self.rule, step);
        Some(next)
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.logs.iter().all(|log| usize::from(log.len) < state::LOG_MAX)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut promises = promises::all();
        if self.rule == Rule::Sound {
            promises.extend(promises::seen(self));
        }
        promises
    }
}
