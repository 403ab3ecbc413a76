//! Finds groups of files that import each other.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::{Path, PathBuf},
};

use super::resolve::Crate;

/// Imports by file.
type Graph<'a> = BTreeMap<&'a Path, BTreeSet<&'a Path>>;

/// Files of different folders that import each other.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Circle {
    /// Number of files that reach one another.
    pub(super) size: usize,
    /// A shortest way around that leaves a folder; begins and ends with the same file.
    pub(super) path: Vec<PathBuf>,
}

/// Every group of files of different folders that import each other.
pub(super) fn circles(files: &Crate) -> Vec<Circle> {
    let mut graph = Graph::new();
    for (from, to) in files.edges() {
        graph.entry(from).or_default().insert(to);
    }
    let mut circles = Vec::new();
    let mut done: BTreeSet<&Path> = BTreeSet::new();
    for &from in graph.keys() {
        if done.contains(from) {
            continue;
        }
        let group: BTreeSet<&Path> =
            reachable(&graph, from).into_iter().filter(|to| reachable(&graph, to).contains(from)).collect();
        done.extend(&group);
        let imports = graph.iter().flat_map(|(from, imported)| imported.iter().map(move |to| (*from, *to)));
        let crossing = imports.filter(|(from, to)| {
            group.contains(from) && group.contains(to) && files.folders.get(*from) != files.folders.get(*to)
        });
        let around = crossing.map(|(from, to)| {
            let mut path = vec![from.to_path_buf()];
            path.extend(way(&graph, to, from).into_iter().map(Path::to_path_buf));
            path
        });
        if let Some(path) = around.min_by_key(Vec::len) {
            circles.push(Circle { size: group.len(), path });
        }
    }
    circles
}

/// Files that a file imports, and those that they import, and so on; itself only through a circle.
fn reachable<'a>(graph: &Graph<'a>, from: &Path) -> BTreeSet<&'a Path> {
    let mut seen = BTreeSet::new();
    let mut waiting: Vec<&Path> = graph.get(from).into_iter().flatten().copied().collect();
    while let Some(file) = waiting.pop() {
        if seen.insert(file) {
            waiting.extend(graph.get(file).into_iter().flatten());
        }
    }
    seen
}

/// The shortest way from a file to another one, both included.
fn way<'a>(graph: &Graph<'a>, from: &'a Path, to: &'a Path) -> Vec<&'a Path> {
    let mut before: BTreeMap<&Path, &Path> = BTreeMap::new();
    let mut waiting = VecDeque::from([from]);
    while let Some(file) = waiting.pop_front() {
        if file == to {
            break;
        }
        for &next in graph.get(file).into_iter().flatten() {
            if next != from && !before.contains_key(next) {
                before.insert(next, file);
                waiting.push_back(next);
            }
        }
    }
    let mut path = vec![to];
    while let Some(&file) = path.last().and_then(|file| before.get(file)) {
        path.push(file);
    }
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::{super::resolve::tests::made_up, *};

    fn found(text: &str) -> Vec<String> {
        let shown = |path: &PathBuf| path.display().to_string();
        circles(&made_up(text))
            .iter()
            .map(|circle| format!("{}: {}", circle.size, circle.path.iter().map(shown).collect::<Vec<_>>().join(" ")))
            .collect()
    }

    const TWO_FOLDERS: &str = "
        == lib.rs
        mod a; mod b; mod c;
        == a/mod.rs
        pub mod x; pub struct A;
        == a/x.rs
        use crate::c::C; pub struct X;
        == b.rs
        mod y; use crate::a::x::X; pub struct B;
        == b/y.rs
        == c.rs
        use crate::b; pub struct C(b::B);
    ";

    #[test]
    fn a_circle_between_folders_is_found() {
        assert_eq!(found(TWO_FOLDERS), ["3: a/x.rs c.rs b.rs a/x.rs"]);
    }

    #[test]
    fn files_of_one_folder_may_import_each_other() {
        let text = "
            == lib.rs
            mod a; mod c; mod d;
            == a.rs
            mod x; mod y; pub struct A(x::X);
            == a/x.rs
            pub struct X(super::y::Y);
            == a/y.rs
            use super::A; pub struct Y;
            == c.rs
            use crate::d::D; pub struct C;
            == d.rs
            use crate::c::C; pub struct D;
        ";
        assert_eq!(found(text), [""; 0]);
    }

    #[test]
    fn one_direction_is_no_circle() {
        let text = "
            == lib.rs
            mod a; mod b; pub use a::A; pub use b::B;
            == a/mod.rs
            use crate::B; pub struct A;
            == b/mod.rs
            pub struct B;
        ";
        assert_eq!(found(text), [""; 0]);
    }
}
