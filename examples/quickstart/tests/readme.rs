//! The README shows this program, and it does what it says.

use std::path::Path;
use std::process::Command;

const README: &str = include_str!("../../../README.md");
const PROGRAM: &str = include_str!("../src/main.rs");

#[test]
fn the_readme_shows_this_program() {
    let code: String =
        PROGRAM.lines().filter(|line| !line.starts_with("//!")).map(|line| format!("{line}\n")).collect();
    let code = code.trim();
    assert!(code.lines().count() <= 25, "the README has room for 25 lines");
    assert!(README.contains(code), "the README's example is not examples/quickstart/src/main.rs");
}

#[test]
fn the_program_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new(env!("CARGO_BIN_EXE_quickstart")).current_dir(root).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with("a dark page\na button in orange: rule bEdQ9Qy6jVBKdWJJjjUlN9, Bootstrap:Recognized\n"),
        "{text}"
    );
    assert!(text.contains("button_color_v3"), "{text}");
}
