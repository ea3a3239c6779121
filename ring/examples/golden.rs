//! Prints `ring/tests/golden/v1.txt`:
//!
//! ```text
//! cargo run --package swarm-ring --example golden > ring/tests/golden/v1.txt
//! ```
//!
//! The file is frozen. It changes only together with `RING_VERSION`, because nodes of two releases
//! that place names differently run them twice.

#[path = "../tests/golden/mod.rs"]
mod golden;

fn main() {
    print!("{}", golden::text());
}
