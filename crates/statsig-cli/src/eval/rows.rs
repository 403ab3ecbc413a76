//! Writing answers down.

use super::answer::Answer;
use super::table::Layout;

/// The form in which answers are written; used by all worker threads at once.
#[derive(Debug)]
pub(super) enum Rows {
    /// For people.
    Table(Layout),
    /// One array.
    Json,
    /// One object a line.
    JsonLines,
}

impl Rows {
    /// What comes before the first row.
    pub(super) fn header(&self) -> String {
        match self {
            Self::Table(layout) => layout.header(),
            Self::Json => "[".to_owned(),
            Self::JsonLines => String::new(),
        }
    }

    /// What comes before every row but the first.
    pub(super) fn separator(&self) -> &'static str {
        if matches!(self, Self::Json) { "," } else { "" }
    }

    /// What comes after the last row.
    pub(super) fn footer(&self) -> &'static str {
        if matches!(self, Self::Json) { "\n]\n" } else { "" }
    }

    /// Appends one row; its separator comes from elsewhere.
    pub(super) fn push(&self, out: &mut Vec<u8>, answer: &Answer<'_>) {
        match self {
            Self::Table(layout) => layout.push(out, answer),
            Self::Json => {
                out.push(b'\n');
                push_json(out, answer);
            }
            Self::JsonLines => {
                push_json(out, answer);
                out.push(b'\n');
            }
        }
    }
}

fn push_json(out: &mut Vec<u8>, answer: &Answer<'_>) {
    // Nothing in an answer can fail to serialize, and a vector takes everything.
    let _ = serde_json::to_writer(out, answer);
}
