//! Ownership holds in every state, and each rule that is left out is missed.

use swarm_models::ownership::{BACK, NOBODY, Ownership, Rule};
use swarm_models::search::{all_states, counterexample};

const QUIET: Ownership =
    Ownership { rule: Rule::Sound, nodes: 3, crashes: 0, reboots: 0, false_deaths: 0, stops: 0 };

#[test]
#[cfg_attr(debug_assertions, ignore = "all of it wants a release build")]
fn a_name_outlives_crashes_a_reboot_and_a_false_death() {
    let model = Ownership { crashes: 2, reboots: 1, false_deaths: 1, ..QUIET };
    all_states("two crashes, a reboot, a false death", model);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "all of it wants a release build")]
fn a_name_outlives_two_false_deaths() {
    all_states("two false deaths", Ownership { false_deaths: 2, ..QUIET });
}

#[test]
#[cfg_attr(debug_assertions, ignore = "all of it wants a release build")]
fn a_stopped_name_stays_stopped_whoever_crashes_and_comes_back() {
    let model = Ownership { crashes: 2, reboots: 2, stops: 1, ..QUIET };
    all_states("two crashes, two reboots, a stop", model);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "all of it wants a release build")]
fn two_nodes_agree_on_everything_that_can_happen_to_a_name() {
    let model = Ownership { nodes: 2, crashes: 1, reboots: 1, false_deaths: 2, stops: 1, ..QUIET };
    all_states("two nodes: a crash, a reboot, two false deaths, a stop", model);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "all of it wants a release build")]
fn a_name_outlives_one_of_each() {
    let model = Ownership { crashes: 1, reboots: 1, false_deaths: 1, stops: 1, ..QUIET };
    all_states("a crash, a reboot, a false death, a stop", model);
}

#[test]
fn logs_that_are_not_relayed_are_missed() {
    let model = Ownership { rule: Rule::LogsNotRelayed, crashes: 1, ..QUIET };
    counterexample("dead logs not relayed", model, NOBODY);
}

#[test]
fn names_that_a_new_boot_voids_are_missed() {
    let model = Ownership { rule: Rule::BootVoids, crashes: 1, reboots: 1, ..QUIET };
    counterexample("a new boot voids the old one's names", model, NOBODY);
}

#[test]
fn orphans_that_are_settled_by_a_flag_are_missed() {
    let model = Ownership { rule: Rule::SettledByFlag, crashes: 2, ..QUIET };
    counterexample("settled by a flag", model, NOBODY);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "the shortest way is long")]
fn a_tombstone_that_goes_before_all_of_the_dead_has_come_is_missed() {
    let rule = Rule::SettledBehind;
    let model = Ownership { rule, crashes: 2, reboots: 1, stops: 1, ..QUIET };
    counterexample("settled behind", model, BACK);
}

#[test]
fn a_handshake_that_is_not_bound_to_claims_is_missed() {
    let model = Ownership { rule: Rule::Unbound, nodes: 2, false_deaths: 2, ..QUIET };
    counterexample("a handshake not bound to claims", model, NOBODY);
}
