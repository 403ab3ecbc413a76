//! The workspace as the chores see it: a small, owned model read from `cargo metadata`.

use std::{collections::BTreeSet, path::PathBuf, process::Command};

use anyhow::{Context, bail};
use cargo_metadata::{
    CargoOpt, DependencyKind, Metadata, MetadataCommand, Package as CargoPackage, TargetKind,
    semver::{Version, VersionReq},
};

use crate::architecture::FeatureSet;

/// The packages of the workspace and everything that they depend on.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    /// The folder of the workspace's manifest. Commands run here.
    pub(crate) root: PathBuf,
    /// The packages of the workspace, by name.
    pub(crate) members: Vec<Member>,
    /// Every package of the resolved graph with all features on all platforms, members included.
    pub(crate) packages: Vec<Package>,
}

/// A package of the workspace.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// The package's name.
    pub(crate) name: String,
    /// Its folder, relative to the workspace.
    pub(crate) folder: PathBuf,
    /// Whether it may be published.
    pub(crate) publishable: bool,
    /// Its features except `default`.
    pub(crate) features: Vec<String>,
    /// Names of the packages that it declares as normal or build dependencies, optional ones included.
    pub(crate) dependencies: BTreeSet<String>,
    /// Its development dependencies on a path that also name a version.
    pub(crate) versioned_dev_paths: Vec<String>,
    /// Dependencies of any kind that it takes in any version.
    pub(crate) wildcards: Vec<Wildcard>,
    /// Names of its benchmarks.
    pub(crate) benches: Vec<String>,
    /// Root files of its library and programs, relative to the workspace.
    pub(crate) roots: Vec<PathBuf>,
}

/// A package of the resolved graph.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    /// The package's name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: Version,
    /// The oldest compiler that it says it builds with.
    pub(crate) rust_version: Option<Version>,
    /// Whether it belongs to the workspace.
    pub(crate) member: bool,
    /// Its licence, an SPDX expression.
    pub(crate) license: Option<String>,
    /// Where it comes from, such as `registry+https://…`; `None` for a folder.
    pub(crate) source: Option<String>,
}

/// A dependency of any version.
#[derive(Debug, Clone)]
pub(crate) struct Wildcard {
    /// The crate's name.
    pub(crate) name: String,
    /// Whether it is named by its folder.
    pub(crate) is_path: bool,
}

/// A crate in a tree, by name and version.
pub(crate) type TreeEntry = (String, String);

impl Workspace {
    /// Reads the workspace around the current folder.
    pub(crate) fn load() -> anyhow::Result<Self> {
        let metadata = MetadataCommand::new()
            .features(CargoOpt::AllFeatures)
            .exec()
            .context("cannot read the workspace with `cargo metadata`")?;
        Ok(Self::from_metadata(&metadata))
    }

    fn from_metadata(metadata: &Metadata) -> Self {
        let root = metadata.workspace_root.clone().into_std_path_buf();
        let members =
            metadata.workspace_packages().into_iter().map(|package| Member::from_package(package, metadata)).collect();
        let packages = metadata
            .packages
            .iter()
            .map(|package| Package {
                name: package.name.to_string(),
                version: package.version.clone(),
                rust_version: package.rust_version.clone(),
                member: metadata.workspace_members.contains(&package.id),
                license: package.license.clone(),
                source: package.source.as_ref().map(|source| source.repr.clone()),
            })
            .collect();
        Self { root, members, packages }
    }

    /// The member of that name.
    pub(crate) fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }

    /// The distinct crates that a user of `package` compiles on this machine's platform, itself included.
    ///
    /// Asks `cargo tree` rather than the metadata's graph: the latter unites the features that all members ask for,
    /// and would show one crate with what another one has switched on.
    pub(crate) fn tree(&self, package: &str, features: FeatureSet) -> anyhow::Result<BTreeSet<TreeEntry>> {
        let mut command = Command::new(crate::shell::cargo());
        command.current_dir(&self.root).args([
            "tree",
            "--package",
            package,
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ]);
        match features {
            FeatureSet::Default => {}
            FeatureSet::None => {
                command.arg("--no-default-features");
            }
            FeatureSet::All => {
                command.arg("--all-features");
            }
        }
        let output = command.output().context("cannot run `cargo tree`")?;
        if !output.status.success() {
            bail!("`cargo tree` for {package} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        parse_tree(&String::from_utf8_lossy(&output.stdout))
    }
}

impl Member {
    fn from_package(package: &CargoPackage, metadata: &Metadata) -> Self {
        let folder = package
            .manifest_path
            .parent()
            .and_then(|folder| folder.strip_prefix(&metadata.workspace_root).ok())
            .map(|folder| folder.as_std_path().to_path_buf())
            .unwrap_or_default();
        let dependencies = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind != DependencyKind::Development)
            .map(|dependency| dependency.name.to_string())
            .collect();
        let versioned_dev_paths = package
            .dependencies
            .iter()
            .filter(|it| it.kind == DependencyKind::Development && it.path.is_some() && it.req != VersionReq::STAR)
            .map(|dependency| dependency.name.clone())
            .collect();
        let wildcards = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.req == VersionReq::STAR)
            .map(|dependency| Wildcard { name: dependency.name.clone(), is_path: dependency.path.is_some() })
            .collect();
        let benches = package
            .targets
            .iter()
            .filter(|target| target.kind.contains(&TargetKind::Bench))
            .map(|target| target.name.clone())
            .collect();
        let roots = package
            .targets
            .iter()
            .filter(|target| target.kind.iter().any(|kind| matches!(kind, TargetKind::Lib | TargetKind::Bin)))
            .filter_map(|target| target.src_path.strip_prefix(&metadata.workspace_root).ok())
            .map(|path| path.as_std_path().to_path_buf())
            .collect();
        Self {
            name: package.name.to_string(),
            folder,
            publishable: package.publish.as_ref().is_none_or(|registries| !registries.is_empty()),
            features: package.features.keys().filter(|name| *name != "default").cloned().collect(),
            dependencies,
            versioned_dev_paths,
            wildcards,
            benches,
            roots,
        }
    }
}

/// Reads the lines `name vVERSION [(…)]` of `cargo tree --prefix none --format {p}`.
fn parse_tree(text: &str) -> anyhow::Result<BTreeSet<TreeEntry>> {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let mut words = line.split_whitespace();
            match (words.next(), words.next().and_then(|version| version.strip_prefix('v'))) {
                (Some(name), Some(version)) => Ok((name.to_owned(), version.to_owned())),
                _ => bail!("`cargo tree` printed a line that is not `name vVERSION`: {line:?}"),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_counts_each_crate_once() {
        let text = "core v0.1.0 (/somewhere)\nserde v1.0.228\nserde_derive v1.0.228 (proc-macro)\n\
                    \nserde v1.0.228 (*)\nserde v2.0.0\n";
        let tree = parse_tree(text).unwrap();
        let names: Vec<_> = tree.iter().map(|(name, version)| format!("{name} {version}")).collect();
        assert_eq!(names, ["core 0.1.0", "serde 1.0.228", "serde 2.0.0", "serde_derive 1.0.228"]);
    }

    #[test]
    fn an_unknown_line_is_an_error() {
        assert!(parse_tree("warning: something").is_err());
    }
}
