//! What decides runs without a runtime: no core pulls in tokio or quinn.

use super::{Problems, cargo};
use crate::Failure;
use std::path::Path;

/// The crates that can be picked without a runtime.
const CORES: [&str; 8] = ["base", "ring", "sim", "swim", "link", "registry", "groups", "handoff"];

const RUNTIME: [&str; 5] = ["tokio", "quinn", "quinn-proto", "quinn-udp", "mio"];

pub(super) fn check(root: &Path) -> Result<Problems, Failure> {
    let mut problems = Vec::new();
    for core in CORES {
        let package = format!("swarm-{core}");
        let args = ["tree", "--package", &package, "--edges", "normal", "--no-default-features"];
        let tree = cargo(root, &[&args[..], &["--prefix", "none", "--format", "{p}"]].concat())?;
        problems.extend(runtimes_in(core, &tree));
    }
    Ok(problems)
}

fn runtimes_in(core: &str, tree: &str) -> Problems {
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    let mut found: Vec<&str> = names.filter(|name| RUNTIME.contains(name)).collect();
    found.sort_unstable();
    found.dedup();
    found
        .into_iter()
        .map(|name| format!("{core}/Cargo.toml: {core} is a core, and {name} comes with it"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_in_a_core_is_found_once() {
        let tree =
            "swarm-swim v0.1.0 (/x)\nserde v1.0.0\ntokio v1.54.0\nmio v1.0.0\ntokio v1.54.0 (*)";
        assert_eq!(
            runtimes_in("swim", tree),
            [
                "swim/Cargo.toml: swim is a core, and mio comes with it",
                "swim/Cargo.toml: swim is a core, and tokio comes with it",
            ]
        );
    }

    #[test]
    fn what_is_only_called_alike_passes() {
        assert!(runtimes_in("swim", "tokio-util-like v1.0.0\nserde v1.0.0").is_empty());
    }
}
