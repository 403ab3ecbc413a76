//! Cuts a user agent into pieces and looks a few of them ahead.

/// The pieces at hand: the one that is being read and the three after it.
pub(super) struct Window<'a> {
    /// Pieces without the punctuation around them; empty also past the end of the text.
    pieces: [&'a str; 4],
    /// How many of `pieces` lie before the end of the text.
    filled: usize,
    /// The text after these pieces.
    rest: Option<&'a str>,
}

impl<'a> Window<'a> {
    /// Opens the window on the first four pieces of `text`.
    pub(super) fn new(text: &'a str) -> Self {
        let mut window = Self { pieces: [""; 4], filled: 4, rest: Some(text) };
        window.slide(4);
        window
    }

    /// Whether the end of the text has passed by.
    pub(super) fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Returns a piece by its distance from the first; `None` if there is nothing in it.
    pub(super) fn piece(&self, index: usize) -> Option<&'a str> {
        self.pieces.get(index).copied().and_then(non_empty)
    }

    /// Drops `count` pieces and moves the following ones up.
    pub(super) fn slide(&mut self, count: usize) {
        for _ in 0..count {
            let [_, second, third, fourth] = self.pieces;
            self.pieces = [second, third, fourth, self.next_piece()];
        }
    }

    /// Takes the piece at `index` if it is a number, and slides by one then.
    pub(super) fn number(&mut self, index: usize) -> Option<&'a str> {
        let piece = self.piece(index)?;
        if !piece.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        self.slide(1);
        Some(piece)
    }

    fn next_piece(&mut self) -> &'a str {
        let Some(text) = self.rest else {
            self.filled = self.filled.saturating_sub(1);
            return "";
        };
        let (piece, rest) = match split_once(text, |byte| matches!(byte, b' ' | b';')) {
            Some((piece, rest)) => (piece, Some(rest)),
            None => (text, None),
        };
        self.rest = rest;
        stripped(piece)
    }
}

/// Splits `text` around the first byte for which `separates` holds, which must be an ASCII one.
///
/// By bytes: decoding characters only to find ASCII ones makes the whole pass slower.
pub(super) fn split_once(text: &str, separates: impl Fn(u8) -> bool) -> Option<(&str, &str)> {
    let at = text.bytes().position(separates)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Removes the punctuation around a piece.
pub(super) fn stripped(piece: &str) -> &str {
    let kept = |byte: u8| !matches!(byte, b'(' | b')' | b';' | b',' | b'+' | b'_' | b'"');
    let start = piece.bytes().position(kept);
    let last = piece.bytes().rposition(kept);
    match (start, last) {
        (Some(start), Some(last)) => piece.get(start..=last).unwrap_or_default(),
        _ => "",
    }
}

/// Returns `text`, or `None` if it is empty.
pub(super) fn non_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
