//! Checks of the workspace's shape: functions from the model to a list of problems, empty when all is well.
//!
//! All but [`import_circles`], which reads source files, are pure.

mod arrows;
mod bans;
mod budgets;
mod duplicates;
mod imports;
mod licenses;
mod msrv;
mod publishing;
mod sources;

pub(crate) use arrows::{forbidden_crates, wrong_arrows};
pub(crate) use bans::{banned, wildcards};
pub(crate) use budgets::over_budget;
pub(crate) use duplicates::duplicated;
pub(crate) use imports::import_circles;
pub(crate) use licenses::wrong_licenses;
pub(crate) use msrv::too_new;
pub(crate) use publishing::unpublishable;
pub(crate) use sources::wrong_sources;

/// Made-up workspaces for the tests of the checks.
#[cfg(test)]
mod fixture {
    use cargo_metadata::semver::Version;

    use crate::workspace::{Member, Package, Workspace};

    /// A workspace of the members `(folder/name, dependencies)`.
    pub(super) fn workspace(members: &[(&str, &[&str])]) -> Workspace {
        let members = members
            .iter()
            .map(|(path, dependencies)| Member {
                name: path.rsplit('/').next().unwrap_or_default().to_owned(),
                folder: path.into(),
                publishable: true,
                features: Vec::new(),
                dependencies: dependencies.iter().map(ToString::to_string).collect(),
                versioned_dev_paths: Vec::new(),
                wildcards: Vec::new(),
                benches: Vec::new(),
                roots: Vec::new(),
            })
            .collect();
        Workspace { root: "/".into(), members, packages: Vec::new() }
    }

    /// A package of the graph, `name version rust-version`; `-` for no rust-version.
    pub(super) fn package(text: &str, member: bool) -> Package {
        let words: Vec<_> = text.split(' ').collect();
        Package {
            name: words[0].to_owned(),
            version: Version::parse(words[1]).unwrap(),
            rust_version: (words[2] != "-").then(|| Version::parse(words[2]).unwrap()),
            member,
            license: Some("MIT".to_owned()),
            source: None,
        }
    }
}
