//! Finds the file that defines what a path names.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::syntax::{Child, Import, Syntax, parse};

/// Longest chain of re-exports that is followed; circles of them end here.
const MAX_HOPS: usize = 32;

/// The modules of a library or program.
#[derive(Debug)]
pub(super) struct Crate {
    modules: Vec<Module>,
    /// Every file, with the folder that it belongs to.
    pub(super) folders: BTreeMap<PathBuf, PathBuf>,
}

#[derive(Debug)]
struct Module {
    file: PathBuf,
    parent: usize,
    children: BTreeMap<String, usize>,
    items: BTreeSet<String>,
    imports: Vec<Import>,
    paths: Vec<Vec<String>>,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy)]
enum Target {
    Module(usize),
    /// An item that this module defines.
    Item(usize),
    /// Something of another crate.
    External,
}

impl Crate {
    /// Reads a crate from its root file on. Files that `read` does not give are left out.
    pub(super) fn load(root: &Path, read: &dyn Fn(&Path) -> Option<String>) -> Self {
        let mut this = Self { modules: Vec::new(), folders: BTreeMap::new() };
        let folder = root.parent().unwrap_or(root).to_path_buf();
        if let Some(source) = read(root) {
            this.folders.insert(root.to_path_buf(), folder.clone());
            this.add(parse(&source), root, &folder, None, read);
        }
        this
    }

    /// Adds a module whose children are in `folder`.
    fn add(
        &mut self,
        syntax: Syntax,
        file: &Path,
        folder: &Path,
        parent: Option<usize>,
        read: &dyn Fn(&Path) -> Option<String>,
    ) -> usize {
        let id = self.modules.len();
        let Syntax { children, items, imports, paths } = syntax;
        self.modules.push(Module {
            file: file.to_path_buf(),
            parent: parent.unwrap_or(id),
            children: BTreeMap::new(),
            items: items.into_iter().collect(),
            imports,
            paths,
        });
        for Child { name, path, inline } in children {
            let inner = folder.join(&name);
            let child = match inline {
                Some(syntax) => Some(self.add(syntax, file, &inner, Some(id), read)),
                None => self.add_file(&name, path.as_deref(), file, folder, id, read),
            };
            if let Some(child) = child {
                self.modules[id].children.insert(name, child);
            }
        }
        id
    }

    fn add_file(
        &mut self,
        name: &str,
        path: Option<&str>,
        declared_in: &Path,
        folder: &Path,
        parent: usize,
        read: &dyn Fn(&Path) -> Option<String>,
    ) -> Option<usize> {
        let inner = folder.join(name);
        let places = match path {
            Some(path) => [declared_in.parent()?.join(path), inner.join("mod.rs")],
            None => [folder.join(format!("{name}.rs")), inner.join("mod.rs")],
        };
        let (file, source) = places.into_iter().find_map(|file| read(&file).map(|source| (file, source)))?;
        let syntax = parse(&source);
        let has_folder = file.ends_with("mod.rs") || syntax.children.iter().any(|child| child.inline.is_none());
        self.folders.insert(file.clone(), if has_folder { inner.clone() } else { folder.to_path_buf() });
        Some(self.add(syntax, &file, &inner, Some(parent), read))
    }

    /// Pairs of files of which the first one names something that the second one defines.
    pub(super) fn edges(&self) -> BTreeSet<(&Path, &Path)> {
        let mut edges = BTreeSet::new();
        for (id, module) in self.modules.iter().enumerate() {
            let imported = module.imports.iter().map(|import| (&import.path, import.name.is_none()));
            for (path, is_glob) in imported.chain(module.paths.iter().map(|path| (path, false))) {
                let target = match self.resolve(id, path, MAX_HOPS) {
                    Some(Target::Item(target)) => target,
                    // Code that uses an imported module names its items; only `*` does not.
                    Some(Target::Module(target)) if is_glob => target,
                    _ => continue,
                };
                let (from, to) = (module.file.as_path(), self.modules[target].file.as_path());
                if from != to {
                    edges.insert((from, to));
                }
            }
        }
        edges
    }

