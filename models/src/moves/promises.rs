//! What has to hold of a move (reliability H1 to H5).

use super::state::{Message, Outcomes, Phase};
use super::{End, Moves, State};
use stateright::Property;

/// H1.
pub const TWICE: &str = "H1: at most one process runs";
/// H2.
pub const LOST: &str = "H2: the newest state is somewhere while both ends live";
/// H3.
pub const NOBODY: &str = "H3: exactly one process runs when all is quiet";
/// H4.
pub const STALE: &str = "H4: no process goes on from a state that is not the newest";
/// H5.
pub const TWO_OUTCOMES: &str = "H5: a move has one outcome";
/// What makes H3 mean something.
pub const STUCK: &str = "whoever waits for something has something to do";

pub(super) fn all() -> Vec<Property<Moves>> {
    vec![
        Property::always(TWICE, |_, state| runs_once(state)),
        Property::always(LOST, |_, state| newest_is_kept(state)),
        Property::always(NOBODY, |_, state| one_runs_when_quiet(state)),
        Property::always(STALE, |_, state: &State| !state.went_back),
        Property::always(TWO_OUTCOMES, |_, state: &State| {
            state.outcomes.iter().all(has_one_outcome)
        }),
        Property::always(STUCK, is_not_stuck),
    ]
}

/// That the search meets what the promises are about: both moves succeed, one is taken back after
/// its commit, a standby is run by the log of a dead source, and so on. The variants need not.
pub(super) fn seen() -> Vec<Property<Moves>> {
    vec![
        Property::sometimes("both moves succeed", |_, state: &State| {
            state.outcomes.iter().all(|outcomes| outcomes.promoted)
        }),
        Property::sometimes("a source goes on after its commit", |_, state: &State| {
            state.outcomes.iter().any(|outcomes| outcomes.resumed)
        }),
        Property::sometimes("a standby runs by the log of a dead source", |_, state: &State| {
            state.outcomes.iter().any(|outcomes| outcomes.orphaned)
        }),
        Property::sometimes("a target dies with the commit under way", |_, state: &State| {
            let is_committed = |end: &End| {
                let phase = end.leaving.map(|leaving| leaving.phase);
                end.up && matches!(phase, Some(Phase::Committed { .. }))
            };
            state.ends.iter().any(is_committed) && state.ends.iter().any(|end| !end.up)
        }),
    ]
}

/// Processes that handle messages, on live nodes: never two of them.
fn runs_once(state: &State) -> bool {
    state.ends.iter().filter(|end| runs(end)).count() <= 1 && !state.beside
}

/// Running, frozen, or kept as a snapshot. A standby does not count: nothing says that it is used.
fn newest_is_kept(state: &State) -> bool {
    let has = |end: &End| {
        let newest = |snapshot| snapshot == state.newest;
        end.process.is_some_and(|process| newest(process.state))
            || end.leaving.is_some_and(|leaving| newest(leaving.snapshot))
    };
    // Where it is sent once, it is under way.
    let is_sent = state.wire.iter().any(|sent| matches!(sent.message, Message::Cast { .. }));
    is_sent || state.ends.iter().any(|end| !end.up) || state.ends.iter().any(has)
}

fn one_runs_when_quiet(state: &State) -> bool {
    !state.is_quiet() || state.ends.iter().filter(|end| runs(end)).count() == 1
}

/// A move ran at its target, or came back to its source, not both.
fn has_one_outcome(outcomes: &Outcomes) -> bool {
    [outcomes.promoted, outcomes.thawed, outcomes.resumed].iter().filter(|seen| **seen).count() <= 1
}

fn is_not_stuck(moves: &Moves, state: &State) -> bool {
    let mut steps = Vec::new();
    state.steps(*moves, &mut steps);
    state.is_quiet() || !steps.is_empty()
}

const fn runs(end: &End) -> bool {
    match end.process {
        Some(process) => end.up && !process.frozen,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::state::Leaving;
    use super::*;

    fn broken(change: impl FnOnce(&mut State)) -> Vec<&'static str> {
        let mut state = State::new();
        change(&mut state);
        let broken = all().into_iter().filter(|p| !(p.condition)(&Moves::Sound, &state));
        broken.map(|property| property.name).collect()
    }

    #[test]
    fn each_promise_is_broken_by_a_state_of_its_own() {
        let runs = State::new().ends[0].process;
        assert_eq!(broken(|_| ()), [""; 0]);
        assert_eq!(broken(|state| state.ends[1].process = runs), [TWICE, NOBODY]);
        assert_eq!(broken(|state| state.newest = 1), [LOST]);
        let dead = |state: &mut State| {
            state.ends[0].up = false;
            state.ends[1].alone = true;
        };
        assert_eq!(broken(dead), [NOBODY]);
        let phase = Phase::Committed { token: 2 };
        let waits_for_the_dead = |state: &mut State| {
            dead(state);
            state.ends[1].leaving = Some(Leaving { id: 0, snapshot: 0, phase });
        };
        assert_eq!(broken(waits_for_the_dead), [STUCK]);
        assert_eq!(broken(|state| state.went_back = true), [STALE]);
        let both = Outcomes { promoted: true, thawed: true, ..Outcomes::default() };
        assert_eq!(broken(|state| state.outcomes[0] = both), [TWO_OUTCOMES]);
    }
}
