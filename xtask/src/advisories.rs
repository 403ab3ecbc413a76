//! `cargo xtask advisories`.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use clap::Args;

use crate::{
    shell::{cargo_command, has_cargo_subcommand, output_of, run},
    workspace::Workspace,
};

/// Checks the dependencies against the advisory database, where there is one
///
/// Uses cargo-deny (with deny.toml), or else cargo-audit, whichever is installed, with a database on this machine or one
/// that cargo-deny can fetch. Prints `not checked: no database` and succeeds where there is none: without network, or
/// without either program. Nothing is installed. Fails on a vulnerability, a yanked version, and an unsound or
/// unmaintained crate anywhere in the tree.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  \
        cargo xtask advisories            fetches the database if cargo-deny can\n  \
        cargo xtask advisories --offline  only what is on this machine"
)]
pub(crate) struct Advisories {
    /// Fetch nothing
    #[arg(long)]
    offline: bool,
}

/// A program that reads the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checker {
    /// cargo-deny.
    Deny,
    /// cargo-audit.
    Audit,
}

impl Checker {
    /// Its name as a subcommand of cargo.
    fn name(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Audit => "audit",
        }
    }

    /// The folder below cargo's home in which it keeps databases.
    fn folder(self) -> &'static str {
        match self {
            Self::Deny => "advisory-dbs",
            Self::Audit => "advisory-db",
        }
    }

    /// The check, with what is on this machine.
    fn command(self, root: &Path) -> Command {
        match self {
            Self::Deny => cargo_command(root, ["deny", "check", "--disable-fetch", "advisories"]),
            Self::Audit => cargo_command(
                root,
                ["audit", "--no-fetch", "--deny", "unsound", "--deny", "unmaintained", "--deny", "yanked"],
            ),
        }
    }
}

impl Advisories {
    /// Runs the chore.
    pub(crate) fn run(&self, workspace: &Workspace) -> anyhow::Result<()> {
        let root = &workspace.root;
        let installed: Vec<Checker> =
            [Checker::Deny, Checker::Audit].into_iter().filter(|it| has_cargo_subcommand(root, it.name())).collect();
        let home = cargo_home();
        if !self.offline && installed.contains(&Checker::Deny) {
            // A failure leaves the database of the last time, if there was one.
            let _ = output_of(&mut cargo_command(root, ["deny", "fetch", "db"]));
        }
        match choose(&installed, |checker| has_database(home.as_deref(), checker)) {
            Ok(checker) => run(&mut checker.command(root)),
            Err(why) => {
                println!("not checked: no database ({why})");
                Ok(())
            }
        }
    }
}

/// The first checker that has a database, or the reason why there is none.
fn choose(installed: &[Checker], has_database: impl Fn(Checker) -> bool) -> Result<Checker, &'static str> {
    match installed.iter().copied().find(|checker| has_database(*checker)) {
        Some(checker) => Ok(checker),
        None if installed.is_empty() => Err("neither cargo-deny nor cargo-audit is installed"),
        None if installed.contains(&Checker::Deny) => Err("there is none on this machine, and none was fetched"),
        None => Err("there is none on this machine: `cargo audit` fetches it"),
    }
}

fn cargo_home() -> Option<PathBuf> {
    let home = || env::var_os("HOME").or_else(|| env::var_os("USERPROFILE"));
    env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(PathBuf::from(home()?).join(".cargo")))
}

/// Whether the checker's folder holds anything.
fn has_database(home: Option<&Path>, checker: Checker) -> bool {
    let Some(home) = home else { return false };
    std::fs::read_dir(home.join(checker.folder())).is_ok_and(|mut entries| entries.next().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_program_with_a_database_is_taken() {
        use Checker::{Audit, Deny};
        assert_eq!(choose(&[Deny, Audit], |_| true), Ok(Deny));
        assert_eq!(choose(&[Deny, Audit], |checker| checker == Audit), Ok(Audit));
        assert!(choose(&[], |_| true).unwrap_err().contains("installed"));
        assert!(choose(&[Deny], |_| false).unwrap_err().contains("fetched"));
        assert!(choose(&[Audit], |_| false).unwrap_err().contains("cargo audit"));
    }

    #[test]
    fn an_empty_folder_is_no_database() {
        let home = env::temp_dir().join(format!("xtask-advisories-{}", std::process::id()));
        let folder = home.join(Checker::Deny.folder());
        std::fs::create_dir_all(&folder).unwrap();
        assert!(!has_database(Some(&home), Checker::Deny) && !has_database(None, Checker::Deny));
        std::fs::write(folder.join("db"), "").unwrap();
        assert!(has_database(Some(&home), Checker::Deny) && !has_database(Some(&home), Checker::Audit));
        std::fs::remove_dir_all(&home).unwrap();
    }
}
