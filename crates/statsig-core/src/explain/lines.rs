//! The text of an explanation in pieces, so that programs can colour it without reading it.

use std::fmt;

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Words that join the others.
    Plain,
    /// A word that says that something holds: a condition, a rule, a percentage.
    Pass,
    /// A word that says that something does not hold.
    Fail,
    /// A word that says that something could not be evaluated.
    Trouble,
    /// The name of a gate, config, experiment, layer, rule, group or parameter.
    Name,
    /// A value: of a user, of a target, of a config, a bucket.
    Value,
    /// A remark of lesser weight: salts, parts that were not reached or are not shown.
    Note,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Span {
    /// What it is.
    pub role: Role,
    /// Its text; control characters are escaped, so that no name or value can steer a terminal.
    pub text: String,
}

/// A line of an explanation. `Display` writes it with two blanks for each level.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// How far it is indented, in levels.
    pub depth: usize,
    /// Its pieces, in order; blanks between them are part of their texts.
    pub spans: Vec<Span>,
}

impl Line {
    pub(super) fn new(depth: usize) -> Self {
        Self { depth, spans: Vec::new() }
    }

    pub(super) fn add(mut self, role: Role, text: impl AsRef<str>) -> Self {
        self.push(role, text);
        self
    }

    pub(super) fn push(&mut self, role: Role, text: impl AsRef<str>) {
        self.spans.push(Span { role, text: printable(text.as_ref()) });
    }

    pub(super) fn plain(self, text: impl AsRef<str>) -> Self {
        self.add(Role::Plain, text)
    }

    pub(super) fn name(self, text: impl AsRef<str>) -> Self {
        let text = text.as_ref();
        // An empty name would leave a hole.
        self.add(Role::Name, if text.is_empty() { "\"\"" } else { text })
    }

    pub(super) fn value(self, text: impl AsRef<str>) -> Self {
        self.add(Role::Value, text)
    }

    pub(super) fn note(self, text: impl AsRef<str>) -> Self {
        self.add(Role::Note, text)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for _ in 0..self.depth {
            f.write_str("  ")?;
        }
        self.spans.iter().try_for_each(|span| f.write_str(&span.text))
    }
}

/// Escapes control characters and those that turn the direction of writing.
fn printable(text: &str) -> String {
    let is_odd = |c: char| {
        c.is_control() || matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(is_odd) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_odd(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_a_terminal() {
        let line = Line::new(1).name("a\x1b[31mb\nc\u{202e}d\u{9b}").name("");
        assert_eq!(line.to_string(), "  a\\u{1b}[31mb\\nc\\u{202e}d\\u{9b}\"\"");
    }
}
