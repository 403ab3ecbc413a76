//! `cargo xtask deps`.

use anyhow::bail;
use clap::Args;

use crate::{
    architecture::{ARROWS, BUDGETS, FORBIDDEN, FeatureSet, LEAF_FOLDERS},
    checks,
    policy::Policy,
    workspace::Workspace,
};

/// Counts the crates that users build, and checks who depends on whom, licences, bans and sources
///
/// Prints the number of crates in the trees of the core and of the facade (normal dependencies on this platform, the
/// crate itself included) beside their budgets. Fails when a tree is over its budget, when a workspace crate depends on
/// another one that the architecture does not allow it, or when a forbidden crate is in a tree with any feature, such as
/// a runtime in the core. These rules are data in xtask/src/architecture.rs; docs/architecture.md says why.
///
/// Then checks every crate of the graph with all features on all platforms, development included, against deny.toml: its
/// licence, whether it is banned or there in several versions, where it comes from; and each crate of the workspace that is
/// published, whether all that it depends on is, too. Needs neither cargo-deny nor the
/// network. `cargo xtask advisories` checks the advisory database.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Deps {}

impl Deps {
    /// Runs the chore.
    pub(crate) fn run(&self, workspace: &Workspace) -> anyhow::Result<()> {
        check(workspace)
    }
}

/// Prints the counts, then every problem.
///
/// # Errors
/// When there is a problem, `cargo tree` fails, or deny.toml cannot be read.
pub(crate) fn check(workspace: &Workspace) -> anyhow::Result<()> {
    let mut problems = checks::wrong_arrows(workspace, ARROWS, LEAF_FOLDERS);
    for budget in BUDGETS.iter().filter(|it| workspace.member(it.tree_of).is_some()) {
        let count = workspace.tree(budget.tree_of, budget.features)?.len();
        let features = budget.features.label();
        println!("{:<14} {features:<17} {count:>4} crates (at most {})", budget.tree_of, budget.crates);
        problems.extend(checks::over_budget(budget, count));
    }
    for rule in FORBIDDEN.iter().filter(|it| workspace.member(it.tree_of).is_some()) {
        let tree = workspace.tree(rule.tree_of, FeatureSet::All)?;
        problems.extend(checks::forbidden_crates(&tree, rule));
    }
    let policy = Policy::load(&workspace.root)?;
    let packages = &workspace.packages;
    problems.extend(checks::wrong_licenses(packages, &policy.licenses));
    problems.extend(checks::banned(packages, &policy.bans));
    problems.extend(checks::duplicated(packages, &policy.single_versions()));
    problems.extend(checks::wildcards(workspace, &policy.bans));
    problems.extend(checks::wrong_sources(packages, &policy.sources));
    problems.extend(checks::unpublishable(workspace));
    println!("licences, bans and sources: {} crates checked against deny.toml", packages.len());
    report(&problems)
}

/// Prints the problems, one a line.
///
/// # Errors
/// When there is at least one.
pub(crate) fn report(problems: &[String]) -> anyhow::Result<()> {
    for problem in problems {
        eprintln!("problem: {problem}");
    }
    match problems.len() {
        0 => Ok(()),
        1 => bail!("1 problem"),
        count => bail!("{count} problems"),
    }
}
