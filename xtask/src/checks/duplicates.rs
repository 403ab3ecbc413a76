//! One version of each heavy crate.

use std::collections::{BTreeMap, BTreeSet};

use crate::workspace::Package;

/// Crates of the list that the graph holds in more than one version.
pub(crate) fn duplicated(packages: &[Package], heavy: &[&str]) -> Vec<String> {
    let mut versions: BTreeMap<&str, BTreeSet<_>> = BTreeMap::new();
    for package in packages.iter().filter(|package| heavy.contains(&package.name.as_str())) {
        versions.entry(&package.name).or_default().insert(&package.version);
    }
    versions
        .into_iter()
        .filter(|(_, versions)| versions.len() > 1)
        .map(|(name, versions)| {
            let versions: Vec<_> = versions.into_iter().map(ToString::to_string).collect();
            format!(
                "{name} is in the graph in {} versions ({}): `cargo tree --invert {name}@VERSION` shows who wants which",
                versions.len(),
                versions.join(", ")
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixture::package;

    #[test]
    fn two_versions_of_a_heavy_crate_are_one_problem() {
        let graph = ["tokio 1.2.0 -", "tokio 0.3.1 -", "tokio 1.2.0 -", "rand 0.8.0 -", "rand 0.9.0 -"]
            .map(|text| package(text, false));
        let found = duplicated(&graph, &["tokio", "serde"]);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("tokio is in the graph in 2 versions (0.3.1, 1.2.0)"));
    }

    #[test]
    fn one_version_is_fine() {
        let graph = ["tokio 1.2.0 -", "serde 1.0.0 -"].map(|text| package(text, false));
        assert_eq!(duplicated(&graph, &["tokio", "serde"]), [""; 0]);
    }
}
