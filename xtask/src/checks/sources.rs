//! Places that the crates in the graph come from.

use crate::{
    policy::{Level, Sources},
    workspace::Package,
};

/// Crates that come from a place that the rules do not allow.
pub(crate) fn wrong_sources(packages: &[Package], rules: &Sources) -> Vec<String> {
    let problem = |package: &Package| {
        let Package { name, version, .. } = package;
        let Some(source) = &package.source else {
            return (!package.member).then(|| format!("{name} {version} comes from a folder outside of the workspace"));
        };
        let is_allowed = match source.split_once('+') {
            Some(("registry" | "sparse", address)) => {
                rules.unknown_registry != Level::Deny || is_listed(address, &rules.allow_registry)
            }
            Some(("git", address)) => {
                let address = address.split(['?', '#']).next().unwrap_or_default();
                rules.unknown_git != Level::Deny || is_listed(address, &rules.allow_git)
            }
            _ => false,
        };
        (!is_allowed).then(|| format!("{name} {version} comes from {source}, which deny.toml does not allow"))
    };
    packages.iter().filter_map(problem).collect()
}

/// Whether an address is in a list. The two addresses of the public registry are one.
fn is_listed(address: &str, list: &[String]) -> bool {
    let index = "https://github.com/rust-lang/crates.io-index";
    let address = if address.trim_end_matches('/') == "https://index.crates.io" { index } else { address };
    list.iter().any(|listed| listed.trim_end_matches('/') == address.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{checks::fixture::package, policy::Policy};

    #[test]
    fn everything_comes_from_the_public_registry() {
        let rules = Policy::parse(include_str!("../../../deny.toml")).unwrap().sources;
        let found = |source: Option<&str>, member| {
            let mut package = package("left 1.0.0 -", member);
            package.source = source.map(str::to_owned);
            wrong_sources(&[package], &rules).len()
        };
        assert_eq!(found(Some("registry+https://github.com/rust-lang/crates.io-index"), false), 0);
        assert_eq!(found(Some("sparse+https://index.crates.io/"), false), 0);
        assert_eq!(found(None, true), 0);
        assert_eq!(found(None, false), 1);
        assert_eq!(found(Some("registry+https://registry.example/index"), false), 1);
        assert_eq!(found(Some("git+https://github.com/left/left?branch=main#abc"), false), 1);
        let own = Sources { allow_git: vec!["https://github.com/left/left".to_owned()], ..rules };
        let mut package = package("left 1.0.0 -", false);
        package.source = Some("git+https://github.com/left/left?branch=main#abc".to_owned());
        assert_eq!(wrong_sources(&[package], &own), [""; 0]);
    }
}
