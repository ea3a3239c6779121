//! The composed node in a simulated world: whole clusters in one thread, from one seed.
//!
//! A world holds three to eight real nodes, with every machine and the real codec. Their processes
//! are stubs that count messages; clients register, stop, join and send; nodes drain and leave; and
//! the network and the nodes suffer what [`swarm_sim`] has to offer. Checkers watch: see
//! [`run_seed`], and `cargo xtask sim`, which runs many.
//!
//! No part of the crate's interface for users: whatever is here may change at any time.

mod checks;
mod clients;
mod defect;
mod frame;
mod host;
mod make;
mod news;
mod processes;
mod scenario;
mod standing;
mod temper;
mod truth;

pub use defect::Defect;
pub use scenario::{Options, run_seed};

#[cfg(test)]
mod cut_off;
#[cfg(test)]
mod escalated;
#[cfg(test)]
mod few;
#[cfg(test)]
mod referred;
#[cfg(test)]
mod tests;
