//! Foreign text in messages: cut to a length, and without repeated values.
//!
//! Payloads hold targets such as e-mail addresses, and may be made to hurt. No error or problem of this crate repeats
//! more than [`LONGEST`] characters of them, and a value of the wrong type is named by its type alone.

use std::borrow::Cow;
use std::fmt;

/// Longest foreign text in one message, in characters.
pub(crate) const LONGEST: usize = 200;
/// Longest name of a spec, operator or field in a message, in characters.
pub(crate) const LONGEST_NAME: usize = 80;

/// Cuts a text after `longest` characters and marks the cut.
pub(crate) fn clip(text: &str, longest: usize) -> Cow<'_, str> {
    match text.char_indices().nth(longest) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// An error of the JSON parser, without the text that it is about.
///
/// `Display` says what was expected and, for an error of the whole document, the line and column. A value of the
/// wrong type is named by its type: `invalid type: string, expected a boolean at line 1 column 90`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    message: Box<str>,
    line: usize,
    column: usize,
    is_syntax: bool,
}

impl JsonError {
    /// An error at a place of the whole document.
    pub(crate) fn of_document(error: &serde_json::Error) -> Self {
        let (line, column, is_syntax) = (error.line(), error.column(), error.is_syntax());
        Self { message: message(error).into(), line, column, is_syntax }
    }

    /// An error in a fragment of the document: its line and column mean nothing outside, and are left out.
    pub(crate) fn of_fragment(error: &serde_json::Error) -> Self {
        Self { line: 0, column: 0, ..Self::of_document(error) }
    }

    /// Returns the line in the document, from 1; 0 if no place is known.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// Returns the column in the line, in bytes from 1; 0 for the end of the line before.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// Returns the message without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns true if the text is damaged at its place; false if it ends too early, or is JSON of the wrong type.
    #[must_use]
    pub fn is_syntax(&self) -> bool {
        self.is_syntax
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.line > 0 {
            write!(f, " at line {} column {}", self.line, self.column)?;
        }
        Ok(())
    }
}

impl std::error::Error for JsonError {}

/// Says what an error in a fragment of the document is about, without place and value.
pub(crate) fn of_fragment(error: &serde_json::Error) -> String {
    message(error)
}

/// What an error says, without the line and column at its end and without the value.
fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let message = without_value(text.strip_suffix(&place).unwrap_or(&text));
    clip(&message.replace(", expected f64", ", expected a number"), LONGEST).into_owned()
}

/// Replaces the value in `invalid type: string "x", expected …` by its type.
pub(crate) fn without_value(message: &str) -> Cow<'_, str> {
    for kind in ["invalid type: ", "invalid value: "] {
        // Something may stand before it, such as the name of a member.
        let Some((start, found)) = message.split_once(kind) else { continue };
        let Some(end) = found.rfind(", expected ") else { continue };
        let value = &found[..end];
        let type_name = value.split(['"', '`']).next().unwrap_or_default().trim_end();
        return Cow::Owned(format!("{start}{kind}{type_name}{}", &found[end..]));
    }
    Cow::Borrowed(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_named_by_their_type() {
        for (message, expected) in [
            (r#"invalid type: string "secret", expected a boolean"#, "invalid type: string, expected a boolean"),
            (r#"invalid type: string "a, expected b", expected c"#, "invalid type: string, expected c"),
            ("invalid type: floating point `1.5`, expected u32", "invalid type: floating point, expected u32"),
            ("invalid value: integer `-1`, expected u32", "invalid value: integer, expected u32"),
            ("invalid type: map, expected a string", "invalid type: map, expected a string"),
            (r#"invalid type: null, expected a string"#, "invalid type: null, expected a string"),
            (r#"x: invalid type: string "y", expected z"#, "x: invalid type: string, expected z"),
            ("missing field `salt`", "missing field `salt`"),
        ] {
            assert_eq!(without_value(message), expected);
        }
    }

    #[test]
    fn errors_keep_the_place_of_a_document_and_drop_that_of_a_fragment() {
        let error = serde_json::from_str::<Vec<bool>>("[true,\n \"private\"]").unwrap_err();
        let of_document = JsonError::of_document(&error);
        assert_eq!(of_document.to_string(), "invalid type: string, expected a boolean at line 2 column 10");
        assert_eq!((of_document.line(), of_document.column(), of_document.is_syntax()), (2, 10, false));
        assert_eq!(JsonError::of_fragment(&error).to_string(), "invalid type: string, expected a boolean");
        assert!(JsonError::of_document(&serde_json::from_str::<u8>("{").unwrap_err()).line() > 0);
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(clip("äöü", 3), "äöü");
        assert_eq!(clip("äöü", 2), "äö…");
        assert_eq!(clip("", 0), "");
    }
}
