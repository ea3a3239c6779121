//! What has to hold of a name.

use super::state::{Entry, Log, State};
use super::{LOGS, Ownership};
use stateright::Property;

/// No two copies.
pub const TWO: &str = "never two when all is quiet";
/// No loss.
pub const NOBODY: &str = "never none while a live node knows the name";
/// No return.
pub const BACK: &str = "a stopped name does not come back";
/// Two copies only where somebody was held dead.
pub const TWO_BY_ITSELF: &str = "never two at all without a false death";
/// Fences.
pub const TOKEN: &str = "the survivor's token is the highest that is known";

pub(super) fn all() -> Vec<Property<Ownership>> {
    vec![
        Property::always(TWO, |model: &Ownership, state: &State| {
            state.running() <= 1 || !is_quiet(model, state)
        }),
        Property::always(NOBODY, |model: &Ownership, state: &State| {
            state.running() > 0 || !is_owed(state) || !is_quiet(model, state)
        }),
        Property::always(BACK, |_, state: &State| !state.came_back),
        Property::always(TWO_BY_ITSELF, |_, state: &State| {
            state.running() <= 1 || state.false_deaths > 0
        }),
        Property::always(TOKEN, |model: &Ownership, state: &State| {
            has_highest_token(state) || !is_quiet(model, state)
        }),
    ]
}

/// That the search meets what the promises are about.
pub(super) fn seen(model: &Ownership) -> Vec<Property<Ownership>> {
    let mut seen = Vec::new();
    if model.crashes > 0 && model.nodes > 2 {
        seen.push(Property::sometimes("an orphan is started and settled", |_, state: &State| {
            let is_lost = |log| state.live().all(|at| state.nodes[at].buried[log]);
            state.running() == 1 && state.crashes > 0 && (0..LOGS).any(is_lost)
        }));
    }
    if model.false_deaths > 0 {
        seen.push(Property::sometimes("two copies meet, and one ends", |_, state: &State| {
            let ended = |log: &Log| log.entries.iter().any(|e| matches!(e, Entry::Gone(_)));
            state.running() == 1 && state.logs.iter().any(ended)
        }));
    }
    if model.stops > 0 {
        seen.push(Property::sometimes("a name is stopped for good", |model, state: &State| {
            state.running() == 0 && state.stops > 0 && is_quiet(model, state)
        }));
    }
    seen
}

/// Nothing is left to do but for users and faults.
fn is_quiet(model: &Ownership, state: &State) -> bool {
    let mut steps = Vec::new();
    state.steps(model.rule, &mut steps);
    steps.is_empty()
}

/// A live node has read of the name, and none that it was stopped.
fn is_owed(state: &State) -> bool {
    let read = || {
        state.live().flat_map(|at| (0..LOGS).map(move |log| (at, log))).flat_map(|(at, log)| {
            let read = usize::from(state.nodes[at].read[log]);
            state.logs[log].entries[..read].iter()
        })
    };
    read().next().is_some() && !read().any(|entry| matches!(entry, Entry::Stopped(_)))
}

/// No live node keeps a token above that of a process that runs.
fn has_highest_token(state: &State) -> bool {
    let highest = state.live().filter_map(|at| state.highest(at)).max();
    let mut processes = state.nodes.iter().filter_map(|node| node.process);
    processes.all(|process| Some(process.token) >= highest)
}

#[cfg(test)]
mod tests {
    use super::super::Rule;
    use super::super::state::{Process, Token};
    use super::*;

    const MODEL: Ownership = Ownership {
        rule: Rule::Sound,
        nodes: 3,
        crashes: 0,
        reboots: 0,
        false_deaths: 0,
        stops: 0,
    };

    fn broken(change: impl FnOnce(&mut State)) -> Vec<&'static str> {
        let mut state = State::new(3);
        for at in 1..3 {
            state.nodes[at].read[0] = 1;
        }
        change(&mut state);
        let broken = all().into_iter().filter(|promise| !(promise.condition)(&MODEL, &state));
        broken.map(|promise| promise.name).collect()
    }

    #[test]
    fn each_promise_is_broken_by_a_state_of_its_own() {
        assert_eq!(broken(|_| ()), [""; 0]);
        assert_eq!(broken(|state| state.nodes[0].process = None), [NOBODY]);
        assert_eq!(broken(|state| state.came_back = true), [BACK]);
        let beside = |state: &mut State| state.nodes[1].process = state.nodes[0].process;
        assert_eq!(broken(beside), [TWO_BY_ITSELF], "not quiet: one of them is to end");
        let low = Process { token: Token { epoch: 0, log: 0 }, losing_to: None };
        assert_eq!(broken(|state| state.nodes[0].process = Some(low)), [TOKEN]);
    }
}
