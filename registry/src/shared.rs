//! What readers and a writer of one table share: the locks of the standard library, or those of
//! shuttle, which tries out the orders in which threads meet (`tests/interleavings.rs`).

#[cfg(not(shuttle))]
pub(crate) use std::sync::{RwLock, atomic::AtomicUsize};

#[cfg(shuttle)]
pub(crate) use shuttle::sync::{RwLock, atomic::AtomicUsize};
