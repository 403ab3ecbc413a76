//! The check that the core compiles for WebAssembly, which has no threads, files, sockets or entropy.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    shell::{cargo_command, find_program, output_of, run},
    workspace::Workspace,
};

const TARGET: &str = "wasm32-unknown-unknown";

/// Checks `statsig-core` for [`TARGET`], which is added with rustup if it is missing.
///
/// Prints the reason and succeeds where the target cannot be had.
///
/// # Errors
/// When the core does not compile.
pub(crate) fn check_core(workspace: &Workspace) -> anyhow::Result<()> {
    if let Err(reason) = ensure_target(&workspace.root) {
        println!("Left out: the core is not checked for {TARGET}, because {reason}.");
        return Ok(());
    }
    let check = ["check", "--package", "statsig-core", "--lib", "--all-features", "--target", TARGET];
    run(&mut cargo_command(&workspace.root, check))
}

/// Finds or adds the target; the error is the reason why it is not there.
fn ensure_target(root: &Path) -> Result<(), String> {
    if is_installed(root) {
        return Ok(());
    }
    if find_program("rustup").is_none() {
        return Err("the compiler lacks the target, and rustup, which would add it, is not on the path".to_owned());
    }
    let added = run(Command::new("rustup").current_dir(root).args(["target", "add", TARGET]));
    match added {
        Ok(()) if is_installed(root) => Ok(()),
        Ok(()) => Err("rustup added the target to another toolchain than the one in use".to_owned()),
        Err(error) => Err(format!("{error:#}")),
    }
}

/// Whether the standard library is there for the target.
fn is_installed(root: &Path) -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let library =
        output_of(Command::new(rustc).current_dir(root).args(["--print", "target-libdir", "--target", TARGET]));
    library.is_some_and(|folder| PathBuf::from(folder.trim()).is_dir())
}
