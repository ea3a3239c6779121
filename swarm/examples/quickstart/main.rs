//! The quick start of the README, as an example that runs.
#![allow(clippy::use_self, reason = "it is printed as it stands")]

include!("../quickstart.rs");
