//! Awkward values: the texts, numbers and shapes that coercions trip over.

use super::{Choices, Node};

/// Texts that mean something to some operator.
const TEXTS: &[&str] = &[
    "a",
    "",
    "A",
    "abc",
    "ABC",
    "xabcx",
    "ß",
    "SS",
    "İ",
    "ſ",
    "日本語",
    "🎉",
    "\u{0}",
    " 1 ",
    "1",
    "1.0",
    "+1",
    "01",
    "-1",
    "1e3",
    "NaN",
    "inf",
    "-Infinity",
    "true",
    "True",
    "null",
    "1.2.3",
    "1.2.3-beta",
    "1.2.x",
    "2",
    "1..2",
    "-",
    "170141183460469231731687303715884105728",
    "2023-11-14T22:13:19Z",
    "2023-11-14T22:13:19.000Z",
    "2023-11-14 22:13:19",
    "2023-1-1 1:1:1",
    "2023-11-14",
    "1699999999",
    "1699999999000",
    "-5 3-2-1 0:0:60",
    "user-1",
    "user-2",
    "ada@corp.example",
    "ADA@CORP.EXAMPLE",
    "US",
    "us",
    "staging",
    "production",
    "control",
    "test",
    "é\u{301}",
];

/// Numbers, the harmless ones first.
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "1.0",
    "1.5",
    "-0",
    "-0.0",
    "500",
    "1000",
    "1e3",
    "1e21",
    "1e-7",
    "0.1",
    "5e-324",
    "1.7976931348623157e308",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "-9223372036854775809",
    "1699999999",
    "1700000000000",
    "1699999999.5",
];

const PATTERNS: &[&str] = &[
    "a",
    "",
    "^a",
    "c$",
    "(",
    "[",
    "\\",
    "(?i)ABC",
    r"(?<=v)\d+$",
    r"(a)\1",
    "(a+)+$",
    "(?=(a+))a*b",
    "a{3}",
    r"\p{L}+",
    "(?P<n>a)(?P=n)",
    "a|b|",
    r"\b\w",
    "*",
    "(?<!x)a",
    ".*.*=.*",
];

impl Choices<'_> {
    /// A text from a small pool, now and then a long one.
    pub(super) fn text(&self) -> String {
        if self.one_in(32) { "long".repeat(1 + self.below(256)) } else { self.pick(TEXTS).to_owned() }
    }

    /// A number of any kind that JSON parsers accept.
    pub(super) fn number(&self) -> Node {
        Node::raw(self.pick(NUMBERS))
    }

    /// A regular expression, not always a valid one.
    pub(super) fn pattern(&self) -> Node {
        Node::text(self.pick(PATTERNS))
    }

    /// Any value, at most `depth` levels deep.
    pub(super) fn value(&self, depth: usize) -> Node {
        match self.below(if depth == 0 { 6 } else { 10 }) {
            0..=2 => Node::Text(self.text()),
            3 => self.number(),
            4 => self.one_in(2).into(),
            5 => Node::raw("null"),
            6 | 7 => self.list(depth - 1),
            _ => self.object(depth - 1),
        }
    }

    pub(super) fn list(&self, depth: usize) -> Node {
        let length = self.length();
        Node::List((0..length).map(|_| self.value(depth)).collect())
    }

    pub(super) fn object(&self, depth: usize) -> Node {
        let length = self.length();
        Node::object((0..length).map(|_| (self.text(), self.value(depth))))
    }

    /// Usually a handful; sometimes more than fit into small representations.
    fn length(&self) -> usize {
        if self.one_in(24) { 12 + self.below(24) } else { self.below(5) }
    }

    /// A value that no field is meant to have: of another type, out of range, deeply nested.
    pub(super) fn wild(&self) -> Node {
        match self.below(5) {
            0 | 1 => self.value(2),
            2 => Node::raw("1e400"),
            3 => Node::raw(format!("{}1{}", "[".repeat(100), "]".repeat(100))),
            _ => Node::raw(format!("{}1{}", "{\"k\":[".repeat(100), "]}".repeat(100))),
        }
    }
}
