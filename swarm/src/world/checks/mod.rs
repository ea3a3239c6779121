//! One checker for each property.
//!
//! What must hold at every moment is judged at every event; what must hold once all is well, at
//! the end, by a function that also tells while the world converges whether it holds yet.

mod answers;
mod below;
mod boots;
mod conflicts;
mod groups;
#[cfg(test)]
mod history;
mod instances;
mod majority;
mod messages;
mod queues;
mod seats;
mod state;
mod survival;
mod views;
mod waited;

pub(crate) use seats::Seated;
pub(crate) use waited::Waiting;

use super::host::SimNode;
use super::truth::{Hosts, Shared, Truth, Witness, present};
use swarm_sim::Check;

/// The checkers of every world. The witness comes first: the others ask it.
pub(crate) fn all(truth: &Shared) -> Vec<Box<dyn Check<SimNode>>> {
    vec![
        Box::new(Witness { truth: truth.clone(), seen: 0 }),
        Box::new(views::Views::default()),
        Box::new(boots::Boots::default()),
        Box::new(instances::AtMostOne::new(truth.clone())),
        Box::new(instances::ExactlyOne::new(truth.clone())),
        Box::new(survival::Survival::new(truth.clone())),
        Box::new(survival::Stopped::new(truth.clone())),
        Box::new(state::State::new(truth.clone())),
        Box::new(groups::Groups::new(truth.clone())),
        Box::new(messages::Messages::new(truth.clone())),
        Box::new(queues::Queues::default()),
        Box::new(answers::Answers::default()),
    ]
}

/// Those that judge names without a quorum, where a split leaves two processes of a name.
pub(crate) fn without_quorum(truth: &Shared) -> Vec<Box<dyn Check<SimNode>>> {
    vec![Box::new(conflicts::Conflicts::new(truth.clone()))]
}

/// Those that judge names under a quorum.
pub(crate) fn under_quorum(truth: &Shared) -> Vec<Box<dyn Check<SimNode>>> {
    vec![
        Box::new(below::Below::new(truth.clone())),
        Box::new(majority::Majority::new(truth.clone())),
        Box::new(waited::Waited::new(truth.clone())),
        Box::new(seats::Seats::new(truth.clone())),
    ]
}

/// What is not yet as it must be in the end, if anything: the property, and a sentence.
pub(crate) fn lack(truth: &Truth, hosts: &Hosts) -> Option<String> {
    let named = |property: &str, lack: Option<String>| {
        lack.map(|sentence| format!("{property}: {sentence}"))
    };
    named(views::NAME, views::lack(hosts))
        .or_else(|| named(waited::NAME, waited::lack(truth, hosts)))
        .or_else(|| named(seats::NAME, seats::lack(truth)))
        .or_else(|| named(instances::EXACTLY_ONE, instances::lack(truth, hosts)))
        .or_else(|| named(survival::LOST, survival::lost(truth, hosts)))
        .or_else(|| named(survival::BACK, survival::back(truth, hosts)))
        .or_else(|| named(groups::NAME, groups::lack(truth, hosts)))
        .or_else(|| named(queues::NAME, queues::lack(hosts)))
}
