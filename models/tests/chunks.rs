//! A state in chunks arrives whole whatever is lost, and each variant that is known to be broken is
//! found.

use swarm_models::chunks::{AHEAD, Chunks, TORN};
use swarm_models::search::{all_states, counterexample};

#[test]
fn a_state_arrives_whole_or_not_at_all() {
    all_states("chunks", Chunks::Sound);
}

#[test]
fn a_target_that_counts_chunks_is_found() {
    counterexample("count", Chunks::Count, TORN);
}

#[test]
fn a_target_that_appends_what_comes_is_found() {
    counterexample("append", Chunks::Append, TORN);
}

#[test]
fn a_target_that_builds_on_the_last_chunk_is_found() {
    counterexample("build on last", Chunks::BuildOnLast, TORN);
}

#[test]
fn a_target_that_tells_of_its_furthest_chunk_is_found() {
    counterexample("taken furthest", Chunks::TakenFurthest, AHEAD);
}
