//! Programs that tests need beside the compiler: found on the machine, or installed.

use std::{env, process::Command};

use anyhow::bail;

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

/// Finds or installs what the tests of this workspace need.
///
/// # Errors
/// Names the program that is missing and cannot be installed, and how to point to one.
pub(crate) fn ensure(workspace: &Workspace) -> anyhow::Result<()> {
    for requirement in REQUIREMENTS.iter().filter(|it| workspace.member(it.package).is_some()) {
        requirement.ensure()?;
    }
    Ok(())
}

impl Requirement {
    fn is_met(&self) -> bool {
        env::var_os(self.variable).is_some_and(|file| !file.is_empty()) || find_program(self.program).is_some()
    }

    fn ensure(&self) -> anyhow::Result<()> {
        if self.is_met() {
            return Ok(());
        }
        let Self { package, program, variable, .. } = self;
        println!("The tests of {package} need `{program}`, which is not on the path.");
        if let Some(install) = self.installs.iter().find(|way| find_program(way.installer).is_some()) {
            println!("Installing it with {}.", install.installer);
            install.run()?;
        }
        if !self.is_met() {
            bail!("`{program}` is missing: install it, or name its file in the variable {variable}");
        }
        Ok(())
    }
}

impl Install {
    fn run(&self) -> anyhow::Result<()> {
        let needs_sudo = self.as_root && output_of(Command::new("id").arg("-u")).is_some_and(|id| id.trim() != "0");
        for words in self.commands {
            let words = if needs_sudo { [&["sudo", "--non-interactive"], *words].concat() } else { words.to_vec() };
            let [program, arguments @ ..] = words.as_slice() else {
                continue;
            };
            run(Command::new(program).args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))?;
        }
        Ok(())
    }
}
