//! Names and groups in thousands of worlds: any faults, and the properties G1 to G9, P1, P2, P4.

mod agreement;
mod bulk;
mod checks;
mod host;
mod member;
mod news;
mod program;
mod run;
mod scenario;
mod truth;
