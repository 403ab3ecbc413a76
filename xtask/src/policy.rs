//! The rules of `deny.toml` that need no database: licences, bans and sources.
//!
//! `cargo deny check` reads the same file. What it has and this reader does not know is an error, so that no rule is
//! passed over.

use std::path::Path;

use anyhow::{Context, ensure};
use serde::Deserialize;

/// `deny.toml`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Policy {
    /// Which graph is looked at.
    #[allow(dead_code, reason = "the graph is always that of all features on all platforms")]
    graph: Graph,
    /// Licences that may come in.
    pub(crate) licenses: Licenses,
    /// Crates that may not.
    pub(crate) bans: Bans,
    /// Advisories; only for tools with the database.
    #[allow(dead_code, reason = "read to refuse unknown keys")]
    advisories: Advisories,
    /// Places that crates may come from.
    pub(crate) sources: Sources,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[allow(dead_code, reason = "read to refuse unknown keys")]
struct Graph {
    all_features: bool,
}

/// The licences that may come in.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Licenses {
    /// SPDX identifiers, some with an exception: `Apache-2.0 WITH LLVM-exception`.
    pub(crate) allow: Vec<String>,
    /// Further licences of single crates.
    #[serde(default)]
    pub(crate) exceptions: Vec<Exception>,
    #[allow(dead_code, reason = "for cargo-deny")]
    unused_allowed_license: String,
    #[allow(dead_code, reason = "for cargo-deny, which reads licence files")]
    confidence_threshold: f64,
}

/// Further licences of one crate.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Exception {
    /// The crate.
    #[serde(rename = "crate")]
    pub(crate) name: String,
    /// Its licences.
    pub(crate) allow: Vec<String>,
}

/// What may not come in.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Bans {
    /// Crates that may not, or in one version only.
    pub(crate) deny: Vec<Ban>,
    #[allow(dead_code, reason = "a warning of cargo-deny, not an error")]
    multiple_versions: String,
    /// Requirements of any version, `*`.
    pub(crate) wildcards: Level,
    /// Whether members of the workspace may name each other without a version.
    pub(crate) allow_wildcard_paths: bool,
}

/// A crate that may not come in.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Ban {
    /// The crate.
    #[serde(rename = "crate")]
    pub(crate) name: String,
    /// Whether it may, in one version.
    #[serde(default)]
    pub(crate) deny_multiple_versions: bool,
    /// The rule behind it.
    pub(crate) reason: Option<String>,
}

/// Whether a finding fails the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// It does.
    Deny,
    /// It is mentioned by cargo-deny, and passed over here.
    Warn,
    /// It is fine.
    Allow,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[allow(dead_code, reason = "read to refuse unknown keys")]
struct Advisories {
    yanked: Level,
    unmaintained: String,
    unsound: String,
    #[serde(default)]
    ignore: Vec<toml::Value>,
}

/// Where crates may come from.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Sources {
    /// Registries other than those listed.
    pub(crate) unknown_registry: Level,
    /// Git repositories other than those listed.
    pub(crate) unknown_git: Level,
    /// The registries that may be used.
    #[serde(default = "public_registry")]
    pub(crate) allow_registry: Vec<String>,
    /// The repositories that may be used.
    #[serde(default)]
    pub(crate) allow_git: Vec<String>,
}

/// The registry that cargo-deny allows unless the file names others.
fn public_registry() -> Vec<String> {
    vec!["https://github.com/rust-lang/crates.io-index".to_owned()]
}

impl Policy {
    /// Reads the file of the workspace.
    ///
    /// # Errors
    /// When it is missing, or has a rule that this reader does not know.
    pub(crate) fn load(root: &Path) -> anyhow::Result<Self> {
        let path = root.join("deny.toml");
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("cannot use {}", path.display()))
    }

    /// Reads a text.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let policy: Self = toml::from_str(text)?;
        // cargo-deny also takes `name@version`; here every version is meant.
        let names =
            policy.bans.deny.iter().map(|ban| &ban.name).chain(policy.licenses.exceptions.iter().map(|it| &it.name));
        for name in names {
            ensure!(!name.contains(['@', ':']), "{name:?} is not the name of a crate alone");
        }
        Ok(policy)
    }

    /// Crates that may be in the graph in one version only.
    pub(crate) fn single_versions(&self) -> Vec<&str> {
        self.bans.deny.iter().filter(|ban| ban.deny_multiple_versions).map(|ban| ban.name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = include_str!("../../deny.toml");

    #[test]
    fn the_files_own_rules_are_read() {
        let policy = Policy::parse(OWN).unwrap();
        assert!(policy.licenses.allow.iter().any(|licence| licence == "Apache-2.0 WITH LLVM-exception"));
        assert!(policy.single_versions().contains(&"tokio"));
        assert!(!policy.single_versions().contains(&"openssl-sys"));
        assert_eq!((policy.sources.unknown_git, policy.bans.wildcards), (Level::Deny, Level::Deny));
    }

    #[test]
    fn a_rule_that_is_not_known_is_an_error() {
        assert!(Policy::parse(&OWN.replace("[sources]", "[sources]\nrequired-git-spec = \"rev\"")).is_err());
        assert!(Policy::parse(&OWN.replace("\"axum\"", "\"axum@0.7\"")).is_err());
    }

    /// Advisories about the whole tree count, not only those about direct dependencies.
    #[test]
    fn unsound_and_unmaintained_crates_are_refused_anywhere() {
        let policy = Policy::parse(OWN).unwrap();
        assert_eq!((&*policy.advisories.unsound, &*policy.advisories.unmaintained), ("all", "all"));
    }
}
