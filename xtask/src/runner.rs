//! Which program runs the tests: cargo-nextest where it is installed, else cargo itself.

use crate::root;
use crate::step::{Step, cargo};
use std::process::{Command, Stdio};

/// All tests but those of whole clusters, and the examples in the docs.
pub(crate) fn unit() -> Vec<Step> {
    let mut steps = match Runner::find() {
        Runner::Nextest => {
            vec![nextest("tests").arg("not (package(=swarm) & kind(test))")]
        }
        Runner::Cargo => vec![
            Step::cargo("tests", "test --workspace --exclude swarm --lib --bins --tests"),
            Step::cargo("tests", "test --package swarm --lib"),
        ],
    };
    steps.push(Step::cargo("doc tests", "test --doc --workspace"));
    steps.into_iter().map(Step::test_runner).collect()
}

/// The tests of the facade from outside: whole clusters with real sockets, and compile errors.
pub(crate) fn integration() -> Vec<Step> {
    if !root().join("swarm/tests").is_dir() {
        return Vec::new();
    }
    let step = match Runner::find() {
        Runner::Nextest => nextest("clusters").arg("package(=swarm) & kind(test)"),
        Runner::Cargo => Step::cargo("clusters", "test --package swarm --test *"),
    };
    vec![step.test_runner()]
}

/// All of the workspace is built in either case: a choice of packages would unify other features,
/// and so build the dependencies twice.
fn nextest(name: &'static str) -> Step {
    Step::cargo(name, "nextest run --workspace --no-fail-fast --status-level slow -E")
}

enum Runner {
    Nextest,
    Cargo,
}

impl Runner {
    fn find() -> Self {
        let found = Command::new(cargo())
            .args(["nextest", "--version"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if found {
            return Self::Nextest;
        }
        eprintln!(
            "cargo-nextest is not installed: `cargo test` runs the tests, one binary at a time"
        );
        Self::Cargo
    }
}
