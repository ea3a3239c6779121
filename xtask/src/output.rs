//! What goes to stdout: what was asked for, and nothing else.

use crate::failure::Failure;
use std::fmt::Display;
use std::io::{ErrorKind, Write};

/// Writes a line. A reader that has seen enough and closed the pipe is no failure.
///
/// # Errors
///
/// Says why stdout does not take it, as where the disk is full.
pub(crate) fn line(line: impl Display) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("stdout does not take the result: {error}")))
        }
        _ => Ok(()),
    }
}
