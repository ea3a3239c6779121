//! The membership protocol in a simulated world.

mod bytes;
mod failure;
mod flood;
mod group;
mod joining;
mod keys;
mod names;
mod partition;
mod proof;
