//! Passes the version of the compiler to the crate, which events report as the version of the language.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=RUSTC");
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler).arg("--version").output().ok();
    // `rustc 1.90.0 (…)`; without a version the member is left out.
    let version = output.and_then(|output| String::from_utf8(output.stdout).ok());
    if let Some(version) = version.as_deref().and_then(|line| line.split_whitespace().nth(1)) {
        println!("cargo:rustc-env=STATSIG_RUSTC_VERSION={version}");
    }
}
