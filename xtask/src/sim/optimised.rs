//! Simulation is a matter of speed: a debug build passes the work on to an optimised one.

use crate::{Failure, root, step};
use std::process::{Command, ExitCode};

/// Runs the same command in an optimised build, where this one is not. Tells how it ended.
pub(super) fn instead() -> Result<Option<ExitCode>, Failure> {
    if !cfg!(debug_assertions) {
        return Ok(None);
    }
    eprintln!("this build is not optimised: running `cargo run --release --package xtask -- sim`");
    let status = Command::new(step::cargo())
        .args(["run", "--release", "--quiet", "--package", "xtask", "--"])
        .args(std::env::args_os().skip(1))
        .current_dir(root())
        .status()
        .map_err(|error| Failure::new(format!("cargo did not run: {error}")))?;
    Ok(Some(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
}
