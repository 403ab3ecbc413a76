//! Reads modules, imports and paths from the tokens of a file.
//!
//! Items under `#[cfg(test)]` are left out: tests may import anything.

use super::lexer::{Token, tokens};

/// A module as its source declares it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Syntax {
    /// Modules inside, in files of their own or in braces.
    pub(super) children: Vec<Child>,
    /// Names of the items that are defined here.
    pub(super) items: Vec<String>,
    /// Imports of the module.
    pub(super) imports: Vec<Import>,
    /// Paths of at least two segments in its code, and imports of its functions.
    pub(super) paths: Vec<Vec<String>>,
}

/// A module inside another one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Child {
    /// Its name.
    pub(super) name: String,
    /// The file of a `#[path]` attribute.
    pub(super) path: Option<String>,
    /// Its content, if that stands in the same file.
    pub(super) inline: Option<Syntax>,
}

/// One name, or all names of a module, brought into a module.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Import {
    /// The name by which it is known here; `None` for `*`.
    pub(super) name: Option<String>,
    /// The full path, without `*`.
    pub(super) path: Vec<String>,
}

/// Reads a file.
pub(super) fn parse(source: &str) -> Syntax {
    let tokens = tokens(source);
    Parser { tokens: &tokens, at: 0 }.module()
}

