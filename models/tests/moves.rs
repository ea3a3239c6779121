//! The move protocol holds in every state, and each variant that is known to be broken is found.

use swarm_models::moves::{LOST, Moves, NOBODY, STALE, TWICE};
use swarm_models::search::{all_states, counterexample};

#[test]
#[cfg_attr(debug_assertions, ignore = "all of it wants a release build")]
fn a_process_runs_once_and_keeps_its_state_whatever_breaks() {
    all_states("moves", Moves::Sound);
}

#[test]
fn a_target_that_promotes_by_its_own_timer_is_found() {
    counterexample("own timer", Moves::OwnTimer, TWICE);
}

#[test]
fn an_abort_without_the_id_of_its_move_is_found() {
    counterexample("abort without id", Moves::AbortWithoutId, NOBODY);
}

#[test]
fn a_process_that_is_killed_before_the_target_is_ready_is_found() {
    counterexample("kill before ready", Moves::KillBeforeReady, NOBODY);
}

#[test]
fn a_stale_offer_that_is_taken_is_found() {
    counterexample("stale offer", Moves::StaleOffer, STALE);
}

#[test]
fn a_state_that_is_sent_once_and_forgotten_is_found() {
    let steps = counterexample("sent once", Moves::SentOnce, LOST);
    assert!(steps <= 4, "the shortest way has four steps at most");
    counterexample("sent once", Moves::SentOnce, NOBODY);
}
