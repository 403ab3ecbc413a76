//! Circles of imports between the files of a crate.
//!
//! A file imports another one where its code names an item that the other one defines; a re-export on the way does not
//! count. Files of one folder may import each other (`a.rs` belongs to the folder `a`, where there is one): they are read together. Files of
//! different folders may not: neither folder could be understood, tested or moved without the other.

mod circles;
mod lexer;
mod resolve;
mod syntax;

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::workspace::Member;
use circles::circles;
use resolve::Crate;

/// Circles between files of different folders in a member's libraries and programs, except for those allowed.
///
/// `allowed` lists files whose imports are not followed.
pub(crate) fn import_circles(root: &Path, member: &Member, allowed: &[&str]) -> Vec<String> {
    let mut problems = Vec::new();
    for source in &member.roots {
        let source = root.join(source);
        let files = Crate::load(&source, &|path: &Path| fs::read_to_string(path).ok());
        let shown = |file: &PathBuf| file.strip_prefix(root).unwrap_or(file).display().to_string();
        for circle in circles(&files, &|file| allowed.contains(&shown(file).as_str())) {
            let path: Vec<_> = circle.path.iter().map(shown).collect();
            problems.push(format!(
                "{}: {} files of different folders import each other: {}",
                member.name,
                circle.size,
                path.join(" → ")
            ));
        }
    }
    problems
}
