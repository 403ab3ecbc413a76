//! Breaks lines of styled text at blanks.

use anstyle::Style;

use super::{Paint, clean, columns, fit};

/// A line of styled pieces that is broken where it gets too long.
pub(crate) struct Wrapped<'a> {
    out: &'a mut String,
    paint: Paint,
    /// Columns of a line; `None` for lines of any length.
    width: Option<usize>,
    /// Blanks before every line but the first.
    hanging: usize,
    used: usize,
    /// Nothing was appended to the line.
    is_empty: bool,
    /// Pieces of the word that is being put together.
    word: Vec<(Style, String)>,
    blanks: usize,
}

impl<'a> Wrapped<'a> {
    /// Starts a line that begins after `used` columns.
    pub(crate) fn new(out: &'a mut String, paint: Paint, width: Option<usize>, used: usize, hanging: usize) -> Self {
        // Half of the line is for words, however deep it is indented.
        let hanging = width.map_or(hanging, |width| hanging.min(width / 2));
        Self { out, paint, width, hanging, used, is_empty: true, word: Vec::new(), blanks: 0 }
    }

    /// Appends text, which may begin or end within a word.
    pub(crate) fn push(&mut self, style: Style, text: &str) {
        if self.width.is_none() {
            self.paint.push(self.out, style, &clean(text));
            return;
        }
        for (at, part) in text.split(' ').enumerate() {
            if at > 0 {
                self.end_word();
                self.blanks += 1;
            }
            if !part.is_empty() {
                self.word.push((style, clean(part)));
            }
        }
    }

    /// Ends the line.
    pub(crate) fn finish(mut self) {
        self.end_word();
        self.out.push('\n');
    }

    fn end_word(&mut self) {
        let word = std::mem::take(&mut self.word);
        if word.is_empty() {
            return;
        }
        let width = self.width.unwrap_or(usize::MAX);
        let length: usize = word.iter().map(|(_, text)| columns(text)).sum();
        let blanks = std::mem::take(&mut self.blanks);
        if !self.is_empty && self.used + blanks + length > width {
            self.break_line();
        } else {
            self.out.push_str(&" ".repeat(blanks));
            self.used += blanks;
        }
        for (style, text) in &word {
            self.push_part(*style, text, width);
        }
        self.is_empty = false;
    }

    /// Appends a part of a word, which is cut into pieces if it is longer than a line.
    fn push_part(&mut self, style: Style, text: &str, width: usize) {
        let mut rest = text;
        loop {
            let room = width.saturating_sub(self.used);
            if columns(rest) <= room {
                self.paint.push(self.out, style, rest);
                self.used += columns(rest);
                return;
            }
            let piece = head(rest, room);
            if piece.is_empty() && self.used <= self.hanging {
                // Not even one character fits.
                self.paint.push(self.out, style, rest);
                self.used += columns(rest);
                return;
            }
            self.paint.push(self.out, style, piece);
            rest = &rest[piece.len()..];
            self.break_line();
        }
    }

    fn break_line(&mut self) {
        self.out.push('\n');
        self.out.push_str(&" ".repeat(self.hanging));
        self.used = self.hanging;
        self.is_empty = true;
    }
}

/// The first characters of a text that take at most `room` columns.
fn head(text: &str, room: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find(|&(at, character)| {
        used += fit(&text[at..at + character.len_utf8()], usize::MAX).1;
        used > room
    });
    end.map_or(text, |(at, _)| &text[..at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{PLAIN, VALUE};

    fn wrapped(width: Option<usize>, hanging: usize, pieces: &[&str]) -> String {
        let mut out = String::new();
        let mut line = Wrapped::new(&mut out, Paint { styled: false }, width, 0, hanging);
        pieces.iter().for_each(|piece| line.push(PLAIN, piece));
        line.finish();
        out
    }

    #[test]
    fn lines_are_broken_at_blanks() {
        let pieces = ["  one two", " three; fo", "ur five"];
        assert_eq!(wrapped(Some(12), 4, &pieces), "  one two\n    three;\n    four\n    five\n");
        assert_eq!(wrapped(None, 4, &pieces), "  one two three; four five\n");
        assert_eq!(wrapped(Some(80), 4, &pieces), "  one two three; four five\n");
    }

    #[test]
    fn long_words_are_cut() {
        assert_eq!(wrapped(Some(8), 2, &["aa bbbbbbbbbbbb"]), "aa\n  bbbbbb\n  bbbbbb\n");
        for width in 1..40 {
            let text = wrapped(Some(width), 4, &["  日本語日本語", " and a_rather_long_name", "\u{1b}[0m"]);
            let widest = text.lines().map(columns).max().unwrap();
            assert!(width < 4 || widest <= width, "{width}: {text}");
        }
    }

    #[test]
    fn styles_stay_within_a_line() {
        let mut out = String::new();
        let mut line = Wrapped::new(&mut out, Paint { styled: true }, Some(6), 0, 0);
        line.push(VALUE, "one two");
        line.finish();
        assert_eq!(out, "\u{1b}[36mone\u{1b}[0m\n\u{1b}[36mtwo\u{1b}[0m\n");
    }
}
