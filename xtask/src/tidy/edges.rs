//! Which crate may use which: arrows point down only.

use super::{Problems, cargo, read};
use crate::Failure;
use serde::Deserialize;
use std::path::Path;

/// A crate's folder, what it may use, and what its tests may use besides.
type Row = (&'static str, &'static [&'static str], &'static [&'static str]);

/// The allowed edges. ARCHITECTURE.md shows the same table: a new edge changes both.
const ALLOWED: [Row; 12] = [
    ("base", &[], &[]),
    ("ring", &["base"], &[]),
    ("sim", &["base"], &[]),
    ("swim", &["base"], &["sim"]),
    ("link", &["base"], &["sim"]),
    ("process", &["base"], &[]),
    ("registry", &["base"], &["groups", "sim"]),
    ("groups", &["base", "registry"], &["sim"]),
    ("handoff", &["base", "ring"], &["sim"]),
    ("models", &["base", "handoff"], &[]),
    (
        "swarm",
        &["base", "groups", "handoff", "link", "process", "registry", "ring", "sim", "swim"],
        &[],
    ),
    ("xtask", &["base", "link", "sim", "swarm", "swim"], &[]),
];

pub(super) fn check(root: &Path) -> Result<Problems, Failure> {
    let metadata = cargo(root, &["metadata", "--format-version", "1", "--no-deps"])?;
    let metadata: Metadata = serde_json::from_str(&metadata)
        .map_err(|error| Failure::new(format!("cargo metadata: {error}")))?;
    let mut problems = new_edges(&metadata);
    if let Some(architecture) = read(&root.join("ARCHITECTURE.md"))? {
        problems.extend(missing_rows(&architecture));
    }
    Ok(problems)
}

fn new_edges(metadata: &Metadata) -> Problems {
    let mut problems = Vec::new();
    for package in &metadata.packages {
        let from = folder(&package.name);
        let Some((_, normal, dev)) = ALLOWED.iter().find(|(name, ..)| *name == from) else {
            problems.push(format!(
                "{from}/Cargo.toml: the crate is not in the table of allowed edges \
                 (xtask/src/tidy/edges.rs, ARCHITECTURE.md)"
            ));
            continue;
        };
        let ours = |name: &str| metadata.packages.iter().any(|package| package.name == name);
        for dependency in package.dependencies.iter().filter(|edge| ours(&edge.name)) {
            let to = folder(&dependency.name);
            let (allowed, use_) = match dependency.kind.as_deref() {
                Some("dev") => (normal.contains(&to) || dev.contains(&to), "use in its tests"),
                _ => (normal.contains(&to), "use"),
            };
            if !allowed {
                problems.push(format!(
                    "{from}/Cargo.toml: {from} may not {use_} {to}: a new edge is a change of \
                     the architecture (xtask/src/tidy/edges.rs, ARCHITECTURE.md)"
                ));
            }
        }
    }
    problems
}

fn missing_rows(architecture: &str) -> Problems {
    let rows = ALLOWED.iter().map(row).filter(|row| !architecture.lines().any(|line| line == row));
    rows.map(|row| format!("ARCHITECTURE.md: the table of allowed edges lacks the line {row}"))
        .collect()
}

fn row((name, normal, dev): &Row) -> String {
    let list = |names: &[&str]| match names {
        [] => "–".to_owned(),
        _ => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    };
    format!("| `{name}` | {} | {} |", list(normal), list(dev))
}

/// The folder of a package: `swarm-ring` lives in `ring`.
fn folder(package: &str) -> &str {
    package.strip_prefix("swarm-").unwrap_or(package)
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(edges: &[(&str, &str, Option<&str>)]) -> Problems {
        let name = |folder: &str| match folder {
            "swarm" | "xtask" => folder.to_owned(),
            _ => format!("swarm-{folder}"),
        };
        let mut packages: Vec<_> = ALLOWED
            .iter()
            .map(|(folder, ..)| Package { name: name(folder), dependencies: Vec::new() })
            .collect();
        for (from, to, kind) in edges {
            let dependency = Dependency { name: name(to), kind: kind.map(String::from) };
            match packages.iter_mut().find(|package| package.name == name(from)) {
                Some(package) => package.dependencies.push(dependency),
                None => packages.push(Package { name: name(from), dependencies: vec![dependency] }),
            }
        }
        new_edges(&Metadata { packages })
    }

    #[test]
    fn an_edge_of_the_table_passes() {
        let edges = [("ring", "base", None), ("groups", "registry", None)];
        assert!(found(&edges).is_empty());
        assert!(found(&[("swim", "sim", Some("dev")), ("swim", "base", Some("dev"))]).is_empty());
    }

    #[test]
    fn a_new_edge_is_found_and_named() {
        let problems = found(&[("base", "ring", None)]);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("base/Cargo.toml: base may not use ring"));
        assert_eq!(found(&[("swim", "sim", None)]).len(), 1, "only its tests may");
        assert_eq!(found(&[("ring", "sim", Some("dev"))]).len(), 1);
        assert_eq!(found(&[("base", "process", Some("build"))]).len(), 1);
    }

    #[test]
    fn a_crate_that_nobody_listed_is_found() {
        assert_eq!(found(&[("extra", "base", None)]).len(), 1);
    }

    #[test]
    fn a_line_that_the_architecture_lacks_is_found() {
        let table: Vec<String> = ALLOWED.iter().map(row).collect();
        assert!(missing_rows(&table.join("\n")).is_empty());
        assert_eq!(missing_rows(&table[1..].join("\n")).len(), 1);
        assert_eq!(row(&ALLOWED[7]), "| `groups` | `base`, `registry` | `sim` |");
    }

    #[test]
    fn arrows_point_down_only() {
        for (at, (name, normal, _)) in ALLOWED.iter().enumerate() {
            for used in *normal {
                let below = ALLOWED[..at].iter().any(|(lower, ..)| lower == used);
                assert!(below, "{name} uses {used}, which is not below it");
            }
        }
    }
}
