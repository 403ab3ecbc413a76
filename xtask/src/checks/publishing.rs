//! Dependencies that keep a crate from being published.

use crate::workspace::Workspace;

/// Published crates that need unpublished ones, and development dependencies that a registry would have to serve.
///
/// A development dependency on a crate of the workspace has a path and no version: cargo leaves it out of the package. With
/// a version, crates that test each other could never be published for the first time.
pub(crate) fn unpublishable(workspace: &Workspace) -> Vec<String> {
    let mut problems = Vec::new();
    for member in workspace.members.iter().filter(|member| member.publishable) {
        if !member.folder.starts_with("crates") {
            problems.push(format!("{} is not in crates/: add `publish = false`", member.name));
        }
        let needed = member.dependencies.iter().filter_map(|name| workspace.member(name));
        problems.extend(
            needed
                .filter(|other| !other.publishable)
                .map(|other| format!("{} is published and depends on {}, which is not", member.name, other.name)),
        );
        problems.extend(member.versioned_dev_paths.iter().map(|name| {
            format!("{} has {name} with a version among its dev-dependencies: give its path only", member.name)
        }));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixture::workspace;

    #[test]
    fn what_a_published_crate_needs_is_published() {
        let mut workspace = workspace(&[("crates/a", &["b", "serde"]), ("crates/b", &[]), ("crates/c", &["b"])]);
        assert_eq!(unpublishable(&workspace), [""; 0]);
        workspace.members[1].publishable = false;
        workspace.members[2].publishable = false;
        assert_eq!(unpublishable(&workspace), ["a is published and depends on b, which is not"]);
    }

    #[test]
    fn only_crates_are_published() {
        let problems = unpublishable(&workspace(&[("examples/a", &[])]));
        assert_eq!(problems, ["a is not in crates/: add `publish = false`"]);
    }

    #[test]
    fn development_dependencies_have_no_version() {
        let mut workspace = workspace(&[("crates/a", &[])]);
        workspace.members[0].versioned_dev_paths.push("b".to_owned());
        assert!(unpublishable(&workspace)[0].contains("a has b with a version"));
        workspace.members[0].publishable = false;
        assert_eq!(unpublishable(&workspace), [""; 0]);
    }
}
