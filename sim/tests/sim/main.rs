//! The world, seen from outside: what each fault does to a node, that nothing crosses lives, that
//! checkers stop a run, and that a seed replays.

mod chaos;
mod checks;
mod datagrams;
mod meshed;
mod nodes;
mod probe;
mod sessions;
mod toy;

use std::time::Duration;
use swarm_base::Instant;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn at(millis: u64) -> Instant {
    Instant::after_start(ms(millis))
}
