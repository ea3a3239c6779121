//! Ring agreement holds in every state, and each weaker rule is found.

use swarm_models::agreement::{Agreement, Rule, TWO_START};
use swarm_models::search::{all_states, counterexample};

#[test]
#[cfg_attr(debug_assertions, ignore = "all of it wants a release build")]
fn no_two_nodes_start_one_name() {
    all_states("agreement", Agreement { rule: Rule::Rounds, changes: 2, breaks: 0 });
}

#[test]
#[cfg_attr(debug_assertions, ignore = "all of it wants a release build")]
fn no_two_nodes_start_one_name_on_sessions_that_break() {
    all_states("agreement with a break", Agreement { rule: Rule::Rounds, changes: 1, breaks: 1 });
}

#[test]
fn nodes_that_do_not_agree_are_found() {
    let model = Agreement { rule: Rule::Nothing, changes: 2, breaks: 0 };
    let steps = counterexample("no agreement", model, TWO_START);
    assert!(steps <= 3, "the shortest way has three steps");
}

#[test]
fn agreement_by_the_last_hash_that_was_heard_is_found() {
    let model = Agreement { rule: Rule::LastHash, changes: 2, breaks: 0 };
    counterexample("agreement by the last hash", model, TWO_START);
}
