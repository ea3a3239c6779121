//! What every source file has, and what none may have.

use super::Problems;
use super::strip::{code_only, is_word};
use crate::Failure;
use std::path::{Path, PathBuf};

/// A file above this has a second subject.
const LINES_MAX: usize = 600;

/// What stands for code that is still to be written, or for a look that is over.
const LEFTOVERS: [&str; 3] = ["todo", "unimplemented", "dbg"];

pub(super) fn check(root: &Path) -> Result<Problems, Failure> {
    let mut problems = Vec::new();
    for path in sources(root)? {
        let text = super::read(&root.join(&path))?.unwrap_or_default();
        problems.extend(check_file(&path, &text));
    }
    Ok(problems)
}

fn check_file(path: &Path, text: &str) -> Problems {
    let mut problems = Vec::new();
    if !text.starts_with("//!") && !goes_without_header(path) {
        problems.push(format!("{}: no header: begin with `//!` and its subject", path.display()));
    }
    let n_lines = text.lines().count();
    if n_lines > LINES_MAX {
        problems.push(format!(
            "{}: {n_lines} lines, {LINES_MAX} at most: give the second subject a file",
            path.display()
        ));
    }
    for (number, line) in (1..).zip(code_only(text).lines()) {
        let place = format!("{}:{number}", path.display());
        for name in LEFTOVERS.into_iter().filter(|name| calls(line, name)) {
            problems.push(format!("{place}: `{name}!` is left over"));
        }
        if ignores_silently(line) {
            problems.push(format!("{place}: a test is ignored without a reason beside it"));
        }
    }
    problems
}

/// Cases of the compiler's errors hold nothing but the case; the quick start is the README's.
fn goes_without_header(path: &Path) -> bool {
    path.parent().is_some_and(|folder| folder.ends_with("tests/ui"))
        || path == Path::new(super::docs::QUICKSTART)
}

/// Whether `line` calls the macro `name`.
fn calls(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        line[at + name.len()..].trim_start().starts_with('!')
            && !line[at + name.len()..].trim_start().starts_with("!=")
            && !line[..at].ends_with(is_word)
    })
}

/// Whether `line` has the attribute `ignore` without a reason.
fn ignores_silently(line: &str) -> bool {
    let line: String = line.split_whitespace().collect();
    line.contains("#[ignore]") || line.contains("cfg_attr(") && line.contains(",ignore)]")
}

/// Every Rust file of the workspace, relative to `root`, in order.
fn sources(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let failure =
            |error: std::io::Error| Failure::new(format!("{}: {error}", folder.display()));
        for entry in std::fs::read_dir(&folder).map_err(failure)? {
            let entry = entry.map_err(failure)?;
            let (path, name) = (entry.path(), entry.file_name());
            let hidden = name.to_string_lossy().starts_with('.');
            if entry.file_type().map_err(failure)?.is_dir() {
                if !hidden && name != "target" {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path.strip_prefix(root).expect("it is below the root").to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Problems {
        check_file(Path::new(path), text)
    }

    #[test]
    fn a_file_in_order_passes() {
        let text = "//! Subject.\n\n// todo!() in a comment\nconst X: &str = \"dbg!(x)\";\n";
        assert!(found("ring/src/ring.rs", text).is_empty());
    }

    #[test]
    fn a_file_without_header_is_found() {
        assert_eq!(found("ring/src/ring.rs", "use x;\n").len(), 1);
        assert_eq!(found("ring/src/ring.rs", "// Subject.\n").len(), 1);
        assert!(found("swarm/tests/ui/case.rs", "use x;\n").is_empty());
        assert!(found("swarm/examples/quickstart.rs", "use x;\n").is_empty());
        assert_eq!(found("swarm/examples/device.rs", "use x;\n").len(), 1);
    }

    #[test]
    fn a_file_of_two_subjects_is_found() {
        let lines = |n: usize| format!("//! Subject.\n{}", "\n".repeat(n - 1));
        assert!(found("a.rs", &lines(600)).is_empty());
        assert_eq!(
            found("a.rs", &lines(601)),
            ["a.rs: 601 lines, 600 at most: give the second subject a file"]
        );
    }

    #[test]
    fn what_is_left_over_is_found_where_it_stands() {
        let check = |code: &str, problem: &str| {
            assert_eq!(found("a.rs", &format!("//! Subject.\n{code}\n")), [problem]);
        };
        check("fn f() { todo!() }", "a.rs:2: `todo!` is left over");
        check("fn f() { std::todo ! (\"later\") }", "a.rs:2: `todo!` is left over");
        check("let x = dbg!(y);", "a.rs:2: `dbg!` is left over");
        check("/* \n */ unimplemented!()", "a.rs:3: `unimplemented!` is left over");
        assert!(found("a.rs", "//! S.\nif todo != 1 {}\nmydbg!(x);\n").is_empty());
    }

    #[test]
    fn a_test_that_never_runs_needs_a_reason() {
        assert_eq!(found("a.rs", "//! S.\n#[ignore]\nfn f() {}\n").len(), 1);
        assert_eq!(found("a.rs", "//! S.\n#[cfg_attr(windows, ignore)]\nfn f() {}\n").len(), 1);
        assert!(found("a.rs", "//! S.\n#[ignore = \"needs root\"]\nfn f() {}\n").is_empty());
    }
}
