//! Prints an explanation as an indented tree.

use anstyle::Style;
use statsig::explain::{Explanation, Role};

use crate::text::wrap::Wrapped;
use crate::text::{self, Paint};

/// Blanks for each level.
const STEP: usize = 2;

/// Text of explanations.
pub(super) struct Tree {
    pub(super) out: String,
    pub(super) paint: Paint,
    /// Columns of a line; `None` for lines of any length.
    pub(super) width: Option<usize>,
}

impl Tree {
    /// Appends an explanation, so many levels deep.
    pub(super) fn push(&mut self, explanation: &Explanation, level: usize) {
        for line in explanation.lines() {
            let spans: Vec<(Style, &str)> =
                line.spans.iter().map(|span| (style(span.role), span.text.as_ref())).collect();
            self.line(level + line.depth, &spans);
        }
    }

    /// Appends a line of styled pieces.
    pub(super) fn line(&mut self, level: usize, pieces: &[(Style, &str)]) {
        // A deep tree on a narrow terminal leaves half of a line for words.
        let indent = self.width.map_or(STEP * level, |width| (STEP * level).min(width / 2));
        self.out.push_str(&" ".repeat(indent));
        let mut line = Wrapped::new(&mut self.out, self.paint, self.width, indent, indent + 2 * STEP);
        pieces.iter().for_each(|(style, piece)| line.push(*style, piece));
        line.finish();
    }
}

fn style(role: Role) -> Style {
    match role {
        Role::Pass => text::ON,
        Role::Fail => text::OFF,
        Role::Trouble => text::WARNING,
        Role::Name => text::HEADING,
        Role::Value => text::VALUE,
        Role::Note => text::FAINT,
        _ => text::PLAIN,
    }
}
