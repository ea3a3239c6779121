//! `cargo xtask tidy`: the rules of the house that no compiler checks.

mod docs;
mod edges;
mod features;
mod runtime;
mod source;
mod strip;

use crate::{Failure, output, root};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write the problems as JSON, a list of sentences
    #[arg(long)]
    json: bool,
}

/// Prints every problem.
///
/// # Errors
///
/// Says how many there are, or what could not be read.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let root = root();
    let mut problems = edges::check(root)?;
    problems.extend(features::check(root)?);
    problems.extend(source::check(root)?);
    problems.extend(runtime::check(root)?);
    problems.extend(docs::check(root)?);
    if args.json {
        output::line(serde_json::Value::from(problems.clone()))?;
    } else {
        problems.iter().try_for_each(output::line)?;
    }
    match problems.len() {
        0 => Ok(()),
        1 => Err(Failure::new("tidy found a problem")),
        n => Err(Failure::new(format!("tidy found {n} problems"))),
    }
}

/// What one check finds: a sentence for each problem, which begins with the place.
type Problems = Vec<String>;

/// A file's text, or `None` where there is no such file.
fn read(path: &std::path::Path) -> Result<Option<String>, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::new(format!("{}: {error}", path.display()))),
    }
}

/// What `cargo` with `args` prints.
fn cargo(root: &std::path::Path, args: &[&str]) -> Result<String, Failure> {
    let failure =
        |why: &dyn std::fmt::Display| Failure::new(format!("cargo {}: {why}", args.join(" ")));
    let output = std::process::Command::new(crate::step::cargo())
        .args(args)
        .current_dir(root)
        .output()
        .map_err(|error| failure(&error))?;
    if !output.status.success() {
        return Err(failure(&String::from_utf8_lossy(&output.stderr).trim()));
    }
    String::from_utf8(output.stdout).map_err(|error| failure(&error))
}
