//! Programs that tests need beside the compiler: found on the machine, or installed.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

use crate::{
    shell::{find_program, output_of, run},
    workspace::Workspace,
};

/// A program that the tests of one package start as a real peer.
#[derive(Debug, Clone, Copy)]
struct Requirement {
    /// The workspace package whose tests need it. Nothing is asked for while the workspace lacks that package.
    package: &'static str,
    /// The program's name.
    program: &'static str,
    /// A variable that names the program's file, for one that is not on the path.
    variable: &'static str,
    /// What precedes the version in the answer to `--version`, and the lowest major version that does.
    version: (&'static str, u32),
    /// Ways to install it: the first whose installer is on this machine is taken.
    installs: &'static [Install],
}

/// One way to install a program.
#[derive(Debug, Clone, Copy)]
struct Install {
    /// The installer's name.
    installer: &'static str,
    /// The commands, in order.
    commands: &'static [&'static [&'static str]],
    /// Whether only the system's administrator may run them.
    as_root: bool,
}

/// Everything that some test needs.
const REQUIREMENTS: &[Requirement] = &[Requirement {
    package: "statsig-store-redis",
    program: "redis-server",
    variable: "REDIS_SERVER",
    version: ("v=", 7),
    installs: &[
        Install {
            installer: "apt-get",
            commands: &[
                &["apt-get", "update", "--quiet"],
                &["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "redis-server"],
            ],
            as_root: true,
        },
        Install { installer: "dnf", commands: &[&["dnf", "install", "--assumeyes", "redis"]], as_root: true },
        Install { installer: "brew", commands: &[&["brew", "install", "redis"]], as_root: false },
    ],
}];

/// Finds or installs what the tests of this workspace need. With `may_install` false, a missing program is an error.
///
/// # Errors
/// Names the program that is missing and cannot or must not be installed, and how to point to one.
pub(crate) fn ensure(workspace: &Workspace, may_install: bool) -> anyhow::Result<()> {
    for requirement in REQUIREMENTS.iter().filter(|it| workspace.member(it.package).is_some()) {
        requirement.ensure(may_install)?;
    }
    Ok(())
}

impl Requirement {
    /// The program's file, if there is one.
    ///
    /// # Errors
    /// If the variable names a file that is not there.
    fn file(&self) -> anyhow::Result<Option<PathBuf>> {
        let Some(named) = env::var_os(self.variable).filter(|file| !file.is_empty()).map(PathBuf::from) else {
            return Ok(find_program(self.program));
        };
        if !named.is_file() {
            bail!("the variable {} names {}, which is no file", self.variable, named.display());
        }
        Ok(Some(named))
    }

    fn ensure(&self, may_install: bool) -> anyhow::Result<()> {
        let Self { package, program, variable, .. } = self;
        if let Some(file) = self.file()? {
            return self.check_version(&file);
        }
        println!("The tests of {package} need `{program}`, which is not on the path.");
        let advice = format!("install it, or name its file in the variable {variable}");
        if !may_install {
            bail!("`{program}` is missing, and nothing is installed with `--no-install`: {advice}");
        }
        if let Some(install) = self.installs.iter().find(|way| find_program(way.installer).is_some()) {
            print!("{}", self.announcement(install));
            install.run().with_context(|| format!("`{program}` is missing and was not installed; {advice}"))?;
        }
        match self.file()? {
            Some(file) => self.check_version(&file),
            None => bail!("`{program}` is missing: {advice}"),
        }
    }

    /// What is about to happen to the system, and how to prevent it.
    fn announcement(&self, install: &Install) -> String {
        let Self { program, variable, .. } = self;
        let mut text = format!("About to install `{program}` on this system with {}:\n", install.installer);
        for words in install.commands {
            text.push_str(&format!("    {}\n", install.words(words).join(" ")));
        }
        text.push_str(&format!(
            "To prevent that, stop here and run `cargo xtask test --no-install`, or name a `{program}` that is there in \
             {variable}.\n"
        ));
        text
    }

    /// Refuses a version that is known to be too old.
    fn check_version(&self, file: &Path) -> anyhow::Result<()> {
        let (mark, lowest) = self.version;
        let answer = output_of(Command::new(file).arg("--version")).unwrap_or_default();
        match major_version(&answer, mark) {
            Some(major) if major < lowest => bail!(
                "{} has version {major}, and the tests of {} need {lowest}: name a newer one in the variable {}",
                file.display(),
                self.package,
                self.variable
            ),
            _ => Ok(()),
        }
    }
}

/// The number after a mark.
fn major_version(answer: &str, mark: &str) -> Option<u32> {
    let (_, rest) = answer.split_once(mark)?;
    rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

impl Install {
    /// A command, for who is not the administrator by way of `sudo`.
    fn words<'a>(&self, words: &[&'a str]) -> Vec<&'a str> {
        let needs_sudo = self.as_root && output_of(Command::new("id").arg("-u")).is_some_and(|id| id.trim() != "0");
        if needs_sudo { [&["sudo", "--non-interactive"], words].concat() } else { words.to_vec() }
    }

    fn run(&self) -> anyhow::Result<()> {
        for words in self.commands {
            let words = self.words(words);
            let [program, arguments @ ..] = words.as_slice() else {
                continue;
            };
            run(Command::new(program).args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_announcement_names_each_command_and_how_to_prevent_it() {
        for requirement in REQUIREMENTS {
            for install in requirement.installs {
                let text = requirement.announcement(install);
                for words in install.commands {
                    assert!(text.contains(&words.join(" ")), "{text}");
                }
                assert!(text.contains("--no-install") && text.contains(requirement.variable), "{text}");
            }
        }
    }

    #[test]
    fn nothing_is_installed_where_that_is_not_wished() {
        let missing =
            Requirement { program: "no-such-program-at-all", variable: "NO_SUCH_VARIABLE", ..REQUIREMENTS[0] };
        let error = missing.ensure(false).unwrap_err().to_string();
        assert!(error.contains("--no-install") && error.contains("NO_SUCH_VARIABLE"), "{error}");
    }

    #[test]
    fn versions() {
        let answer = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64";
        assert_eq!(major_version(answer, "v="), Some(7));
        assert_eq!(major_version("Valkey server v=8.1.1", "v="), Some(8));
        assert_eq!(major_version("version 7", "v="), None);
        assert_eq!(major_version("v=", "v="), None);
    }
}
