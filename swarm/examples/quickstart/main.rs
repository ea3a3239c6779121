//! The quick start of the README, as an example that runs.

include!("../quickstart.rs");
