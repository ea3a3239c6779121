//! Some commands are a matter of speed: a build that is not optimised gives way to one that is.

use crate::{Failure, root, step};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Becomes the same command in an optimised build, unless this is one. Signals reach it as they
/// would have reached this process, and its exit status is this one's.
///
/// # Errors
///
/// The optimised build cannot be started.
pub(crate) fn become_so() -> Result<(), Failure> {
    if !cfg!(debug_assertions) {
        return Ok(());
    }
    eprintln!("this build is not optimised: the same command in one that is");
    let error = Command::new(step::cargo())
        .args(["run", "--release", "--quiet", "--package", "xtask", "--"])
        .args(std::env::args_os().skip(1))
        .current_dir(root())
        .exec();
    Err(Failure::new(format!("cargo did not run: {error}")))
}
