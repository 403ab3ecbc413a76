//! Where a document stops being the JSON that it should be.

use std::fmt;

/// A place in a JSON text, found again from the line and column of an error.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// From 1.
    pub(crate) line: usize,
    /// From 1, in bytes.
    pub(crate) column: usize,
    /// The members and items that stand open there, such as `feature_gates.dark_mode.rules[0]`.
    pub(crate) path: String,
    /// What is written around it.
    pub(crate) excerpt: String,
}

impl Place {
    /// Finds the place that an error speaks of; `None` if it speaks of none.
    pub(crate) fn of(text: &[u8], error: &statsig_core::JsonError) -> Option<Self> {
        Self::at(text, error.line(), error.column(), error.is_syntax())
    }

    /// Finds the place of a line and column; `None` if there is none.
    fn at(text: &[u8], line: usize, column: usize, is_syntax: bool) -> Option<Self> {
        let start = match line.checked_sub(2) {
            None if line == 0 => return None,
            None => 0,
            Some(breaks) => text.iter().enumerate().filter(|&(_, &byte)| byte == b'\n').nth(breaks)?.0 + 1,
        };
        let offset = (start + column).min(text.len());
        // A wrong character stands before the offset, and opens or closes nothing.
        let parsed = offset - usize::from(is_syntax && offset > 0);
        Some(Self { line, column, path: path_at(text, parsed), excerpt: excerpt(text, offset) })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, ", at `{}`", self.path)?;
        }
        if !self.excerpt.is_empty() {
            write!(f, ", near `{}`", self.excerpt)?;
        }
        Ok(())
    }
}

/// What an error says, without the line and column at its end.
pub(crate) fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) if error.line() > 0 => text[..end].to_owned(),
        _ => text,
    }
}

/// An object or array that stands open.
enum Open {
    /// `next` is the key whose colon has not come yet.
    Object {
        key: Option<String>,
        next: Option<String>,
        in_key: bool,
    },
    Array {
        index: usize,
    },
}

/// The path of what stands open at a byte offset; sloppy about everything but brackets and strings.
fn path_at(text: &[u8], offset: usize) -> String {
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while at < offset {
        match text[at] {
            b'{' => open.push(Open::Object { key: None, next: None, in_key: true }),
            b'[' => open.push(Open::Array { index: 0 }),
            b'}' | b']' => drop(open.pop()),
            b',' => match open.last_mut() {
                Some(Open::Object { key, in_key, .. }) => (*key, *in_key) = (None, true),
                Some(Open::Array { index }) => *index += 1,
                None => {}
            },
            b':' => {
                if let Some(Open::Object { key, next: next @ Some(_), in_key }) = open.last_mut() {
                    (*key, *in_key) = (next.take(), false);
                }
            }
            b'"' => {
                let end = end_of_string(text, at + 1).min(offset);
                if let Some(Open::Object { next, in_key: true, .. }) = open.last_mut() {
                    *next = Some(String::from_utf8_lossy(&text[at + 1..end]).into_owned());
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    let mut path = String::new();
    for part in &open {
        match part {
            Open::Object { key: Some(key), .. } => {
                path.push_str(if path.is_empty() { "" } else { "." });
                path.push_str(key);
            }
            Open::Object { key: None, .. } => {}
            Open::Array { index } => path.push_str(&format!("[{index}]")),
        }
    }
    path
}

/// The position of the quote that ends a string, or the end of the text.
fn end_of_string(text: &[u8], mut at: usize) -> usize {
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// The text around an offset, on one line.
fn excerpt(text: &[u8], offset: usize) -> String {
    const AROUND: usize = 24;
    let around = &text[offset.saturating_sub(AROUND)..offset.saturating_add(AROUND).min(text.len())];
    let line = String::from_utf8_lossy(around).replace(char::REPLACEMENT_CHARACTER, " ");
    line.split_whitespace().collect::<Vec<_>>().join(" ").escape_debug().to_string().replace("\\\"", "\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        let error = serde_json::from_str::<serde_json::Value>(text).unwrap_err();
        Place::at(text.as_bytes(), error.line(), error.column(), error.is_syntax()).unwrap()
    }

    #[test]
    fn a_syntax_error_has_line_column_and_path() {
        let found = place("{\n \"a\": {\"b\": [1, {\"x,\\\"]\": 2}, {\"c\": tru}]}\n}");
        assert_eq!((found.line, found.path.as_str()), (2, "a.b[2].c"));
        assert!(found.excerpt.contains("\"c\": tru"), "{}", found.excerpt);
    }

    #[test]
    fn broken_tops_and_ends_have_a_place() {
        for (text, line, path) in [
            ("", 1, ""),
            ("]", 1, ""),
            ("{\"a\": [", 1, "a[0]"),
            ("{\n\n\"a", 3, ""),
            ("{\"a\": 1, \"b\" 2}", 1, ""),
            ("[1,\n2,,3]", 2, "[2]"),
        ] {
            let found = place(text);
            assert_eq!((found.line, found.path.as_str()), (line, path), "{text:?}");
        }
    }

    #[test]
    fn the_message_says_what_and_not_where() {
        let error = serde_json::from_str::<Vec<u8>>("[1, \"x\"]").unwrap_err();
        assert_eq!(message(&error), "invalid type: string \"x\", expected u8");
    }
}
