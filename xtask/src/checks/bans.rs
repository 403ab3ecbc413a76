//! Crates that must not be in the graph, and requirements of any version.

use crate::{
    policy::{Bans, Level},
    workspace::{Package, Workspace},
};

/// Crates in the graph that are banned.
pub(crate) fn banned(packages: &[Package], rules: &Bans) -> Vec<String> {
    let bans = rules.deny.iter().filter(|ban| !ban.deny_multiple_versions);
    bans.flat_map(|ban| {
        packages.iter().filter(|package| package.name == ban.name).map(|Package { name, version, .. }| {
            let reason = ban.reason.as_deref().map_or_else(String::new, |reason| format!(": {reason}"));
            format!("{name} {version} is in the graph, and deny.toml bans it{reason}")
        })
    })
    .collect()
}

/// Requirements of any version that a member of the workspace has.
pub(crate) fn wildcards(workspace: &Workspace, rules: &Bans) -> Vec<String> {
    if rules.wildcards != Level::Deny {
        return Vec::new();
    }
    let members = workspace.members.iter();
    members
        .flat_map(|member| {
            let wild = member.wildcards.iter().filter(|wild| !(wild.is_path && rules.allow_wildcard_paths));
            wild.map(|wild| format!("{} takes {} in any version", member.name, wild.name))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checks::fixture::{package, workspace},
        policy::Policy,
        workspace::Wildcard,
    };

    fn rules() -> Bans {
        Policy::parse(include_str!("../../../deny.toml")).unwrap().bans
    }

    #[test]
    fn a_banned_crate_is_found_with_its_reason() {
        let packages = [package("openssl-sys 0.9.0 -", false), package("tokio 1.0.0 -", false)];
        let found = banned(&packages, &rules());
        assert_eq!(found, ["openssl-sys 0.9.0 is in the graph, and deny.toml bans it: TLS is rustls"]);
    }

    #[test]
    fn any_version_is_for_crates_of_the_workspace_only() {
        let mut workspace = workspace(&[("crates/a", &[])]);
        let wild = |name: &str, is_path| Wildcard { name: name.to_owned(), is_path };
        workspace.members[0].wildcards = vec![wild("b", true), wild("serde", false)];
        assert_eq!(wildcards(&workspace, &rules()), ["a takes serde in any version"]);
        let mut strict = rules();
        strict.allow_wildcard_paths = false;
        assert_eq!(wildcards(&workspace, &strict).len(), 2);
    }
}
