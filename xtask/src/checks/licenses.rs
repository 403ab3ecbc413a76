//! Licences of the crates in the graph, as SPDX expressions.

use crate::{policy::Licenses, workspace::Package};

/// Crates whose licence is not allowed, or that name none.
pub(crate) fn wrong_licenses(packages: &[Package], rules: &Licenses) -> Vec<String> {
    let problem = |package: &Package| {
        let Package { name, version, .. } = package;
        let Some(expression) = &package.license else {
            return Some(format!("{name} {version} names no licence"));
        };
        let own = rules.exceptions.iter().filter(|exception| exception.name == *name).flat_map(|it| &it.allow);
        let allowed: Vec<&str> = rules.allow.iter().chain(own).map(String::as_str).collect();
        match is_allowed(expression, &allowed) {
            Some(true) => None,
            Some(false) => {
                Some(format!("{name} {version} has the licence {expression:?}, which deny.toml does not allow"))
            }
            None => Some(format!("{name} {version} has a licence that is no SPDX expression: {expression:?}")),
        }
    };
    packages.iter().filter_map(problem).collect()
}

/// Whether an SPDX expression can be met with some licences; `None` if it cannot be read.
///
/// `AND` binds stronger than `OR`. The old form `MIT/Apache-2.0` means `OR`.
fn is_allowed(expression: &str, allowed: &[&str]) -> Option<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser { words: &words, allowed };
    let result = parser.any()?;
    parser.words.is_empty().then_some(result)
}

struct Parser<'a> {
    words: &'a [&'a str],
    allowed: &'a [&'a str],
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn takes(&mut self, word: &str) -> bool {
        let is_next = self.words.first() == Some(&word);
        if is_next {
            self.words = &self.words[1..];
        }
        is_next
    }

    /// `a OR b`
    fn any(&mut self) -> Option<bool> {
        let mut result = self.all()?;
        while self.takes("OR") {
            result |= self.all()?;
        }
        Some(result)
    }

    /// `a AND b`
    fn all(&mut self) -> Option<bool> {
        let mut result = self.one()?;
        while self.takes("AND") {
            result &= self.one()?;
        }
        Some(result)
    }

    /// A licence, with or without an exception, or an expression in parentheses.
    fn one(&mut self) -> Option<bool> {
        if self.takes("(") {
            let result = self.any()?;
            return self.takes(")").then_some(result);
        }
        let licence = self.next().filter(|word| !matches!(*word, "AND" | "OR" | "WITH" | ")"))?;
        if self.takes("WITH") {
            let whole = format!("{licence} WITH {}", self.next()?);
            return Some(self.allowed.contains(&whole.as_str()));
        }
        Some(self.allowed.contains(&licence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{checks::fixture::package, policy::Policy};

    const ALLOWED: [&str; 4] = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0"];

    #[test]
    fn expressions() {
        for (expression, expected) in [
            ("MIT", Some(true)),
            ("GPL-3.0", Some(false)),
            ("MIT OR GPL-3.0", Some(true)),
            ("MIT AND GPL-3.0", Some(false)),
            ("GPL-3.0 OR MIT AND Apache-2.0", Some(true)),
            ("(GPL-3.0 OR MIT) AND LGPL-2.1", Some(false)),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", Some(true)),
            ("MIT/Apache-2.0", Some(true)),
            ("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT", Some(true)),
            ("MIT WITH LLVM-exception", Some(false)),
            ("", None),
            ("MIT OR", None),
            ("(MIT", None),
            ("MIT Apache-2.0", None),
            ("MIT OR OR MIT", None),
        ] {
            assert_eq!(is_allowed(expression, &ALLOWED), expected, "{expression}");
        }
    }

    #[test]
    fn a_crate_is_named_with_its_licence() {
        let mut policy = Policy::parse(include_str!("../../../deny.toml")).unwrap();
        let with = |license: Option<&str>| {
            let mut package = package("left 1.0.0 -", false);
            package.license = license.map(str::to_owned);
            [package]
        };
        assert_eq!(wrong_licenses(&with(Some("MIT OR GPL-3.0")), &policy.licenses), [""; 0]);
        let gpl = with(Some("GPL-3.0"));
        let found = wrong_licenses(&gpl, &policy.licenses);
        assert_eq!(found, ["left 1.0.0 has the licence \"GPL-3.0\", which deny.toml does not allow"]);
        assert_eq!(wrong_licenses(&with(None), &policy.licenses), ["left 1.0.0 names no licence"]);
        policy.licenses.exceptions = vec![toml::from_str("crate = 'left'\nallow = ['GPL-3.0']").unwrap()];
        assert_eq!(wrong_licenses(&gpl, &policy.licenses), [""; 0]);
    }
}
