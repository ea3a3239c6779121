//! Simulation is a matter of speed: a debug build passes the work on to an optimised one.

use super::Args;
use crate::{Failure, root, step};
use std::process::{Command, ExitCode};

/// Runs the same command in an optimised build, where this one is not. Tells how it ended.
pub(super) fn instead(args: &Args) -> Result<Option<ExitCode>, Failure> {
    if !cfg!(debug_assertions) {
        return Ok(None);
    }
    eprintln!("this build is not optimised: running `cargo run --release --package xtask -- sim`");
    let status = Command::new(step::cargo())
        .args(["run", "--release", "--quiet", "--package", "xtask", "--", "sim"])
        .args(line(args))
        .current_dir(root())
        .status()
        .map_err(|error| Failure::new(format!("cargo did not run: {error}")))?;
    Ok(Some(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
}

/// The arguments as one would type them.
fn line(args: &Args) -> Vec<String> {
    let mut line = vec![format!("--nodes={}-{}", args.nodes.start(), args.nodes.end())];
    match args.seed {
        Some(seed) => line.push(format!("--seed={seed}")),
        None => line.extend([format!("--seeds={}", args.seeds), format!("--from={}", args.from)]),
    }
    line.extend(args.packets.then(|| "--packets".to_owned()));
    line.extend(args.json.then(|| "--json".to_owned()));
    line
}
