//! The oldest compiler: what we promise must be true of what we depend on.

use cargo_metadata::semver::Version;

use crate::workspace::Package;

/// Dependencies that need a newer compiler than a member promises, and members that promise none.
///
/// A dependency that states no `rust-version` is taken at its word.
pub(crate) fn too_new(packages: &[Package]) -> Vec<String> {
    let (members, dependencies): (Vec<_>, Vec<_>) = packages.iter().partition(|package| package.member);
    let mut problems: Vec<_> = members
        .iter()
        .filter(|member| member.rust_version.is_none())
        .map(|member| format!("{} states no rust-version: add `rust-version.workspace = true`", member.name))
        .collect();
    let Some(ours) = members.iter().filter_map(|member| member.rust_version.as_ref()).min() else {
        return problems;
    };
    problems.extend(dependencies.iter().filter_map(|package| {
        let theirs = package.rust_version.as_ref().filter(|theirs| *theirs > ours)?;
        Some(format!("{} {} needs Rust {}, we promise {}", package.name, package.version, short(theirs), short(ours)))
    }));
    problems
}

/// A compiler version as people write it: without a patch of zero.
fn short(version: &Version) -> String {
    match version.patch {
        0 => format!("{}.{}", version.major, version.minor),
        patch => format!("{}.{}.{patch}", version.major, version.minor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixture::package;

    #[test]
    fn a_dependency_may_need_our_compiler_or_an_older_one() {
        let graph = [
            package("ours 0.1.0 1.88.0", true),
            package("same 1.0.0 1.88.0", false),
            package("older 1.0.0 1.70.0", false),
            package("silent 1.0.0 -", false),
        ];
        assert_eq!(too_new(&graph), [""; 0]);
    }

    #[test]
    fn a_dependency_that_needs_a_newer_compiler_is_reported() {
        let graph = [package("ours 0.1.0 1.88.0", true), package("newer 2.0.1 1.88.1", false)];
        assert_eq!(too_new(&graph), ["newer 2.0.1 needs Rust 1.88.1, we promise 1.88"]);
    }

    #[test]
    fn every_member_states_a_version_and_the_lowest_counts() {
        let graph = [
            package("a 0.1.0 1.88.0", true),
            package("b 0.1.0 1.85.0", true),
            package("c 0.1.0 -", true),
            package("dep 1.0.0 1.86.0", false),
        ];
        let found = too_new(&graph);
        assert_eq!(found.len(), 2);
        assert!(found[0].starts_with("c states no rust-version"));
        assert_eq!(found[1], "dep 1.0.0 needs Rust 1.86, we promise 1.85");
    }
}
