//! The properties, one file each (G1 to G9, P1, P2, P4): what must hold, and a history that
//! violates it. P3 speaks of messages, which this world does not have: the checks of whole nodes
//! judge it.

mod choice;
mod ends;
mod equality;
mod exits;
mod flapping;
mod ghosts;
mod grants;
mod kept;
mod members;
mod moves;
mod owners;
mod progress;
mod reading;
mod removal;
mod stories;

mod histories;

use crate::host::SimNode;
use crate::scenario::Kind;
use crate::truth::{Hosts, Shared, Truth};
use std::rc::Rc;
use swarm_sim::Check;

/// Every checker.
pub(crate) fn all(truth: &Shared, kind: Kind) -> Vec<Box<dyn Check<SimNode>>> {
    let truth = || Rc::clone(truth);
    vec![
        Box::new(equality::Equality::new(truth(), kind)),
        Box::new(stories::Stories::default()),
        Box::new(owners::Owners::new(truth(), kind)),
        Box::new(kept::Kept::new(truth())),
        Box::new(ghosts::Ghosts::new(truth(), kind)),
        Box::new(grants::Grants::new(truth())),
        Box::new(removal::Removal::new(truth())),
        Box::new(choice::Choice::default()),
        Box::new(flapping::Flapping::new(kind)),
        Box::new(progress::Progress::new(truth())),
        Box::new(members::Members::new(truth())),
        Box::new(exits::Exits::new(truth(), kind)),
        Box::new(moves::Moves::new(truth())),
    ]
}

/// What is not yet as it must be in the end, if anything. First what comes last and is soon found:
/// it is asked fifty times a second, of up to 100,000 names.
pub(crate) fn lack(truth: &Truth, hosts: &Hosts) -> Option<String> {
    progress::lack(hosts)
        .or_else(|| equality::lack(hosts))
        .or_else(|| removal::lack(truth, hosts))
        .or_else(|| owners::lack(truth, hosts))
        .or_else(|| members::lack(truth, hosts))
}
