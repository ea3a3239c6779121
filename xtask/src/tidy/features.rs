//! Features that are for tests: off by default, and on nowhere but here.

use super::{Problems, cargo};
use crate::Failure;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Features with which a node does what no user wants.
const FOR_TESTS: [&str; 1] = ["fail-points"];

/// Who may have them on.
const TESTER: &str = "xtask";

pub(super) fn check(root: &Path) -> Result<Problems, Failure> {
    let metadata = cargo(root, &["metadata", "--format-version", "1", "--no-deps"])?;
    let metadata: Metadata = serde_json::from_str(&metadata)
        .map_err(|error| Failure::new(format!("cargo metadata: {error}")))?;
    Ok(metadata.packages.iter().flat_map(enabled).collect())
}

/// Where a package has such a feature on: by default, by another feature, or in what it uses.
fn enabled(package: &Package) -> Problems {
    if package.name == TESTER {
        return Problems::new();
    }
    let name = &package.name;
    let is_one =
        |feature: &str| FOR_TESTS.iter().any(|one| feature.split('/').any(|it| it == *one));
    let by_features = package.features.iter().filter(|(feature, _)| !is_one(feature));
    let by_features = by_features.flat_map(|(feature, enables)| {
        let enables = enables.iter().filter(|enabled| is_one(enabled));
        enables.map(move |enabled| format!("{name}: the feature {feature} has {enabled} on"))
    });
    let by_uses = package.dependencies.iter().flat_map(|used| {
        let on = used.features.iter().filter(|feature| is_one(feature));
        on.map(|feature| format!("{name}: uses {} with {feature}, which is for tests", used.name))
    });
    by_features.chain(by_uses).collect()
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    features: BTreeMap<String, Vec<String>>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    features: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, features: &[(&str, &[&str])], uses: &[&str]) -> Package {
        let list = |features: &[&str]| features.iter().map(ToString::to_string).collect();
        let features = features.iter().map(|(name, on)| ((*name).to_owned(), list(on)));
        let dependency = Dependency { name: "swarm".to_owned(), features: list(uses) };
        Package {
            name: name.to_owned(),
            features: features.collect(),
            dependencies: vec![dependency],
        }
    }

    #[test]
    fn a_feature_for_tests_is_off_wherever_nobody_asks_for_it() {
        assert!(
            enabled(&package("swarm", &[("fail-points", &[]), ("default", &[])], &[])).is_empty()
        );
        assert!(enabled(&package("xtask", &[], &["sim", "fail-points"])).is_empty());
        assert_eq!(enabled(&package("swarm", &[("default", &["fail-points"])], &[])).len(), 1);
        assert_eq!(enabled(&package("a", &[("all", &["swarm/fail-points"])], &[])).len(), 1);
        assert_eq!(enabled(&package("a", &[], &["fail-points"])).len(), 1);
        assert!(enabled(&package("a", &[("default", &["sim"])], &["sim"])).is_empty());
    }
}
