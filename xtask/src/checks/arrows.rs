//! Who depends on whom.

use std::collections::BTreeSet;

use crate::{
    architecture::{Arrows, Forbidden},
    workspace::{Member, TreeEntry, Workspace},
};

/// Dependencies between workspace crates that the table does not allow, and crates that the table does not know.
pub(crate) fn wrong_arrows(workspace: &Workspace, table: &[Arrows], leaf_folders: &[&str]) -> Vec<String> {
    let is_leaf = |member: &Member| leaf_folders.iter().any(|leaf| member.folder.starts_with(leaf));
    let mut problems = Vec::new();
    for member in &workspace.members {
        let inside = member.dependencies.iter().filter_map(|name| workspace.member(name));
        if is_leaf(member) {
            problems.extend(
                inside.filter(|other| is_leaf(other)).map(|other| {
                    format!("{} must not depend on {}: nothing depends on a leaf", member.name, other.name)
                }),
            );
            continue;
        }
        let Some(arrows) = table.iter().find(|arrows| arrows.from == member.name) else {
            problems.push(format!("{} has no line in the table of arrows (xtask/src/architecture.rs)", member.name));
            continue;
        };
        problems.extend(inside.filter(|other| !arrows.to.contains(&other.name.as_str())).map(|other| {
            let allowed = match arrows.to {
                [] => "no workspace crate".to_owned(),
                names => format!("only {}", names.join(", ")),
            };
            format!("{} must not depend on {}: it may depend on {allowed}", member.name, other.name)
        }));
    }
    problems
}

/// Crates in a tree that the rule forbids there.
pub(crate) fn forbidden_crates(tree: &BTreeSet<TreeEntry>, rule: &Forbidden) -> Vec<String> {
    tree.iter()
        .filter(|(name, _)| rule.crates.contains(&name.as_str()))
        .map(|(name, version)| format!("{} has {name} {version} in its tree, but {}", rule.tree_of, rule.why))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        architecture::{ARROWS, LEAF_FOLDERS},
        checks::fixture::workspace,
    };

    /// The problems of a made-up workspace under the project's own table.
    fn problems(members: &[(&str, &[&str])]) -> Vec<String> {
        wrong_arrows(&workspace(members), ARROWS, LEAF_FOLDERS)
    }

    #[test]
    fn the_intended_workspace_passes() {
        let all = ["statsig-core", "statsig-net", "statsig-logger", "statsig-store-redis"];
        let found = problems(&[
            ("crates/statsig-core", &["serde"]),
            ("crates/statsig-net", &["statsig-core", "tokio"]),
            ("crates/statsig-logger", &["statsig-core"]),
            ("crates/statsig-store-redis", &["statsig-adapters", "redis"]),
            ("crates/statsig-oss", &all),
            ("crates/statsig-forward-proxy", &all),
            ("crates/statsig-cli", &["statsig-oss", "statsig-forward-proxy"]),
            ("integration-tests", &["statsig-oss", "statsig-cli"]),
            ("examples/quickstart", &["statsig-oss"]),
            ("examples/exposures-to-file", &["statsig-oss"]),
            ("xtask", &["clap"]),
        ]);
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn the_core_depends_on_the_adapters_only() {
        let found = problems(&[("crates/statsig-core", &["xtask", "serde"]), ("xtask", &[])]);
        assert_eq!(found, ["statsig-core must not depend on xtask: it may depend on only statsig-adapters"]);
    }

    #[test]
    fn the_crates_with_io_never_import_each_other() {
        let siblings = ["statsig-net", "statsig-logger", "statsig-store-redis"];
        for from in siblings {
            for to in siblings.into_iter().filter(|to| *to != from) {
                let found = problems(&[(from, &["statsig-adapters", to]), (to, &[])]);
                assert_eq!(found.len(), 1, "{found:?}");
                assert!(found[0].starts_with(&format!("{from} must not depend on {to}: ")), "{found:?}");
            }
        }
    }

    #[test]
    fn no_library_depends_on_the_facade() {
        for from in ["statsig-core", "statsig-net", "statsig-forward-proxy"] {
            assert_eq!(problems(&[(from, &["statsig-oss"]), ("statsig-oss", &[])]).len(), 1, "{from}");
        }
    }

    #[test]
    fn a_crate_outside_the_table_is_reported() {
        assert!(problems(&[("crates/brand-new", &[])])[0].starts_with("brand-new has no line"));
    }

    #[test]
    fn nothing_depends_on_an_example() {
        let found = problems(&[
            ("examples/first", &["statsig-oss"]),
            ("examples/second", &["first"]),
            ("crates/statsig-oss", &["first"]),
        ]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("second must not depend on first"), "{found:?}");
        assert!(found[1].starts_with("statsig-oss must not depend on first"), "{found:?}");
    }

    #[test]
    fn a_forbidden_crate_is_found_by_its_exact_name() {
        let rule = Forbidden { tree_of: "core", crates: &["tokio"], why: "it has no runtime" };
        let tree = |names: &[&str]| -> BTreeSet<TreeEntry> {
            names.iter().map(|name| (name.to_string(), "1.0.0".to_owned())).collect()
        };
        assert_eq!(forbidden_crates(&tree(&["core", "tokio-macros"]), &rule), [""; 0]);
        assert_eq!(
            forbidden_crates(&tree(&["core", "tokio"]), &rule),
            ["core has tokio 1.0.0 in its tree, but it has no runtime"]
        );
    }
}