    /// What a path stands for in a module; `None` if that is outside of the crate.
    fn resolve(&self, module: usize, path: &[String], hops: usize) -> Option<Target> {
        let (first, mut rest) = path.split_first()?;
        let mut target = match first.as_str() {
            "crate" => Target::Module(0),
            "self" => Target::Module(module),
            "super" => Target::Module(self.modules[module].parent),
            name => self.named(module, name, hops)?,
        };
        while let (Target::Module(inside), Some((name, more))) = (target, rest.split_first()) {
            rest = more;
            target = match name.as_str() {
                "super" => Target::Module(self.modules[inside].parent),
                // Something that a macro defines, perhaps: it belongs to the module anyway.
                name => self.named(inside, name, hops).unwrap_or(Target::Item(inside)),
            };
        }
        Some(target)
    }

    /// What a name stands for in a module.
    fn named(&self, module: usize, name: &str, hops: usize) -> Option<Target> {
        let Some(hops) = hops.checked_sub(1) else { return Some(Target::External) };
        let scope = &self.modules[module];
        if let Some(child) = scope.children.get(name) {
            return Some(Target::Module(*child));
        }
        if scope.items.contains(name) {
            return Some(Target::Item(module));
        }
        let is_named = |import: &&Import| import.name.as_deref() == Some(name);
        if let Some(import) = scope.imports.iter().find(is_named) {
            // `use serde;` names itself.
            let is_external = import.path.first().is_some_and(|first| first == name);
            let target = if is_external { None } else { self.resolve(module, &import.path, hops) };
            return Some(target.unwrap_or(Target::External));
        }
        let globs = scope.imports.iter().filter(|import| import.name.is_none());
        globs
            .filter_map(|glob| match self.resolve(module, &glob.path, hops)? {
                Target::Module(inside) if inside != module => self.named(inside, name, hops),
                _ => None,
            })
            .next()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A crate from the text `== path` and its content, again and again; the first file is the root.
    pub(in super::super) fn made_up(text: &str) -> Crate {
        let files: Vec<(PathBuf, String)> = text
            .split("== ")
            .skip(1)
            .map(|file| file.split_once('\n').unwrap_or((file, "")))
            .map(|(path, content)| (path.trim().into(), content.to_owned()))
            .collect();
        let read = |path: &Path| files.iter().find(|(file, _)| file == path).map(|(_, content)| content.clone());
        Crate::load(&files[0].0, &read)
    }

    fn edges(text: &str) -> Vec<String> {
        let made_up = made_up(text);
        made_up.edges().into_iter().map(|(from, to)| format!("{} {}", from.display(), to.display())).collect()
    }

    #[test]
    fn re_exports_are_seen_through() {
        let text = "
            == lib.rs
            mod a; mod b; pub use a::inner::Thing; pub use b::*;
            == a/mod.rs
            pub(crate) mod inner;
            == a/inner.rs
            pub struct Thing; pub struct Other;
            == b.rs
            use crate::Thing; use crate::a::inner as renamed;
            pub struct Own; fn f() { renamed::Other; crate::Own }
        ";
        assert_eq!(edges(text), ["b.rs a/inner.rs", "lib.rs a/inner.rs", "lib.rs b.rs"]);
    }

    #[test]
    fn relative_paths_inline_modules_and_globs() {
        let text = "
            == main.rs
            mod a; mod b { pub fn inline() {} }
            #[path = \"elsewhere/c.rs\"] mod c;
            == a.rs
            mod sub; pub struct A; fn f() { sub::g(); crate::b::inline(); }
            == a/sub.rs
            use super::*; use super::super::c; mod deep { use super::super::A; }
            pub fn g() -> A { c::made_by_a_macro() }
            == elsewhere/c.rs
            some_macro!();
        ";
        let expected = ["a/sub.rs a.rs", "a/sub.rs elsewhere/c.rs", "a.rs a/sub.rs", "a.rs main.rs"];
        assert_eq!(edges(text), expected);
    }

    #[test]
    fn names_of_other_crates_and_circles_of_re_exports_lead_nowhere() {
        let text = "
            == lib.rs
            mod a; use serde; use std::fmt; pub use a::Loop; use unknown::*; pub use other::Re;
            fn f() { serde::x(); fmt::y(); Vec::new(); missing::z() }
            == a.rs
            pub use crate::Loop; use std::*; use crate::Re;
        ";
        assert_eq!(edges(text), [""; 0]);
    }
}