/// What precedes an item.
#[derive(Default)]
struct Attributes {
    is_test: bool,
    path: Option<String>,
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self, ahead: usize) -> Option<&'a Token> {
        self.tokens.get(self.at + ahead)
    }

    fn is_sign(&self, ahead: usize, sign: char) -> bool {
        self.peek(ahead) == Some(&Token::Sign(sign))
    }

    /// Reads items up to the closing brace, which is consumed, or the end.
    fn module(&mut self) -> Syntax {
        let mut module = Syntax::default();
        while let Some(token) = self.peek(0) {
            if *token == Token::Sign('}') {
                self.at += 1;
                break;
            }
            self.item(&mut module);
        }
        module
    }

    fn item(&mut self, module: &mut Syntax) {
        let attributes = self.attributes();
        self.visibility();
        let start = self.at;
        match self.peek(0).and_then(Token::ident) {
            Some("mod") => self.child(module, attributes),
            Some("use") => {
                self.at += 1;
                let mut imports = Vec::new();
                self.use_tree(&mut Vec::new(), &mut imports);
                if !attributes.is_test {
                    module.imports.append(&mut imports);
                }
            }
            Some(_) => {
                let name = self.item_name();
                self.skip_item();
                if !attributes.is_test {
                    module.items.extend(name);
                    paths(&self.tokens[start..self.at], &mut module.paths);
                }
            }
            // Inner attributes and semicolons between items.
            None => self.at += 1,
        }
    }

    fn child(&mut self, module: &mut Syntax, attributes: Attributes) {
        let name = self.peek(1).and_then(Token::ident).unwrap_or_default().to_owned();
        let is_inline = self.is_sign(2, '{');
        self.at += 3;
        let inline = is_inline.then(|| self.module());
        if !attributes.is_test {
            module.children.push(Child { name, path: attributes.path, inline });
        }
    }

    /// Reads `#[…]` and `#![…]`.
    fn attributes(&mut self) -> Attributes {
        let mut attributes = Attributes::default();
        while self.is_sign(0, '#') {
            let start = self.at;
            self.at += if self.is_sign(1, '!') { 2 } else { 1 };
            self.skip_group();
            match &self.tokens[start..self.at] {
                // `cfg(test)` and `cfg(all(test, …))`: never part of a build for users.
                [_, _, cfg, _, test, Token::Sign(')'), ..] if cfg.is("cfg") && test.is("test") => {
                    attributes.is_test = true;
                }
                [_, _, cfg, _, all, _, rest @ ..] if cfg.is("cfg") && all.is("all") => {
                    attributes.is_test |= rest.iter().any(|it| it.is("test")) && !rest.iter().any(|it| it.is("any"));
                }
                [_, _, path, _, Token::Text(file), ..] if path.is("path") => attributes.path = Some(file.clone()),
                _ => {}
            }
        }
        attributes
    }

    fn visibility(&mut self) {
        if self.peek(0).is_some_and(|token| token.is("pub")) {
            self.at += 1;
            if self.is_sign(0, '(') {
                self.skip_group();
            }
        }
    }

    /// The name that the item at this place defines.
    fn item_name(&self) -> Option<String> {
        const QUALIFIERS: [&str; 5] = ["const", "unsafe", "async", "extern", "default"];
        const KEYWORDS: [&str; 9] =
            ["fn", "struct", "enum", "union", "trait", "type", "const", "static", "macro_rules"];
        for ahead in 0..6 {
            let word = self.peek(ahead)?;
            let named = match word.ident() {
                Some("macro_rules") => self.peek(ahead + 2),
                Some("static") if self.peek(ahead + 1)?.is("mut") => self.peek(ahead + 2),
                Some(keyword) if KEYWORDS.contains(&keyword) => self.peek(ahead + 1),
                Some(keyword) if QUALIFIERS.contains(&keyword) => None,
                // The ABI of an `extern` function.
                None if matches!(word, Token::Text(_)) => None,
                _ => return None,
            };
            let is_qualifier = |name: &str| QUALIFIERS.contains(&name) || name == "fn";
            match named.and_then(Token::ident) {
                Some(name) if !is_qualifier(name) => return Some(name.to_owned()),
                _ => {}
            }
        }
        None
    }

    /// Goes behind the item: behind its `;`, or behind its first braces where it has a body.
    fn skip_item(&mut self) {
        let mut has_value = self.peek(0).is_some_and(|it| it.is("const") || it.is("static") || it.is("type"));
        while let Some(token) = self.peek(0) {
            match token {
                Token::Sign(';') => {
                    self.at += 1;
                    return;
                }
                Token::Sign('{') => {
                    self.skip_group();
                    if !has_value {
                        return;
                    }
                }
                Token::Sign('(' | '[') => self.skip_group(),
                // The end of the module: the item is malformed or a macro without a semicolon.
                Token::Sign('}') => return,
                _ => {
                    has_value &= !token.is("fn");
                    self.at += 1;
                }
            }
        }
    }

    /// Goes behind the group in parentheses, brackets or braces that begins here.
    fn skip_group(&mut self) {
        let mut depth = 0_usize;
        while let Some(token) = self.peek(0) {
            self.at += 1;
            match token {
                Token::Sign('(' | '[' | '{') => depth += 1,
                Token::Sign(')' | ']' | '}') => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// Reads a tree of imports up to its `;`, `,` or `}`; the `;` is consumed.
    fn use_tree(&mut self, prefix: &mut Vec<String>, imports: &mut Vec<Import>) {
        let length = prefix.len();
        let mut name = None;
        let mut is_whole = true;
        while let Some(token) = self.peek(0) {
            self.at += 1;
            match token {
                Token::Ident(word) if word == "as" => {
                    name = self.peek(0).and_then(Token::ident).map(str::to_owned);
                    self.at += 1;
                }
                Token::Ident(word) => prefix.push(word.clone()),
                Token::Sign('*') => {
                    imports.push(Import { name: None, path: prefix.clone() });
                    is_whole = false;
                }
                Token::Sign('{') => {
                    is_whole = false;
                    while self.peek(0).is_some() && !self.is_sign(0, '}') {
                        self.use_tree(prefix, imports);
                        if self.is_sign(0, ',') {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                }
                Token::Sign(',' | '}') => {
                    self.at -= 1;
                    break;
                }
                Token::Sign(';') => break,
                _ => {}
            }
        }
        if is_whole && prefix.len() > length {
            let mut path = prefix.clone();
            // `a::{self}` is `a`.
            if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
                path.pop();
            }
            let name = name.or_else(|| path.last().cloned());
            imports.push(Import { name, path });
        }
        prefix.truncate(length);
    }
}

/// Collects paths of at least two segments, and the imports of function bodies.
fn paths(tokens: &[Token], found: &mut Vec<Vec<String>>) {
    let mut at = 0;
    while at < tokens.len() {
        let before = at.checked_sub(1).and_then(|index| tokens.get(index));
        let Some(name) = tokens[at].ident() else {
            at += 1;
            continue;
        };
        if name == "use" {
            let mut parser = Parser { tokens, at: at + 1 };
            let mut imports = Vec::new();
            parser.use_tree(&mut Vec::new(), &mut imports);
            found.extend(imports.into_iter().map(|import| import.path));
            at = parser.at.max(at + 1);
            continue;
        }
        let mut path = vec![name.to_owned()];
        at += 1;
        while let (Some(Token::Colons), Some(Token::Ident(next))) = (tokens.get(at), tokens.get(at + 1)) {
            path.push(next.clone());
            at += 2;
        }
        if path.len() > 1 && !matches!(before, Some(Token::Colons | Token::Sign('.'))) {
            found.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(source: &str) -> Vec<String> {
        let shown = |import: Import| format!("{}={}", import.name.unwrap_or("*".to_owned()), import.path.join("::"));
        parse(source).imports.into_iter().map(shown).collect()
    }

    #[test]
    fn trees_of_imports_are_flattened() {
        let source = "use a::{b, c::{self, D as E}, f::*}; pub(crate) use g; use h as _; use ::i::j;";
        assert_eq!(imports(source), ["b=a::b", "c=a::c", "E=a::c::D", "*=a::f", "g=g", "_=h", "j=i::j"]);
    }

    #[test]
    fn items_and_modules_are_named() {
        let source = r#"
            #![allow(x)]
            pub mod a;
            #[path = "other.rs"] mod b;
            mod c { pub struct Inside; }
            pub const fn f() -> [u8; 2] { [0; 2] }
            pub unsafe extern "C" fn g() {}
            static mut H: u8 = { 1 };
            const I: J = J { k: 1 };
            struct K(u8);
            impl<T> L for K where T: M { fn not_an_item() {} }
            macro_rules! n { () => { use not::an::import; } }
            type O = u8;
            enum P { Q }
            some_macro! { whatever }
            trait R {}
        "#;
        let module = parse(source);
        assert_eq!(module.items, ["f", "g", "H", "I", "K", "n", "O", "P", "R"]);
        let children: Vec<_> = module.children.iter().map(|it| (it.name.as_str(), it.path.as_deref())).collect();
        assert_eq!(children, [("a", None), ("b", Some("other.rs")), ("c", None)]);
        assert_eq!(module.children[2].inline.as_ref().unwrap().items, ["Inside"]);
    }

    #[test]
    fn paths_in_code_are_found() {
        let source = "fn f(x: &a::B<c::D>) -> e::F { use g::h; x.i::<j::K>(); l::m!(n); o::<P>(); Q::<r::S>::t() }";
        let paths: Vec<_> = parse(source).paths.iter().map(|path| path.join("::")).collect();
        assert_eq!(paths, ["a::B", "c::D", "e::F", "g::h", "j::K", "l::m", "r::S"]);
    }

    #[test]
    fn tests_are_left_out() {
        let source = "
            #[cfg(test)] mod a; #[cfg(test)] mod b { use c::d; }
            #[cfg(all(test, feature = \"x\"))] use e::f; #[cfg(test)] fn g() { h::i() }
            #[cfg(any(test, feature = \"x\"))] mod kept; #[cfg(feature = \"test\")] use also::kept;
        ";
        let module = parse(source);
        assert_eq!(module.children.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["kept"]);
        assert_eq!((imports(source), module.paths.len()), (vec!["kept=also::kept".to_owned()], 0));
    }

    #[test]
    fn malformed_source_ends() {
        for source in ["mod", "use", "use a::{b", "fn f(", "#[", "}", "pub(", "const", "struct X { ]"] {
            parse(source);
        }
    }
}
