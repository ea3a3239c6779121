//! The membership protocol in thousands of worlds: any faults, and the properties M1 to M8.

mod checks;
mod node;
mod run;
mod scenario;
mod sky;
