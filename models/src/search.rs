//! Visiting all states of a model, and finding the shortest way to a broken promise.

use stateright::{Checker, Expectation, HasDiscoveries, Model};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// What a model wants of its states and steps.
pub trait Searchable:
    Model<State: Clone + Debug + PartialEq + Hash + Send + Sync, Action: Clone + Debug + PartialEq>
    + Send
    + Sync
    + 'static
{
}

impl<M> Searchable for M
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + PartialEq + Hash + Send + Sync,
    M::Action: Clone + Debug + PartialEq,
{
}

/// Visits every state and returns how many there are.
///
/// # Panics
///
/// If a promise is broken somewhere, with the way there; if a state that is said to occur occurs
/// nowhere; and after ten minutes, for then not all has been visited.
pub fn all_states<M: Searchable>(what: &str, model: M) -> usize {
    let began = now();
    let wanted: Vec<_> = model
        .properties()
        .into_iter()
        .map(|property| (property.name, property.expectation))
        .collect();
    let search = model.checker().threads(THREADS).timeout(PATIENCE).spawn_dfs().join();
    for (name, expectation) in wanted {
        let found = search.discovery(name);
        match expectation {
            Expectation::Sometimes => assert!(found.is_some(), "{what}: {name} never happens"),
            _ => {
                if let Some(path) = found {
                    panic!("{what}: broken: {name}\n{}", steps(&path.into_actions()));
                }
            }
        }
    }
    assert!(search.is_done(), "{what}: not all states were visited");
    let (states, took) = (search.unique_state_count(), began.elapsed());
    println!("{what}: holds in all of {states} states ({took:.1?})");
    assert!(took < PATIENCE, "{what}: the search ran out of time");
    states
}

/// Finds a shortest way to a state in which `promise` is broken, and returns its length.
///
/// # Panics
///
/// If there is none: the checker is blind to this variant.
pub fn counterexample<M: Searchable + Clone>(what: &str, model: M, promise: &'static str) -> usize {
    // As deep as it takes and no deeper: the search itself tells of some way, not of a shortest.
    for depth in 1..=DEPTH_MAX {
        let stop = HasDiscoveries::AnyOf(BTreeSet::from([promise]));
        let search = model.clone().checker().finish_when(stop).target_max_depth(depth);
        let search = search.threads(THREADS).spawn_bfs().join();
        if let Some(path) = search.discovery(promise) {
            let actions = path.into_actions();
            let (n, states) = (actions.len(), search.unique_state_count());
            println!("{what}: {promise}: broken in {n} steps, found among {states} states");
            println!("{}", steps(&actions));
            return n;
        }
    }
    panic!("{what}: {promise} was not seen broken in {DEPTH_MAX} steps");
}

fn steps<A: Debug>(actions: &[A]) -> String {
    let lines = (1..).zip(actions).map(|(number, action)| format!("  {number:2}. {action:?}"));
    lines.collect::<Vec<_>>().join("\n")
}

#[allow(clippy::disallowed_methods, reason = "how long a search takes decides nothing in it")]
fn now() -> Instant {
    Instant::now()
}

/// As many as the smallest machine that the tests run on has cores.
const THREADS: usize = 2;

/// No counterexample that is known is longer.
const DEPTH_MAX: usize = 40;

/// Many times what a search takes on an idle machine.
const PATIENCE: Duration = Duration::from_secs(600);
