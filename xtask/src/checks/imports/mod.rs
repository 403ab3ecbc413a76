//! Circles of imports between the files of a crate.
//!
//! A file imports another one where its code names an item that the other one defines; a re-export on the way does not
//! count. Files of one folder may import each other (`a.rs` belongs to the folder `a`, where there is one): they are read together. Files of
//! different folders may not: neither folder could be understood, tested or moved without the other.

mod circles;
mod lexer;
mod resolve;
mod syntax;

use std::{collections::BTreeSet, fs, path::Path};

use crate::workspace::{Member, Workspace};
use circles::circles;
use resolve::Crate;

/// A group of files that import each other.
#[derive(Debug, Clone)]
struct ImportCircle {
    member: String,
    size: usize,
    /// Files relative to the workspace; the first one is also the last.
    path: Vec<String>,
}

/// Circles between files of different folders in the libraries and programs of all members, except for those through
/// one of the `allowed` folders; and allowed folders that are in no circle.
pub(crate) fn import_circles(workspace: &Workspace, allowed: &[&str]) -> Vec<String> {
    let circles: Vec<_> = workspace.members.iter().flat_map(|member| circles_of(&workspace.root, member)).collect();
    problems(&circles, allowed)
}

fn circles_of(root: &Path, member: &Member) -> Vec<ImportCircle> {
    let shown = |file: &Path| file.strip_prefix(root).unwrap_or(file).display().to_string();
    let sources =
        member.roots.iter().map(|source| Crate::load(&root.join(source), &|path| fs::read_to_string(path).ok()));
    sources
        .flat_map(|files| circles(&files))
        .map(|circle| ImportCircle {
            member: member.name.clone(),
            size: circle.size,
            path: circle.path.iter().map(|file| shown(file)).collect(),
        })
        .collect()
}

fn problems(circles: &[ImportCircle], allowed: &[&str]) -> Vec<String> {
    let mut unused: BTreeSet<&str> = allowed.iter().copied().collect();
    let mut problems = Vec::new();
    for ImportCircle { member, size, path } in circles {
        let excuse = allowed.iter().find(|folder| path.iter().any(|file| file.starts_with(**folder)));
        if let Some(folder) = excuse {
            unused.remove(folder);
            println!("allowed for now: a circle of {size} files in {folder}");
            continue;
        }
        let path = path.join(" → ");
        problems.push(format!("{member}: {size} files of different folders import each other: {path}"));
    }
    problems.extend(unused.into_iter().map(|folder| {
        format!("{folder} is allowed circles (xtask/src/architecture.rs) and has none: remove it there")
    }));
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_reported_unless_its_folder_is_allowed() {
        let path = ["crates/a/src/x.rs", "crates/a/src/y/z.rs", "crates/a/src/x.rs"];
        let circle = ImportCircle { member: "a".into(), size: 5, path: path.map(str::to_owned).into() };
        let expected = "a: 5 files of different folders import each other: \
            crates/a/src/x.rs → crates/a/src/y/z.rs → crates/a/src/x.rs";
        assert_eq!(problems(std::slice::from_ref(&circle), &[]), [expected]);
        assert_eq!(problems(&[circle], &["crates/a/src/y/"]), [""; 0]);
    }

    #[test]
    fn an_allowance_that_nothing_needs_is_reported() {
        assert!(problems(&[], &["crates/a/"])[0].starts_with("crates/a/ is allowed circles"));
    }
}
